"""The portal owner's pages of publishers' apps: registered once, shown without secret, changed after a question."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from consent import tasks
from consent.managed import listing
from consent.models import ConsentRequest, Grant, PublisherApp
from consent.publishers import PUBLISHERS, Variable
from portal import vault
from portal.audit.models import LogRow
from portal.identities.audiences import origin_of
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import text_of, words_of
from tests.consent.given import give, providers_are_told
from tests.consent.managed import publishing
from tests.consent.managed.publishing import SECRET, SLUG

pytestmark = pytest.mark.django_db
LIST, NEW = "/portal/publishers/", "/portal/publishers/new/"
EDIT, REPLACE, REMOVE = (f"/portal/publishers/{SLUG}/{part}" for part in ("", "secret/", "remove/"))
REVIEW = "https://review.contoso.example"
ENTERED = {"client_id": "octo-1", "client_secret": SECRET, "expires_on": "", "origins": f"{REVIEW}/a2a"}


def event() -> str:
    return LogRow.objects.latest("id").event


@pytest.fixture
def octo(provider, monkeypatch):
    """A publisher of the catalogue, in whose place a provider really runs."""
    running = provider(grace_seconds=0)
    publishing.know(monkeypatch, publishing.record(running))
    return running


@pytest.fixture
def app(octo, ana) -> PublisherApp:
    return listing.enter(SLUG, "octo-1", SECRET, {}, [REVIEW], ana)


def secret_of(app: PublisherApp, column: str = "client_secret") -> str:
    app.refresh_from_db()
    return vault.open_sealed(getattr(app, column), app.binding(column)).reveal()


def test_the_list_begins_empty_and_offers_the_catalogue(browse, ana, octo):
    owner = browse(ana)
    assert "No app is registered" in words_of(owner.get(LIST))
    catalogue = text_of(owner.get(NEW))
    assert f"{NEW}?publisher=github" in catalogue and f"{NEW}?publisher={SLUG}" in catalogue
    assert "24 November 2026" in catalogue


def test_before_anything_is_entered_the_page_has_what_the_publisher_wants_to_know(browse, ana, octo):
    page = text_of(browse(ana).get(f"{NEW}?publisher={SLUG}"))
    assert "<code>http://localhost:8000/consent/callback/p/octo</code>" in page
    assert 'href="https://octo.example/apps"' in page and "New app. It has one callback URL." in page
    assert 'href="https://octo.example/docs"' in page and "24 November 2026" in page


def test_an_app_is_registered_sealed_and_listed_without_its_secret(browse, ana, octo):
    page = browse(ana).post(f"{NEW}?publisher={SLUG}", ENTERED, follow=True)
    app = PublisherApp.objects.get()
    assert (app.client_id, app.origins, app.listed_by, secret_of(app)) == ("octo-1", [REVIEW], ana, SECRET)
    assert "Octo Registered just now by Ana Ruiz https://review.contoso.example" in words_of(page)
    assert event() == "publisher_app.listed"
    row = LogRow.objects.latest("id")
    assert json.loads(row.details) == {"publisher": "Octo", "client_id": "octo-1", "origins": REVIEW}
    assert SLUG not in text_of(browse(ana).get(NEW)), "one publisher has one app"
    again = browse(ana).post(f"{NEW}?publisher={SLUG}", ENTERED)
    assert again.status_code == 422 and "has an app on this portal already" in words_of(again)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"client_id": ""}, "Enter the client ID"),
        ({"client_secret": ""}, "Enter the client secret"),
        ({"expires_on": "2020-01-01"}, "This date has passed"),
        ({"origins": ""}, "Enter at least one origin"),
        ({"origins": "https://*.contoso.example"}, "List each origin by name"),
        ({"origins": "http://review.contoso.example"}, "Plain http is only accepted"),
        ({"origins": "https://169.254.169.254"}, "belongs to the network or the cloud itself"),
        ({"origins": "javascript:alert(1)"}, "must begin with https://"),
    ],
)
def test_what_can_not_be_registered_says_why_and_keeps_all_but_the_secret(browse, ana, settings, change, why):
    settings.ALLOWED_OUTBOUND_NETWORKS = []
    answer = browse(ana).post(f"{NEW}?publisher=github", ENTERED | change)
    shown = text_of(answer)
    assert answer.status_code == 422 and why in shown
    assert SECRET not in shown and ('value="octo-1"' in shown or "client_id" in change)
    assert "client_secret" in change or "Enter the client secret again." in shown
    assert not PublisherApp.objects.exists()


def test_the_parts_of_a_publishers_addresses_are_entered_and_can_not_leave_its_host(browse, ana, provider, monkeypatch):
    running = provider(path="/contoso")
    tenant = Variable("tenant", "Tenant", r"[a-z0-9.-]{1,60}", "contoso.example")
    token = running.at.token.replace("/contoso/", "/{tenant}/")
    publishing.know(monkeypatch, publishing.record(running, token_url=token, variables=(tenant,)))
    owner, address = browse(ana), f"{NEW}?publisher={SLUG}"
    assert "Tenant" in words_of(owner.get(address))
    for evil in ("", "a/../b", "evil.example/x", "x@evil.example", "a b", "{client_id}"):
        answer = owner.post(address, ENTERED | {"variable-tenant": evil})
        assert answer.status_code == 422, evil
    owner.post(address, ENTERED | {"variable-tenant": "contoso"})
    app = PublisherApp.objects.get()
    assert app.address("token_url") == running.at.token
    assert secret_of(app) == SECRET


def test_an_origin_is_added_without_a_question(browse, ana, app):
    browse(ana).post(EDIT, {"client_id": "octo-1", "origins": f"{REVIEW}\nhttps://pay.contoso.example"})
    app.refresh_from_db()
    assert app.origins == ["https://pay.contoso.example", REVIEW]
    assert secret_of(app) == SECRET and event() == "publisher_app.changed"


@pytest.fixture
def given(octo, ana, project, release_bot, ben) -> Grant:
    """What Ben gave through the app, for an endpoint on loopback."""
    endpoint = f"{octo.at.issuer}/a2a"
    publishing.register(octo, publishing.record(octo), ana, REVIEW, endpoint)
    return give(publishing.connect(project, release_bot, endpoint, name="review-agent"), release_bot, ben)


def test_taking_an_origin_away_asks_first_with_everything_that_it_ends(browse, ana, given, chloe):
    owner, app = browse(ana), PublisherApp.objects.get()
    asking = ConsentRequest.objects.create(
        connection=given.connection, agent=given.agent, user=chloe, terms=given.terms,
        expires_at=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    kept = {"client_id": app.client_id, "origins": REVIEW}
    question = owner.post(EDIT, kept)
    shown = words_of(question)
    assert origin_of(given.asked.endpoints[0]) in shown
    assert "1 connection can't be used any more: review-agent of contoso-support." in shown
    assert "1 person's consent is ended at once." in shown and "1 open consent link ends." in shown
    given.refresh_from_db()
    assert given.state == Grant.State.ACTIVE, "a question changes nothing"

    owner.post(EDIT, kept | {"confirmed": "yes"})

    given.refresh_from_db()
    asking.refresh_from_db()
    assert (given.state, given.reason) == (Grant.State.NEEDS_CONSENT, "managed_app_withdrawn")
    assert (given.access_token, given.refresh_token) == ("", "")
    assert asking.state == ConsentRequest.State.ENDED
    assert "can't be used any more" not in words_of(owner.post(EDIT, {**kept, "origins": "https://x.example"}))


def test_another_client_id_clears_the_secret_and_ends_what_was_given_to_the_former_app(browse, ana, given):
    owner, app = browse(ana), PublisherApp.objects.get()
    entered = {"client_id": "octo-2", "origins": "\n".join(app.origins)}
    question = words_of(owner.post(EDIT, entered))
    assert "The stored secret is cleared" in question and "1 person's consent is ended at once." in question
    answer = owner.post(EDIT, entered | {"confirmed": "yes"})
    assert answer.url == REPLACE
    app.refresh_from_db()
    given.refresh_from_db()
    assert (app.client_id, app.client_secret) == ("octo-2", "")
    assert (given.state, given.reason) == (Grant.State.NEEDS_CONSENT, "managed_app_changed")
    assert "Not set Nobody can use the app until it is." in words_of(owner.get(LIST))


def test_a_secret_is_replaced_and_the_former_one_kept_for_a_while(browse, ana, app):
    owner = browse(ana)
    assert "No secret is set" not in words_of(owner.get(REPLACE))
    page = owner.post(REPLACE, {"client_secret": "second", "expires_on": "", "keep_former": "24"}, follow=True)
    assert (secret_of(app), secret_of(app, "former_secret")) == ("second", SECRET)
    assert "The former one is tried until" in words_of(page) and event() == "publisher_app.secret_replaced"
    owner.post(REPLACE, {"client_secret": "third", "expires_on": "", "keep_former": ""})
    assert secret_of(app) == "third" and app.former_secret == ""
    empty = owner.post(REPLACE, {"client_secret": ""})
    assert empty.status_code == 422 and "Enter the client secret." in words_of(empty)


def test_a_former_secret_is_destroyed_when_its_time_is_over(ana, app):
    listing.replace_secret(app, "second", ana, keep_former=timedelta(days=1))
    assert tasks.end_former_secrets() == 0
    PublisherApp.objects.update(former_until=timezone.now())
    assert tasks.end_former_secrets() == 1
    app.refresh_from_db()
    assert app.former_secret == ""


def test_the_list_says_when_a_secret_expires(browse, ana, octo):
    soon = timezone.localdate() + timedelta(days=3)
    listing.enter(SLUG, "octo-1", SECRET, {}, [REVIEW], ana, expires_on=soon)
    assert "Expires soon" in words_of(browse(ana).get(LIST))
    PublisherApp.objects.update(secret_expires_on=timezone.localdate() - timedelta(days=1))
    assert "Expired" in words_of(browse(ana).get(LIST))


def test_removing_counts_what_it_ends_and_tells_the_publisher(browse, ana, octo, given):
    owner = browse(ana)
    question = words_of(owner.get(REMOVE))
    assert "1 connection can't be used any more: review-agent of contoso-support." in question
    assert "1 person's consent is ended at once." in question and "is told to cancel the access." in question
    owner.post(REMOVE)
    given.refresh_from_db()
    assert (given.state, given.reason) == (Grant.State.NEEDS_CONSENT, "managed_app_withdrawn")
    assert not PublisherApp.objects.exists() and event() == "publisher_app.removed"
    providers_are_told()
    assert octo.living_approvals() == [], "with the secret of before, though the app is gone"


@pytest.mark.parametrize("page", [LIST, NEW, f"{NEW}?publisher={SLUG}", EDIT, REPLACE, REMOVE])
@pytest.mark.parametrize("role", [Role.AI_OWNER, Role.ACCOUNT_OWNER, Role.CONTRIBUTOR, Role.READER, Role.AUDITOR])
def test_only_an_owner_of_the_portal_opens_these_pages(browse, project, app, role, page):
    owner_of_a_project = factories.make_member(project, Role.OWNER)
    factories.give(owner_of_a_project, role)
    client = browse(owner_of_a_project)
    assert client.get(page).status_code == 403
    assert client.post(page, ENTERED | {"confirmed": "yes"}).status_code in {403, 405}
    assert Client().get(page).url.startswith("/accounts/login/")
    assert secret_of(app) == SECRET and app.origins == [REVIEW]


def test_the_pages_stand_in_the_pane_of_whoever_may_open_them(browse, ana, ben):
    assert LIST in text_of(browse(ana).get("/")) and LIST not in text_of(browse(ben).get("/"))


def test_a_publisher_that_is_no_longer_known_is_listed_and_can_be_removed(browse, ana, app, monkeypatch):
    monkeypatch.delitem(PUBLISHERS, SLUG)
    owner = browse(ana)
    assert "This version of the portal does not know it." in words_of(owner.get(LIST))
    assert owner.get(EDIT).status_code == 404
    owner.post(REMOVE)
    assert not PublisherApp.objects.exists()


def test_a_record_that_was_not_compared_yet_says_so(browse, ana, octo, monkeypatch):
    publishing.know(monkeypatch, publishing.record(octo, checked=None))
    owner = browse(ana)
    assert "Octo Not yet try it with an account of your own first" in words_of(owner.get(NEW))
    shown = words_of(owner.get(f"{NEW}?publisher={SLUG}"))
    assert "was not compared with all of it yet" in shown and "compared with it on" not in shown
