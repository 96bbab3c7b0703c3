"""A project manager can't get anything of a publisher's app to a host of his own, whichever way he tries (T01, T16).

`evil` records what comes to that host: it must get no code, no token, no secret; and the provider no request for it.
"""

import contextlib
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.http import HttpResponse
from django.test import Client

from connections import agent_card, keeping
from connections.agent_card import Card
from connections.methods import method_of
from connections.methods.base import Caller, ConsentRequired, CredentialUnavailable
from connections.models import Connection
from consent import clients, flow, grants, oauth2, refreshing, revocation, sweeping
from consent.managed import listing
from consent.models import Cancellation, ConsentRequest, Grant, PublisherApp
from portal.audit.models import LogRow
from portal.identities.audiences import origin_of
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import page, words_of
from tests.consent import making
from tests.consent.attacks.stage import CALLBACK, Stage, arrive, at_the_provider, leave, refused_page
from tests.consent.given import again, expire, give, providers_are_told
from tests.consent.managed import publishing
from tests.consent.managed.publishing import READ, SECRET, SLUG
from tests.consent.managed.test_form import edit, form
from tests.consent.test_oauth_form import form as custom_form
from tests.fakes.a2a_server import A2AServer

pytestmark = pytest.mark.django_db


@pytest.fixture
def evil(fake_agent) -> A2AServer:
    """A host that nobody listed."""
    return fake_agent()


@pytest.fixture
def manager(project, browse) -> Client:
    return browse(factories.make_member(project, Role.PROJECT_MANAGER, name="Mallory"))


@pytest.fixture
def bens(browse, ben) -> Client:
    return browse(ben)


@pytest.fixture
def stage(octo, managed, release_bot) -> Stage:
    return Stage(octo, managed, release_bot)


@pytest.fixture
def given(managed, release_bot, ben) -> Grant:
    return again(give(managed, release_bot, ben))


@contextlib.contextmanager
def nothing_reaches(evil: A2AServer, octo) -> Iterator[None]:
    """Inside, no credential comes to the attacker, and the provider gives nothing out."""
    before = len(octo.token_requests())
    yield
    assert not any(sent.header("authorization") for sent in evil.received)
    assert SECRET not in "".join(f"{sent.body!r}{sent.headers}{sent.query}" for sent in evil.received)
    assert len(octo.token_requests()) == before


def refused(connection: Connection, agent, user) -> str:
    """The code with which a call gets no credential."""
    found = Connection.objects.get(pk=connection.pk)
    for ask in (method_of(found).credential, method_of(found).prepared):
        with pytest.raises(CredentialUnavailable) as unavailable:
            ask(found, Caller(agent, user))
    return unavailable.value.code


def move(connection: Connection, **columns) -> None:
    """As somebody with the database would."""
    Connection.objects.filter(pk=connection.pk).update(**columns)


# Another address


def test_the_endpoint_is_edited(manager, managed, given, evil, octo, release_bot, ben):
    with nothing_reaches(evil, octo):
        answer = edit(manager, managed, endpoint=evil.url, clearing="yes")
        assert answer.status_code == 422 and "has not listed" in words_of(answer)
        managed.refresh_from_db()
        assert managed.endpoint != evil.url
    assert again(given).state == Grant.State.ACTIVE


def test_the_endpoint_is_edited_in_the_database(managed, given, evil, octo, release_bot, ben):
    interfaces = [{"url": evil.url, "binding": "JSONRPC", "version": "1.0"}]
    with nothing_reaches(evil, octo):
        move(managed, endpoint=evil.url, interfaces=interfaces)
        assert refused(managed, release_bot, ben) == "managed_endpoint_not_listed"
        move(managed, endpoint=managed.endpoint)
        assert refused(managed, release_bot, ben) == "managed_endpoint_not_listed", "an interface alone does as well"
        assert sweeping.sweep(1) >= 0


