"""The choice between managed and custom OAuth on the connect and edit pages, and what is stored of it."""

from dataclasses import replace

import pytest

from connections.methods import method_of
from connections.models import Connection
from consent.forms import NEEDS_ACCOUNT
from consent.managed import listing
from consent.models import Grant, PublisherApp
from consent.publishers import Scope
from consent.terms import Terms, publishers_redirect_uri
from portal.audit.models import LogRow
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import page, text_of, words_of
from tests.consent import making
from tests.consent.given import give
from tests.consent.managed import publishing
from tests.consent.managed.publishing import READ, SECRET, SLUG, WRITE
from tests.consent.test_oauth_form import form as custom_form

pytestmark = pytest.mark.django_db

UNTOUCHED = {"account_match": "off", "account_claim": "verified_email", "keep_alive_days": None}


def form(endpoint: str, /, **changes) -> dict:
    """What the page sends with managed OAuth; a change to None leaves the field out."""
    fields = {
        "action": "connect",
        "name": "review-agent",
        "endpoint": endpoint,
        "card_path": "",
        "auth_method": making.METHOD,
        "settings-option": "managed",
        "settings-publisher": SLUG,
        "settings-scopes_of": SLUG,
        "settings-ticked": [READ],
        "settings-further": "",
        "settings-keep_alive_days": "",
    }
    fields |= {key.replace("__", "-"): value for key, value in changes.items()}
    return {name: value for name, value in fields.items() if value is not None}


def edit(client, connection: Connection, **changes):
    connection.refresh_from_db()
    sent = form(connection.endpoint, **{"action": "save", "name": None} | changes)
    sent["read_at"] = connection.changed_at.isoformat()
    return client.post(page("connection-edit", connection.project, connection.name), sent)


@pytest.fixture
def address(project) -> str:
    return page("connection-new-a2a", project)


@pytest.fixture
def manager(project, browse):
    """A project manager, who is nobody on the portal."""
    return browse(factories.make_member(project, Role.PROJECT_MANAGER, name="Pia Lang"))


# What the page offers


def test_without_any_app_the_form_is_that_of_custom_oauth_and_says_so(browse, ana, address):
    shown = text_of(browse(ana).get(f"{address}?auth_method={making.METHOD}"))
    assert "The owner of this portal has registered no publisher's app, so only Custom OAuth can be used." in shown
    assert 'value="custom" checked' in shown and "Client secret" in shown


def test_with_an_app_managed_oauth_is_offered_first_and_asks_for_no_secret(manager, address, app):
    shown = text_of(manager.get(f"{address}?auth_method={making.METHOD}"))
    assert 'value="managed" checked' in shown and "Octo" in shown
    assert "Enter the endpoint to see whether it is allowed" in shown
    for of_custom in (
        "Client secret",
        "Client ID",
        "Token URL",
        "Find settings",
        "Register this portal",
        'type="password"',
    ):
        assert of_custom not in shown


def test_a_publisher_says_whether_it_is_allowed_for_the_endpoint_and_whom_to_ask(manager, address, app, ana, endpoint):
    allowed = text_of(manager.post(address, form(endpoint, action="show-fields")))
    assert f"Allowed for {app.origins[0]}" in allowed
    refused = text_of(
        manager.post(address, form("https://evil.example/a2a", action="show-fields", settings__publisher=""))
    )
    assert "Not allowed for this endpoint" in refused and "disabled" in refused
    assert "mailto:ana.ruiz@contoso.example?subject=Managed%20OAuth" in refused
    assert "https%3A//evil.example" in refused and "Ask Ana Ruiz to list this endpoint" in refused


def test_scopes_come_with_the_records_words_and_the_fixed_ones_always(
    manager, address, octo, ana, endpoint, monkeypatch
):
    scopes = (Scope(READ, "Read your reviews"), Scope("profile", "Know who you are"))
    record = publishing.record(octo, scopes=scopes, fixed_scopes=("profile",))
    publishing.register(octo, publishing.know(monkeypatch, record), ana, endpoint)
    shown = words_of(manager.post(address, form(endpoint, action="show-fields")))
    assert "Know who you are profile Always asked for Read your reviews reviews:read" in shown
    manager.post(address, form(endpoint, settings__further="admin  admin"))
    saved = Connection.objects.get()
    assert saved.settings["scopes"] == [READ, "admin"]
    terms = Terms.now(saved)
    assert terms.scopes == ("profile", READ, "admin")
    assert terms.scope_words == {"profile": "Know who you are", READ: "Read your reviews"}


