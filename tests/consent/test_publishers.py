"""The whole life of a grant with each publisher, as its record has it, against a server that has its quirks."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from django.test import Client
from django.utils import timezone

from connections import agent_card
from connections.models import Connection, Health
from connections.troubleshooting import CATALOGUE
from consent import endings, grants
from consent.models import Cancellation, ConsentRequest, Grant
from consent.publishers import PUBLISHERS
from consent.revoking import WAYS
from portal.audit import changes
from tests import factories
from tests.connections.pages import text_of
from tests.consent.given import again, expire, past_the_pause, providers_are_told
from tests.consent.publishers import connection_to, record_at
from tests.consent.test_gateway_oauth import ask, asked, refusal_of, said
from tests.fakes import misbehaviour as bad
from tests.fakes.publishers import FAKES, FakePublisher, running
from tests.fakes.resource import Resource
from tests.fakes.signing_in import query_of
from tests.gateway.callers import Caller, make_callers
from tests.gateway.conftest import Line, shared_database, shared_gateway  # noqa: F401 -- fixtures

EVERY = sorted(FAKES)
REFRESHED = [slug for slug in EVERY if slug != "github"]


@dataclass
class World:
    """A publisher, an endpoint that takes its tokens, and an agent that speaks for Ben through a connection."""

    fake: FakePublisher
    endpoint: Resource
    connection: Connection
    ben: Caller
    other_agent: Caller

    def consents(self, caller: Caller) -> Grant:
        """From the link that the agent got, through the publisher, to what is stored."""
        link = asked(ask(caller))["consent_link"]
        browser = Client()
        browser.force_login(caller.user)
        leaving = browser.post(urlsplit(link).path, {"decision": "continue"})
        back = httpx.get(leaving.context["address"])
        assert back.status_code == 302, back.text
        answer = browser.get(urlsplit(back.headers["location"]).path, query_of(back.headers["location"]))
        assert answer.status_code == 302 and answer.url.endswith("/done"), answer.url
        return again(Grant.objects.get(connection=self.connection, agent=caller.agent, user=caller.user))

    def expire(self, grant: Grant) -> None:
        """There, and here where the end is known."""
        self.fake.expire_access_tokens()
        if again(grant).expires_at:
            expire(grant)

    def access_tokens(self) -> set[str]:
        return {visit.token for visit in self.endpoint.visits}


@pytest.fixture
def world(request, shared_gateway, resource_of, monkeypatch) -> Iterator[World]:  # noqa: F811
    with running(FAKES[request.param]) as fake:
        monkeypatch.setitem(PUBLISHERS, fake.slug, record_at(fake))
        endpoint = resource_of(fake)
        fetched = agent_card.fetch([f"{endpoint.url}/.well-known/agent-card.json"])
        project = factories.make_project()
        agent = factories.make_agent(project)
        interfaces = agent_card.Card.of(fetched.card).interfaces(endpoint.url)
        of_endpoint = {"card": fetched.card, "interfaces": interfaces}
        connection = connection_to(fake, project, agent, endpoint.url, **of_endpoint)
        ben, _, _, other_agent = make_callers(Line(agent, factories.make_key(agent), connection))
        yield World(fake, endpoint, connection, ben, other_agent)


def with_each(*slugs: str):
    return pytest.mark.parametrize("world", slugs, indirect=True)


# The whole life


@with_each(*EVERY)
def test_the_whole_life_of_a_grant(world):
    grant = world.consents(world.ben)
    assert "octo-ben" in grant.account and set(grant.scopes_given) <= set(grant.asked.scopes)
    assert said(ask(world.ben)).startswith("octo-ben")
    if grant.refresh_token:
        _it_ends_and_is_renewed(world, grant)
        _a_refresh_fails_for_a_while(world, grant)
        _a_refused_token_is_renewed(world, grant)
    else:
        _it_lives_on(grant)
    _it_is_taken_back_there(world, grant)
    new = world.consents(world.ben)
    assert new.pk == grant.pk and said(ask(world.ben)).startswith("octo-ben")
    _it_is_disconnected_here(world, new)


def _it_ends_and_is_renewed(world: World, grant: Grant) -> None:
    before = grant.generation
    world.expire(grant)
    assert said(ask(world.ben)).startswith("octo-ben")
    grant = again(grant)
    assert grant.generation == before + 1 and grant.refresh_token
    known = world.fake.access_seconds or grant.asked.wire.expires_default
    life = timedelta(seconds=min(known, 30 * 24 * 3600)) if known else None
    assert (grant.expires_at is None) == (life is None)
    if life:
        assert abs(grant.expires_at - timezone.now() - life) < timedelta(minutes=1)


def _a_refresh_fails_for_a_while(world: World, grant: Grant) -> None:
    world.expire(grant)
    world.fake.next(bad.fails(503), at="refresh")
    assert refusal_of(ask(world.ben))[1] == "REFRESH_UNCERTAIN"
    assert again(grant).state == Grant.State.ACTIVE
    past_the_pause(grant)
    assert said(ask(world.ben)).startswith("octo-ben")


def _a_refused_token_is_renewed(world: World, grant: Grant) -> None:
    """The publisher ends the token early: only the endpoint's 401 tells."""
    before = len(world.endpoint.refusals)
    world.fake.expire_access_tokens()
    assert said(ask(world.ben)).startswith("octo-ben")
    assert world.endpoint.refusals[before:] == [401]