def test_the_port_or_the_scheme_alone_is_another_origin(managed, given, release_bot, ben):
    parts = urlsplit(managed.endpoint)
    for url in (f"http://{parts.hostname}:1/agent", f"https://{parts.netloc}/agent", f"http://localhost:{parts.port}/"):
        move(managed, endpoint=url)
        assert refused(managed, release_bot, ben) == "managed_endpoint_not_listed", url


def test_a_card_names_interfaces_elsewhere(managed, evil, octo, project, ana, given, release_bot, ben):
    card = agent_card.fetch([f"{evil.url}/.well-known/agent-card.json"]).card
    assert Card.of(card).interfaces(managed.endpoint) == [], "interfaces share the endpoint's origin"
    moved = [{"url": evil.url, "binding": "JSONRPC", "version": "1.0"}]
    with nothing_reaches(evil, octo):
        with pytest.raises(keeping.WouldClear):
            keeping.confirm_card(Connection.objects.get(pk=managed.pk), card, moved, ana, clearing=False)
        keeping.confirm_card(Connection.objects.get(pk=managed.pk), card, moved, ana, clearing=True)
        assert refused(managed, release_bot, ben) == "managed_endpoint_not_listed"
    assert again(given).state == Grant.State.NEEDS_CONSENT


def test_the_card_is_read_with_credentials_elsewhere(manager, managed, given, evil, octo):
    with nothing_reaches(evil, octo):
        sent = {"card_path": f"{evil.url}/.well-known/agent-card.json", "send_credentials_for_card": "on"}
        assert edit(manager, managed, **sent, clearing="yes").status_code == 422


def test_a_credential_for_the_card_counts_as_an_address_too(managed, given, release_bot, ben):
    """Only over https, and to the endpoint's own host; where a row says otherwise, the list still decides."""
    move(
        managed, send_credentials_for_card=True, card_path="https://evil.example/card", endpoint="https://evil.example"
    )
    assert refused(managed, release_bot, ben) == "managed_endpoint_not_listed"


# Another app, or another provider


def test_managed_is_switched_to_custom_with_an_address_of_his_own(
    manager, managed, given, evil, octo, app, release_bot, ben
):
    """The client id is no secret, so he enters it; the app's secret stays behind, and consents end."""
    sent = custom_form(managed.endpoint, action="save", settings__option="custom", clearing="yes")
    sent |= {"settings-client_id": app.client_id, "settings-authorization_url": octo.at.authorize}
    sent |= {"settings-token_url": f"{evil.origin}/token", "settings-revocation_url": f"{evil.origin}/revoke"}
    sent |= {"settings-userinfo_url": f"{evil.origin}/userinfo", "client_secret-0-value": "his-own"}
    sent["read_at"] = managed.changed_at.isoformat()
    with nothing_reaches(evil, octo):
        manager.post(page("connection-edit", managed.project, managed.name), sent)
        stored = Connection.objects.get(pk=managed.pk)
        assert stored.settings["token_url"] == f"{evil.origin}/token"
        assert again(given).state == Grant.State.NEEDS_CONSENT
        providers_are_told()
        # The consent page now leads to the honest provider with the app's id, and a redirect URL that it does not know.
        departure = flow.begin(flow.ask(stored, Caller(release_bot, ben)))
        with pytest.raises(AssertionError, match="is not supported by client"):
            at_the_provider(departure.address)
    told = octo.calls("revoke")
    assert told and all(call.basic == (app.client_id, SECRET) for call in told), "at the address it was given under"


def test_custom_is_switched_to_managed_with_hidden_fields_of_his_own(
    manager, project, release_bot, ben, app, endpoint, evil, octo
):
    custom = making.make_connection(project, release_bot, name="review-agent", endpoint=endpoint)
    his = {f"settings-{name}_url": f"{evil.origin}/{name}" for name in ("token", "refresh", "revocation", "userinfo")}
    with nothing_reaches(evil, octo):
        edit(manager, custom, clearing="yes", **his, **{"settings-issuer": evil.origin})
    grant = again(give(Connection.objects.get(pk=custom.pk), release_bot, ben))
    expire(grant)
    assert grants.fresh_token(again(grant)).value.reveal()
    grants.revoke(again(grant), ben)
    providers_are_told()
    assert not evil.received, "neither exchange, userinfo, refresh nor revocation"
    assert {call.endpoint for call in octo.calls()} >= {"token", "userinfo", "revoke"}