# What is stored


def test_a_manager_connects_without_entering_anything_of_the_app(manager, address, app, endpoint, octo):
    answer = manager.post(address, form(endpoint), follow=True)
    saved = Connection.objects.get()
    assert saved.settings == {"publisher": SLUG, "scopes": [READ]} | UNTOUCHED
    assert not saved.secrets.exists() and method_of(saved).foundry_auth_type == "OAuth2"
    terms = Terms.now(saved)
    assert (terms.client_id, terms.token_url) == (app.client_id, octo.at.token)
    assert terms.redirect_uri == publishers_redirect_uri(SLUG) == "http://localhost:8000/consent/callback/p/octo"
    shown = words_of(answer)
    assert "Managed OAuth · Octo, registered by Ana Ruiz" in shown and "Not finished" not in shown
    assert "Redirect URL" not in shown and "Replace client secret" not in shown
    assert SECRET not in text_of(answer)
    assert manager.get(page("connection-replace", saved.project, saved.name)).status_code == 404


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"settings__publisher": ""}, "Choose a publisher."),
        ({"settings__publisher": "github"}, "Choose a publisher."),
        ({"settings__publisher": "no-such"}, "Choose a publisher."),
        ({"settings__scopes_of": "github"}, "These are the scopes of Octo now."),
        ({"settings__ticked": ["admin"]}, "admin is none of the scopes in the list."),
        ({"settings__further": 'a"b'}, "A scope has no quotation marks"),
        ({"endpoint": "https://93.184.216.34/a2a"}, "has not listed https://93.184.216.34 for its app of Octo"),
    ],
)
def test_what_can_not_be_saved_says_why_and_keeps_what_was_typed(manager, address, app, endpoint, changes, why):
    answer = manager.post(address, form(endpoint, **{"settings__further": "further-scope"} | changes))
    assert answer.status_code == 422 and why in words_of(answer)
    assert "settings__further" in changes or "further-scope" in text_of(answer)
    assert not Connection.objects.exists()


def test_whatever_is_posted_beside_the_choice_changes_nothing_of_the_app(manager, address, app, endpoint, octo):
    """The custom form's fields, with an attacker's addresses, in managed mode."""
    evil = {
        f"settings-{name}": f"{making.NOWHERE}/evil"
        for name in ("authorization_url", "token_url", "refresh_url", "revocation_url", "userinfo_url", "issuer")
    }
    evil |= {"settings-client_id": "evil", "settings-client_auth": "none", "settings-pkce": "off"}
    evil |= {"settings-extra": "prompt = none", "settings-resource": "x", "settings-audience": "x"}
    evil |= {"client_secret-0-value": "evil-secret", "settings-scopes": "everything"}
    manager.post(address, form(endpoint) | evil)
    saved = Connection.objects.get()
    assert set(saved.settings) == {"publisher", "scopes", *UNTOUCHED} and not saved.secrets.exists()
    assert "evil" not in str(Terms.now(saved).stored())
    # Nor where somebody writes them into the row.
    saved.settings |= {"token_url": "https://evil.example", "extra": {"client_id": "evil"}, "client_auth": "none"}
    saved.settings |= {"userinfo_url": "https://evil.example", "client_id": "evil", "pkce": "off"}
    assert "evil" not in str(Terms.now(saved).stored())
    assert Terms.now(saved).pkce == "S256" and Terms.now(saved).client_auth == "basic"