def _it_lives_on(grant: Grant) -> None:
    assert grant.expires_at is None and grants.ends(grant) is None


def _it_is_taken_back_there(world: World, grant: Grant) -> None:
    world.fake.kill()
    text = asked(ask(world.ben))["text"]
    reason = "refresh_token_ended" if grant.refresh_token else "access_token_refused"
    grant = again(grant)
    assert (grant.state, grant.reason) == (Grant.State.NEEDS_CONSENT, reason)
    assert CATALOGUE[reason].title in text
    assert not grant.access_token and not grant.refresh_token


def _it_is_disconnected_here(world: World, grant: Grant) -> None:
    browser, is_told = Client(), grant.asked.can_be_told
    browser.force_login(world.ben.user)
    address = f"/consents/{grant.id}/disconnect"
    words = "is told to cancel it" if is_told else "can't be told from here"
    assert words in text_of(browser.get(address))
    assert ("told to cancel" if is_told else "can't be told from here") in endings.at_providers([grant])[0]
    browser.post(address)
    assert again(grant).state == Grant.State.REVOKED
    told = Cancellation.objects.filter(connection_id=world.connection.id)
    assert told.exists() == is_told
    providers_are_told()
    assert not told.exclude(state=Cancellation.State.CONFIRMED).exists()
    if is_told:
        assert not any(world.fake.verify(token) for token in world.access_tokens())
    time.sleep(changes.FRESH_SECONDS)
    assert "The user has disconnected the agent." in asked(ask(world.ben))["text"]
    assert not any("access-" in call.query or "refresh-" in call.query for call in world.fake.received)


# What each is known for


@with_each(*REFRESHED)
def test_a_refresh_token_that_stays_is_kept_and_one_that_rotates_is_replaced(world):
    grant = world.consents(world.ben)
    for _ in range(3):
        world.expire(grant)
        assert said(ask(world.ben)).startswith("octo-ben")
    presented = [call.body["refresh_token"] for call in world.fake.calls("refresh")]
    assert len(presented) == 3 and len(set(presented)) == (3 if world.fake.rotates else 1)


@with_each("atlassian", "microsoft", "google", "salesforce", "figma")
def test_an_answer_that_is_lost_after_rotating_costs_nothing_where_the_old_token_is_taken_once_more(world):
    grant = world.consents(world.ben)
    world.expire(grant)
    world.fake.next(bad.drop(after_rotating=True), at="refresh")
    assert refusal_of(ask(world.ben))[1] == "REFRESH_UNCERTAIN"
    past_the_pause(grant)
    assert said(ask(world.ben)).startswith("octo-ben")


@with_each("slack", "atlassian")
def test_where_it_is_taken_no_more_the_user_is_asked_again_and_told_why(world):
    """Slack takes a refresh token once, Atlassian for ten minutes."""
    grant = world.consents(world.ben)
    world.expire(grant)
    world.fake.next(bad.drop(after_rotating=True), at="refresh")
    assert refusal_of(ask(world.ben))[1] == "REFRESH_UNCERTAIN"
    world.fake.later(601)
    past_the_pause(grant)
    asked(ask(world.ben))
    assert again(grant).reason == "interrupted_refresh"


@with_each(*EVERY)
def test_what_the_user_is_not_there_for_is_asked_by_nobody_twice(world):
    """A consent costs one code, one exchange, one look at the account."""
    world.consents(world.ben)
    assert [len(world.fake.calls(kind)) for kind in ("authorization", "code", "refresh", "userinfo")] == [1, 1, 0, 1]