def test_settings_of_his_own_are_written_beside_the_publisher(managed, given, evil, octo, release_bot, ben):
    """By whatever means: what is not the record's is not read."""
    own = {"token_url": f"{evil.origin}/token", "revocation_url": f"{evil.origin}/r", "client_auth": "post"}
    own |= {"userinfo_url": f"{evil.origin}/u", "extra": {"redirect_uri": evil.origin, "login_hint": "x"}}
    move(managed, settings=managed.settings | own)
    expire(given)
    assert grants.fresh_token(again(given)).value.reveal()
    found = Connection.objects.get(pk=managed.pk)
    Grant.objects.all().delete()
    address = flow.begin(flow.ask(found, Caller(release_bot, ben))).address
    query = dict(parse_qsl(urlsplit(address).query))
    assert query["redirect_uri"].endswith("/consent/callback/p/octo") and "login_hint" not in query
    assert not evil.received


@pytest.mark.parametrize("name", ["token_url", "refresh_url", "revocation_url"])
def test_terms_that_were_changed_in_the_database_do_not_open_the_secret(managed, given, evil, octo, name):
    terms = given.terms | {name: f"{evil.origin}/here"}
    Grant.objects.filter(pk=given.pk).update(terms=terms)
    expire(given)
    with nothing_reaches(evil, octo):
        with pytest.raises((CredentialUnavailable, grants.NeedsConsent)):
            grants.fresh_token(again(given))
        with pytest.raises(CredentialUnavailable, match="managed_app"):
            clients.of(managed, again(given).asked)
        with pytest.raises(CredentialUnavailable, match="managed_app_unfinished"):
            clients.to_end(managed, again(given).asked)
        assert sweeping.sweep(1) >= 0
        revocation.queue(again(given), None, None)
        assert not Cancellation.objects.exists()


def test_a_secret_that_is_moved_to_another_app_does_not_open(octo, app, ana, endpoint, monkeypatch, managed, given):
    other = publishing.know(monkeypatch, publishing.record(octo, "other"))
    publishing.register(octo, other, ana, endpoint)
    PublisherApp.objects.filter(publisher=SLUG).update(client_secret="")
    sealed = PublisherApp.objects.get(publisher="other").client_secret
    PublisherApp.objects.filter(publisher=SLUG).update(client_secret=sealed)
    with pytest.raises(CredentialUnavailable, match="managed_app_unfinished"):
        clients.of(managed, given.asked)


# The way to the provider and back


def test_consent_is_asked_at_the_publisher_and_comes_back_to_its_one_address(stage, ben, bens):
    asking = stage.link(ben)
    shown = words_of(bens.get(f"/consent/{asking.id}"))
    assert "The app of this portal Registered at Octo by Ana Ruiz" in shown and "Read your reviews" in shown
    back = at_the_provider(leave(bens, asking))
    assert urlsplit(back).path == "/consent/callback/p/octo"
    assert arrive(bens, back).url == f"/consent/{asking.id}/done"
    assert Grant.objects.get().account


def test_its_answer_is_refused_at_another_publishers_address_and_at_the_connections_own(
    stage, ben, bens, octo, ana, endpoint, monkeypatch
):
    publishing.register(octo, publishing.know(monkeypatch, publishing.record(octo, "other")), ana, endpoint)
    back = at_the_provider(leave(bens, stage.link(ben)))
    query = dict(parse_qsl(urlsplit(back).query))
    for path in ("/consent/callback/p/other", "/consent/callback/p/github", f"/consent/callback/{stage.connection.id}"):
        with stage.refuses("consent_answer_foreign", by=ben):
            assert refused_page(bens.get(path, query), "This sign-in was begun for another connection")
    assert arrive(bens, back).status_code == 302, "at the right address it still counts"