def test_what_was_typed_under_the_other_choice_is_kept_while_one_looks_around(manager, address, app, endpoint):
    typed = custom_form(endpoint, action="show-fields", settings__option="managed", settings__publisher=SLUG)
    typed |= {"client_secret-0-value": "typed-secret-canary"}
    there = manager.post(address, typed)
    carried = {field.html_name: field.value() for field in there.context["entry"].settings.carried}
    assert carried["settings-token_url"] == f"{making.NOWHERE}/token"
    assert "typed-secret-canary" not in text_of(there)
    back = form(endpoint, action="show-fields", settings__option="custom", settings__ticked=[READ, WRITE]) | carried
    here = manager.post(address, back)
    shown = text_of(here)
    assert f'value="{making.NOWHERE}/token"' in shown and "read:user  repo repo" in shown
    again = {field.html_name: field.value() for field in here.context["entry"].settings.carried}
    assert again["settings-ticked"] == [READ, WRITE] and again["settings-publisher"] == SLUG


def test_other_scopes_come_with_another_publisher(manager, address, app, octo, ana, endpoint, monkeypatch):
    scopes = (Scope("mail", "Read your mail"), Scope("send", "Send mail"))
    other = publishing.record(octo, "mailer", name="Mailer", scopes=scopes, default_scopes=("mail",))
    publishing.register(octo, publishing.know(monkeypatch, other), ana, endpoint)
    answer = manager.post(address, form(endpoint, action="show-fields", settings__publisher="mailer"))
    rows = answer.context["entry"].settings.scope_rows
    assert [(row.name, row.is_ticked) for row in rows] == [("mail", True), ("send", False)]
    # Without script somebody may press Connect at once: the scopes that they saw were another publisher's.
    answer = manager.post(address, form(endpoint, settings__publisher="mailer"))
    assert answer.status_code == 422
    rows = answer.context["entry"].settings.scope_rows
    assert [(row.name, row.is_ticked) for row in rows] == [("mail", True), ("send", False)]


def test_the_edit_page_shows_what_is_stored(manager, managed):
    managed.settings |= {"scopes": [WRITE, "admin"], "keep_alive_days": 30}
    managed.save()
    settings = manager.get(page("connection-edit", managed.project, managed.name)).context["entry"].settings
    assert settings.is_managed and settings["publisher"].value() == SLUG
    assert [row.name for row in settings.scope_rows if row.is_ticked] == [WRITE]
    assert settings["further"].field.prepare_value(settings["further"].value()) == "admin"
    assert settings["keep_alive_days"].value() == 30
    assert settings.carried == [], "nothing was typed under the other choice"
    edit(manager, managed, settings__ticked=[READ], settings__further="admin", settings__keep_alive_days="20")
    managed.refresh_from_db()
    assert managed.settings == {"publisher": SLUG, "scopes": [READ, "admin"]} | UNTOUCHED | {"keep_alive_days": 20}


def test_a_custom_connection_is_edited_as_before_where_apps_are_registered(manager, app, project, release_bot):
    custom = making.make_connection(project, release_bot, name="own-app")
    shown = manager.get(page("connection-edit", project, custom.name))
    assert not shown.context["entry"].settings.is_managed
    assert shown.context["entry"].settings["token_url"].value() == f"{making.NOWHERE}/token"
    sent = custom_form(custom.endpoint, action="save", settings__client_id="gatehouse-2")
    sent["read_at"] = custom.changed_at.isoformat()
    manager.post(page("connection-edit", project, custom.name), sent)
    custom.refresh_from_db()
    assert custom.settings["client_id"] == "gatehouse-2"
    assert not {"option", "publisher", "ticked", "further", "scopes_of"} & set(custom.settings)


# From one to the other


def test_turning_to_the_publishers_app_asks_then_clears_secret_and_consents(
    manager, app, project, release_bot, ben, endpoint
):
    custom = making.make_connection(project, release_bot, name="review-agent", endpoint=endpoint)
    grant = making.make_grant(custom, release_bot, ben)
    question = words_of(edit(manager, custom))
    assert "clears the client secret and sets 1 consent to “needs consent again”" in question
    assert custom.secrets.get().is_set
    assert edit(manager, custom, clearing="yes").status_code == 302
    grant.refresh_from_db()
    custom.refresh_from_db()
    assert custom.settings["publisher"] == SLUG and not custom.secrets.exists()
    assert grant.state == Grant.State.NEEDS_CONSENT