@with_each("github", "slack", "microsoft", "salesforce", "google")
def test_a_wrong_client_secret_is_the_administrators_matter(world):
    """GitHub says so with 200, Slack with ok: false."""
    world.fake.replace_secrets()
    with pytest.raises(AssertionError, match="refused"):
        world.consents(world.ben)
    assert ConsentRequest.objects.get(connection=world.connection).error == "oauth_client_refused"
    assert Health.objects.get(connection=world.connection).reason == "oauth_client_refused"


@with_each("google")
def test_google_gives_a_refresh_token_again_only_where_consent_is_prompted_for(world, monkeypatch):
    assert world.consents(world.ben).refresh_token
    assert world.consents(world.other_agent).refresh_token, "the same account, a second time"
    record = PUBLISHERS["google"]
    monkeypatch.setitem(PUBLISHERS, "google", replace(record, authorize_params={"access_type": "offline"}))
    world.fake.kill()
    assert world.consents(world.ben).refresh_token, "the first time again"
    asked(ask(world.other_agent))
    assert not world.consents(world.other_agent).refresh_token


@with_each("microsoft")
def test_entra_may_want_the_person_again(world):
    grant = world.consents(world.ben)
    world.fake.wants_the_person = True
    world.expire(grant)
    asked(ask(world.ben))
    assert again(grant).reason == "refresh_token_ended"
    world.consents(world.ben)
    assert said(ask(world.ben)).startswith("octo-ben")


@with_each("microsoft")
def test_entra_gives_no_refresh_token_without_offline_access_and_the_reason_says_so(world, monkeypatch):
    """Why the record asks for it always, whatever a project ticks."""
    record = PUBLISHERS["microsoft"]
    assert "offline_access" in record.fixed_scopes
    monkeypatch.setitem(PUBLISHERS, "microsoft", replace(record, fixed_scopes=()))
    _asks_for(world, "User.Read")
    grant = world.consents(world.ben)
    assert not grant.refresh_token
    world.expire(grant)
    text = asked(ask(world.ben))["text"]
    assert again(grant).reason == "access_token_ended" and "The access has expired" in text


@with_each("microsoft")
def test_entra_gives_a_token_for_one_resource_alone(world):
    _asks_for(world, "User.Read", "api://reviews/Read", "offline_access")
    with pytest.raises(AssertionError, match="refused"):
        world.consents(world.ben)
    assert ConsentRequest.objects.get(connection=world.connection).error == "provider_refused_request"


def _asks_for(world: World, *scopes: str) -> None:
    world.connection.settings["scopes"] = list(scopes)
    with changes.announced():
        world.connection.save()
    time.sleep(changes.FRESH_SECONDS)


@with_each("salesforce")
def test_salesforce_says_no_end_and_the_daily_renewal_is_due(world, monkeypatch):
    """Where nobody knows the length of a session there, its end is met by a 401, as in the whole life above."""
    record = PUBLISHERS["salesforce"]
    monkeypatch.setitem(PUBLISHERS, "salesforce", replace(record, wire=replace(record.wire, expires_default=None)))
    grant = world.consents(world.ben)
    assert grant.expires_at is None
    assert timedelta(hours=23) < grant.refresh_due_at - timezone.now() < timedelta(days=1)


@with_each("google", "salesforce", "slack")
def test_a_token_that_is_dead_there_already_counts_as_cancelled(world):
    """Google and Salesforce call it an error, Slack revokes what is already revoked."""
    grant = world.consents(world.ben)
    said(ask(world.ben))
    world.fake.kill()
    assert grants.revoke(grant, world.ben.user) is True
    providers_are_told()
    assert Cancellation.objects.get(connection_id=world.connection.id).state == Cancellation.State.CONFIRMED


@with_each("slack")
def test_slack_can_t_be_told_of_a_token_that_has_expired(world):
    grant = world.consents(world.ben)
    world.fake.expire_access_tokens()
    assert grants.revoke(grant, world.ben.user) is True
    providers_are_told()
    assert Cancellation.objects.get(connection_id=world.connection.id).state == Cancellation.State.GIVEN_UP


def test_every_record_names_a_way_of_cancelling_that_exists():
    for record in PUBLISHERS.values():
        assert record.wire.revocation in {"", *WAYS}
        assert bool(record.revocation_url) == bool(record.wire.revocation), record.slug