def test_a_custom_connections_answer_is_refused_at_a_publishers_address(octo, app, project, release_bot, ben, bens):
    custom = Stage(octo, making.connection_to(octo, project, release_bot), release_bot)
    query = dict(parse_qsl(urlsplit(at_the_provider(leave(bens, custom.link(ben)))).query))
    with custom.refuses("consent_answer_foreign", by=ben):
        bens.get(f"/consent/callback/p/{SLUG}", query)


def test_another_persons_session_or_browser_and_a_made_up_state_are_refused_there_too(stage, ben, chloe, bens, browse):
    back = at_the_provider(leave(bens, stage.link(ben)))
    with stage.refuses("consent_wrong_person", by=chloe):
        arrive(browse(chloe), back)
    with stage.refuses("consent_other_browser", by=ben):
        arrive(browse(ben), back)
    with stage.refuses("consent_answer_unknown", by=ben):
        arrive(bens, back, state="made-up")
    with stage.refuses("consent_other_browser", by=None):
        assert arrive(Client(), back).url.startswith("/accounts/login/")


def test_an_issuer_of_the_record_must_be_named(octo, ana, endpoint, project, release_bot, ben, bens, monkeypatch):
    record = publishing.know(monkeypatch, publishing.record(octo, issuer=octo.at.issuer))
    publishing.register(octo, record, ana, endpoint)
    stage = Stage(octo, publishing.connect(project, release_bot, endpoint), release_bot)
    back = at_the_provider(leave(bens, stage.link(ben)))
    with stage.refuses("issuer_mismatch", by=ben):
        arrive(bens, back, iss="https://evil.example")
    assert arrive(bens, back).status_code == 302


def test_two_connections_share_the_address_and_no_answer(stage, project, endpoint, ben, bens):
    """The state says whose answer it is; a code of one flow is nothing in the other (PKCE)."""
    second = Stage(stage.provider, publishing.connect(project, stage.agent, endpoint), stage.agent)
    first_back = at_the_provider(leave(bens, stage.link(ben)))
    second_back = at_the_provider(leave(bens, second.link(ben)))
    code = dict(parse_qsl(urlsplit(first_back).query))["code"]
    answer = arrive(bens, second_back, code=code)
    assert answer.status_code == 302 and answer.url.endswith("/refused")
    assert not Grant.objects.exists()


# What is taken away meanwhile


def removed(app, ana) -> None:
    listing.remove(PublisherApp.objects.get(), ana)


def taken_off_the_list(app, ana) -> None:
    listing.change(PublisherApp.objects.get(), app.client_id, {}, ["https://elsewhere.example"], ana)


def taken_off_in_the_database(app, ana) -> None:
    PublisherApp.objects.update(origins=[])


def made_another(app, ana) -> None:
    listing.change(PublisherApp.objects.get(), "octo-2", {}, app.origins, ana)


def made_another_in_the_database(app, ana) -> None:
    PublisherApp.objects.update(client_id="octo-2")


TAKEN_AWAY = {
    removed: "managed_app_missing",
    taken_off_the_list: "managed_endpoint_not_listed",
    taken_off_in_the_database: "managed_endpoint_not_listed",
    made_another: "managed_app_unfinished",
    made_another_in_the_database: "managed_app_unfinished",
}
every_way = pytest.mark.parametrize("take_away", TAKEN_AWAY, ids=lambda way: way.__name__)


@every_way
def test_between_link_and_consent(stage, app, ana, ben, bens, take_away):
    asking = stage.link(ben)
    take_away(app, ana)
    shown = words_of(bens.get(f"/consent/{asking.id}"))
    assert "Continue" not in shown
    assert bens.post(f"/consent/{asking.id}", {"decision": "continue"}).status_code in (302, 400)
    assert stage.token_requests == 0 and stage.provider.calls("authorize") == []