def test_turning_to_ones_own_app_ends_what_was_given_to_the_publishers(manager, managed, app, release_bot, ben):
    grant = give(managed, release_bot, ben)
    sent = custom_form(managed.endpoint, action="save", settings__option="custom", settings__client_id=app.client_id)
    sent["read_at"] = managed.changed_at.isoformat()
    address = page("connection-edit", managed.project, managed.name)
    assert "sets 1 consent to “needs consent again”" in words_of(manager.post(address, sent))
    manager.post(address, sent | {"clearing": "yes"})
    grant.refresh_from_db()
    assert (grant.state, grant.access_token, grant.refresh_token) == (Grant.State.NEEDS_CONSENT, "", "")


def test_registering_by_itself_is_not_for_a_publishers_app(manager, managed):
    answer = edit(manager, managed, action="register-portal")
    shown = words_of(manager.get(answer.url)) if answer.status_code == 302 else words_of(answer)
    assert "so there is nothing to register" in shown
    managed.refresh_from_db()
    assert managed.settings["publisher"] == SLUG


# Where the app may not be used


@pytest.mark.parametrize("how", ["removed", "taken off the list", "without a secret"])
def test_the_connections_page_says_why_nobody_can_use_it_and_who_must_act(manager, managed, app, ana, how):
    if how == "removed":
        listing.remove(app, ana)
    elif how == "taken off the list":
        listing.change(app, app.client_id, {}, ["https://elsewhere.example"], ana)
    else:
        PublisherApp.objects.update(client_secret="")
    shown = words_of(manager.get(page("connection", managed.project, managed.name)))
    title = {
        "removed": "The publisher's app is not registered on this portal.",
        "taken off the list": "The endpoint is not listed for the publisher's app.",
        "without a secret": "The publisher's app has no secret that can be used.",
    }[how]
    assert title in shown and "Who must act: The owner of this portal." in shown and "Not finished" in shown
    registered = "Octo, not registered on this portal" if how == "removed" else "Octo, registered by Ana Ruiz"
    assert f"Managed OAuth · {registered}" in shown
    settings = manager.get(page("connection-edit", managed.project, managed.name)).context["entry"].settings
    kept = {one.name: one.value() for one in settings.carried}
    assert kept == ({"further": READ} if how == "removed" else {})
    # The edit page still shows it, chosen and not disabled, and says what to do.
    answer = edit(manager, managed)
    assert answer.status_code == (302 if how == "without a secret" else 422)


def test_no_page_log_or_export_of_a_project_has_anything_of_the_secret(
    manager, browse, ana, managed, release_bot, ben, app
):
    give(managed, release_bot, ben)
    names = ["connection", "connection-edit", "connection-calls", "connection-consents", "connection-settings"]
    seen = [text_of(manager.get(page(name, managed.project, managed.name))) for name in names]
    seen += [text_of(manager.get(page("tools", managed.project))), text_of(browse(ben).get("/consents/"))]
    seen += [text_of(browse(ben).post("/consents/export")), text_of(browse(ana).get("/portal/publishers/"))]
    seen += [text_of(browse(ana).get(f"/portal/publishers/{SLUG}/{rest}")) for rest in ("", "secret/", "remove/")]
    seen += [str(row.__dict__) for row in LogRow.objects.all()]
    seen += [str(Connection.objects.values().get()), str(Grant.objects.values().get())]
    assert len(seen) > 15
    assert SECRET not in "".join(seen) and app.client_secret not in "".join(seen)


def test_a_managed_connection_may_want_the_persons_own_account_where_the_publisher_names_it(
    app, address, manager, endpoint, monkeypatch
):
    manager.post(address, form(endpoint, settings__account_match="enforce"))
    assert Connection.objects.get(name="review-agent").settings["account_match"] == "enforce"

    publishing.know(monkeypatch, replace(app.record, userinfo_url=""))
    answer = manager.post(address, form(endpoint, name="other-agent", settings__account_match="enforce"))
    assert answer.status_code == 422 and NEEDS_ACCOUNT in text_of(answer)