@every_way
def test_between_consent_and_exchange(stage, app, ana, ben, bens, take_away):
    back = at_the_provider(leave(bens, stage.link(ben)))
    take_away(app, ana)
    answer = arrive(bens, back)
    assert answer.status_code in (400, 404) or answer.url.endswith("/refused")
    assert stage.token_requests == 0 and not Grant.objects.exists()
    assert LogRow.objects.filter(event=CALLBACK, actor_id=ben.id).exists()


@every_way
def test_while_the_code_is_exchanged(stage, app, ana, ben, bens, take_away, monkeypatch):
    """What comes back then is not kept, and the publisher is told so."""
    userinfo = oauth2.userinfo

    def late(*arguments):
        take_away(app, ana)
        return userinfo(*arguments)

    back = at_the_provider(leave(bens, stage.link(ben)))
    monkeypatch.setattr(oauth2, "userinfo", late)
    answer = arrive(bens, back)
    assert answer.status_code in (400, 404) or answer.url.endswith("/refused")
    assert stage.token_requests == 1 and not Grant.objects.exists()
    monkeypatch.undo()
    providers_are_told()
    assert Cancellation.objects.get().state == Cancellation.State.CONFIRMED
    assert stage.provider.living_approvals() == []


@every_way
def test_before_the_next_use_and_the_next_refresh(stage, app, ana, given, ben, release_bot, octo, take_away):
    expire(given)
    asked = len(octo.token_requests())
    take_away(app, ana)
    assert refused(stage.connection, release_bot, ben) == TAKEN_AWAY[take_away]
    assert sweeping.sweep(1) >= 0
    state, consent = None, None
    with contextlib.suppress(CredentialUnavailable):
        state, consent = method_of(stage.connection).consent_state(
            Connection.objects.get(pk=stage.connection.pk), Caller(release_bot, ben)
        )
    assert consent is None and state != "connected"
    assert len(octo.token_requests()) == asked


def test_while_a_refresh_is_under_way(stage, app, ana, given, octo, monkeypatch):
    """The owner was faster than the publisher: the new token is used nowhere, and cancelled."""

    def late(token, client):
        new = oauth2.refresh(client, token)
        taken_off_the_list(app, ana)
        return new

    monkeypatch.setattr(refreshing, "_ask", late)
    expire(given)
    with pytest.raises(grants.NeedsConsent):
        grants.fresh_token(again(given))
    assert len(octo.refreshes()) == 1 and again(given).access_token == ""
    providers_are_told()
    assert octo.living_approvals() == []


def test_what_was_taken_away_and_given_back_has_to_be_allowed_again_and_says_why(
    stage, app, ana, given, ben, bens, release_bot
):
    taken_off_the_list(app, ana)
    listing.change(PublisherApp.objects.get(), app.client_id, {}, [origin_of(stage.connection.endpoint)], ana)
    found = Connection.objects.get(pk=stage.connection.pk)
    with pytest.raises(ConsentRequired) as required:
        method_of(found).credential(found, Caller(release_bot, ben))
    assert required.value.consent.reason == "managed_app_withdrawn"
    shown = words_of(bens.get(f"/consent/{required.value.consent.id}"))
    assert "The publisher's app was taken away." in shown and "Continue" in shown


# Other projects


def test_another_project_uses_the_same_app_and_sees_nothing_of_this_one(
    managed, given, eve, browse, app, endpoint, octo
):
    theirs = eve.role_assignments.get().project
    agent = factories.make_agent(theirs)
    other = publishing.connect(theirs, agent, endpoint, name="review-agent")
    assert Grant.objects.filter(connection=other).count() == 0
    for name in ("connection", "connection-edit", "connection-consents"):
        assert browse(eve).get(page(name, managed.project, managed.name)).status_code == 404
    answer: HttpResponse = browse(eve).post(
        page("connection-edit", managed.project, managed.name), form(endpoint, action="save")
    )
    assert answer.status_code == 404
    asking = ConsentRequest.objects.get(connection=managed)
    assert browse(eve).get(f"/consent/{asking.id}").status_code == 403
    assert managed.settings["scopes"] == [READ]
