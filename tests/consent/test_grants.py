"""What becomes of a user's tokens: refreshed when due, kept whatever the provider answers, never sent elsewhere."""

import contextlib
import threading
import time
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from connections import secrets
from connections.methods import method_of
from connections.methods.base import Caller, ConsentRequired, CredentialUnavailable
from connections.models import Connection, Given, Health
from consent import events, grants, leases, oauth2
from consent.models import ConsentRequest, Grant
from portal.audit.models import LogRow
from tests import factories
from tests.consent import making
from tests.consent.given import again, expire, give, past_the_pause, providers_are_told
from tests.fakes import misbehaviour as bad
from tests.fakes.hostile_tokens import HOSTILE_TOKENS
from tests.fakes.misbehaviour import Held

TOKEN_COLUMNS = ("access_token", "refresh_token", "expires_at", "scopes_given", "generation", "state", "given_at")
State = Grant.State


@pytest.fixture
def grant(connected, release_bot, ben) -> Grant:
    return again(give(connected, release_bot, ben))


def soon(grant: Grant) -> Grant:
    """So close to its end that a refresh is due, while the old token still lives."""
    expire(grant, seconds=-20)
    return again(grant)


def dead(grant: Grant) -> Grant:
    expire(grant)
    return again(grant)


def columns(grant: Grant) -> dict:
    return Grant.objects.values(*TOKEN_COLUMNS).get(pk=grant.pk)


def reasons(event) -> list[str]:
    return list(LogRow.objects.filter(event=event.tag).order_by("id").values_list("reason", flat=True))


def account_of(provider, token: grants.AccessToken) -> str:
    return provider.verify(token.value.reveal())["sub"]


# While all goes well


def test_what_was_given_is_what_is_used(github, grant):
    token = grants.fresh_token(grant)

    assert account_of(github, token) == "octo-ben"
    assert grant.account == "octo-ben"
    assert grant.scopes_given == ["reviews:read", "reviews:comment"]
    assert token.generation == grant.generation
    assert github.refreshes() == []


def test_no_token_stands_in_the_row_or_in_the_log(github, grant):
    token = grants.fresh_token(dead(grant)).value.reveal()

    stored = str(list(Grant.objects.values())) + str(list(LogRow.objects.values()))
    assert token not in stored
    [call] = github.refreshes()
    assert call.form["refresh_token"] not in stored


def test_a_token_that_is_about_to_end_is_refreshed_on_the_way(github, grant):
    before = columns(grant)
    token = grants.fresh_token(soon(grant))

    kept = again(grant)
    assert account_of(github, token) == "octo-ben"
    assert (kept.generation, token.generation) == (before["generation"] + 1,) * 2
    assert kept.refresh_token != before["refresh_token"]
    assert kept.expires_at > timezone.now() + timedelta(seconds=200)
    assert kept.refreshed_at is not None
    assert (kept.lease_by, kept.lease_until) == (None, None)
    assert grants.fresh_token(kept).value.reveal() == token.value.reveal()
    assert len(github.refreshes()) == 1
    assert LogRow.objects.filter(event=events.REFRESHED.tag, on_behalf_of_id=grant.user_id).count() == 1


def test_an_absent_new_refresh_token_keeps_the_old_one(provider, project, release_bot, ben):
    octo = provider(rotates=False)
    grant = give(making.connection_to(octo, project, release_bot), release_bot, ben)
    before = columns(grant)["refresh_token"]

    for _ in range(2):
        assert account_of(octo, grants.fresh_token(dead(grant))) == "octo-ben"
    assert columns(grant)["refresh_token"] == before
    assert len(octo.refreshes()) == 2


def test_scopes_that_the_provider_narrowed_are_recorded(github, grant):
    github.next(bad.changed(scope="reviews:read"), at="refresh")
    grants.fresh_token(dead(grant))

    assert again(grant).scopes_given == ["reviews:read"]


def test_not_said_is_not_for_ever(github, grant):
    github.next(bad.without("expires_in"), at="refresh")
    grants.fresh_token(dead(grant))
    grants.fresh_token(again(grant))
    assert len(github.refreshes()) == 1

    Grant.objects.update(refreshed_at=timezone.now() - timedelta(days=1, seconds=1))
    grants.fresh_token(again(grant))

    assert len(github.refreshes()) == 2


def test_a_token_without_a_refresh_token_serves_to_its_very_end(github, connected, release_bot, ben):
    github.next(bad.without("refresh_token"), at="code")
    grant = again(give(connected, release_bot, ben))
    assert grants.fresh_token(soon(grant)).value
    assert grants.ends(again(grant)) is not None

    with pytest.raises(grants.NeedsConsent, match="access_token_ended"):
        grants.fresh_token(dead(grant))

    ended = again(grant)
    assert (ended.state, ended.reason) == (State.NEEDS_CONSENT, "access_token_ended")
    assert (ended.access_token, ended.refresh_token) == ("", "")
    assert github.refreshes() == []


# When the provider fails


@pytest.mark.parametrize("name", HOSTILE_TOKENS)
def test_a_hostile_answer_leaves_the_grant_as_it_was(github, grant, name):
    due = soon(grant)
    before = columns(grant)
    github.next(HOSTILE_TOKENS[name], at="refresh")

    assert account_of(github, grants.fresh_token(due)) == "octo-ben"

    assert columns(grant) == before
    assert again(grant).refresh_error == "refresh_uncertain"
    assert reasons(events.REFRESH_FAILED) == ["refresh_uncertain"]


FAILURES = [
    (bad.too_many("7"), "provider_unavailable", 7),
    (bad.too_many(""), "provider_unavailable", 30),
    (bad.refuses("temporarily_unavailable", 503), "provider_unavailable", 30),
    (bad.fails(500), "refresh_uncertain", 5),
    (bad.fails(503, retry_after="90"), "refresh_uncertain", 90),
    (bad.drop(after_rotating=False), "refresh_uncertain", 5),
    (bad.refuses("invalid_client", 401), "oauth_client_refused", 30),
    (bad.refuses("unauthorized_client"), "oauth_client_refused", 30),
    (bad.refuses("invalid_scope"), "provider_refused_request", 30),
    (bad.fails(404), "provider_refused_request", 30),
]


@pytest.mark.parametrize(("fault", "code", "pause"), FAILURES)
def test_a_failure_that_passes_lets_the_old_token_serve_while_it_lives(github, grant, fault, code, pause):
    due, before, began = soon(grant), columns(grant), timezone.now()
    stale = again(grant)
    github.next(fault, at="refresh")

    for caller in (due, stale, again(grant), again(grant)):
        assert account_of(github, grants.fresh_token(caller)) == "octo-ben"

    failed = again(grant)
    assert columns(grant) == {**before, "expires_at": failed.expires_at}
    assert (failed.refresh_error, failed.refresh_failures, failed.lease_by) == (code, 1, None)
    assert pause - 1 <= (failed.retry_at - began).total_seconds() <= pause * 1.2 + 2
    assert len(github.refreshes()) == 1, "the provider is left alone until the pause is over"
    assert reasons(events.REFRESH_FAILED) == [code]


@pytest.mark.parametrize(("fault", "code", "pause"), FAILURES)
def test_a_failure_that_passes_is_told_once_the_old_token_is_dead(github, grant, fault, code, pause):
    due, stale = dead(grant), again(grant)
    github.next(fault, at="refresh")

    for caller in (due, stale, again(grant)):
        with pytest.raises(CredentialUnavailable, match=code):
            grants.fresh_token(caller)

    assert again(grant).state == State.ACTIVE
    assert len(github.refreshes()) == 1
    past_the_pause(grant)
    assert account_of(github, grants.fresh_token(again(grant))) == "octo-ben"
    healed = again(grant)
    assert (healed.refresh_error, healed.refresh_failures, healed.retry_at) == ("", 0, None)


def test_the_pause_grows_with_each_failure_in_a_row(github, grant):
    dead(grant)
    github.always(bad.fails(502), at="refresh")
    pauses = []
    for _ in range(9):
        with pytest.raises(CredentialUnavailable):
            grants.fresh_token(again(grant))
        pauses.append((again(grant).retry_at - timezone.now()).total_seconds())
        past_the_pause(grant)

    assert pauses[0] < 7
    assert all(later > earlier * 1.5 for earlier, later in zip(pauses[:6], pauses[1:6], strict=False))
    assert max(pauses) <= leases.LONGEST_BACKOFF * 1.2
    assert again(grant).state == State.ACTIVE, "an outage of the provider costs nobody their grant"


@pytest.mark.parametrize(
    "fault", [bad.refuses("invalid_grant"), bad.refuses_with_200("bad_refresh_token"), bad.not_ok("token_revoked")]
)
def test_a_dead_refresh_token_needs_consent_and_leaves_no_tokens(github, grant, fault):
    github.next(fault, at="refresh")

    with pytest.raises(grants.NeedsConsent, match="refresh_token_ended"):
        grants.fresh_token(dead(grant))

    ended = again(grant)
    assert (ended.state, ended.reason, ended.access_token, ended.refresh_token) == (
        State.NEEDS_CONSENT, "refresh_token_ended", "", "",
    )  # fmt: skip
    assert reasons(events.ENDED) == ["refresh_token_ended"]
    with pytest.raises(grants.NeedsConsent, match="refresh_token_ended"):
        grants.fresh_token(again(grant))
    assert len(github.refreshes()) == 1


def test_a_refused_app_registration_marks_the_connection_and_keeps_every_grant(github, grant, chloe):
    other = again(give(grant.connection, grant.agent, chloe, "octo-chloe"))
    github.next(*[bad.refuses("invalid_client", 401)] * 2, at="refresh")
    for each in (grant, other):
        with pytest.raises(CredentialUnavailable, match="oauth_client_refused"):
            grants.fresh_token(dead(each))

    health = Health.objects.get(connection=grant.connection)
    assert (health.state, health.reason) == (Health.State.FAILING, "oauth_client_refused")
    assert {again(each).state for each in (grant, other)} == {State.ACTIVE}

    past_the_pause(grant)
    assert grants.fresh_token(again(grant))
    health.refresh_from_db()
    assert (health.state, health.reason) == (Health.State.NOT_CHECKED, "")


def test_what_a_test_of_the_connection_found_is_not_taken_away_by_a_refresh(grant):
    Health.objects.create(connection=grant.connection, state=Health.State.FAILING, reason="endpoint_not_found")
    grants.fresh_token(dead(grant))

    assert Health.objects.get().reason == "endpoint_not_found"


# When nobody knows


def uncertain(github, grant) -> Grant:
    """The provider rotated, and the answer was lost."""
    github.next(bad.drop(after_rotating=True), at="refresh")
    grants.fresh_token(soon(grant))
    past_the_pause(grant)
    return again(grant)


def test_an_uncertain_refresh_is_not_tried_again_while_the_old_token_lives(github, grant):
    uncertain(github, grant)

    for _ in range(3):
        assert account_of(github, grants.fresh_token(again(grant))) == "octo-ben"
    assert len(github.refreshes()) == 1


def test_after_the_old_token_ended_one_replay_within_the_grace_recovers(provider, project, release_bot, ben):
    octo = provider(grace_seconds=30)
    grant = again(give(making.connection_to(octo, project, release_bot), release_bot, ben))
    uncertain(octo, grant)

    assert account_of(octo, grants.fresh_token(dead(grant))) == "octo-ben"

    assert len(octo.refreshes()) == 2
    assert again(grant).refresh_error == ""


def test_without_a_grace_the_replay_ends_it_with_a_clear_reason(github, grant):
    uncertain(github, grant)

    with pytest.raises(grants.NeedsConsent, match="interrupted_refresh"):
        grants.fresh_token(dead(grant))

    assert again(grant).reason == "interrupted_refresh"
    assert len(github.refreshes()) == 2


def test_what_was_uncertain_stays_so_through_other_failures(github, grant):
    uncertain(github, grant)
    github.next(bad.too_many("1"), at="refresh")
    with pytest.raises(CredentialUnavailable):
        grants.fresh_token(dead(grant))
    past_the_pause(grant)

    with pytest.raises(grants.NeedsConsent, match="interrupted_refresh"):
        grants.fresh_token(again(grant))


# When the endpoint refuses


def test_a_token_that_the_endpoint_refused_is_renewed_once_for_all_who_hold_it(github, grant):
    refused = grants.fresh_token(grant)
    stale = again(grant)

    renewed = grants.fresh_token(again(grant), beyond=refused.generation)
    other = grants.fresh_token(stale, beyond=refused.generation)

    assert renewed.generation == other.generation == refused.generation + 1
    assert renewed.value.reveal() == other.value.reveal() != refused.value.reveal()
    assert len(github.refreshes()) == 1


def test_a_refused_token_does_not_serve_while_the_provider_is_down(github, grant):
    refused = grants.fresh_token(grant)
    github.next(bad.too_many("60"), at="refresh")

    for _ in range(2):
        with pytest.raises(CredentialUnavailable, match="provider_unavailable"):
            grants.fresh_token(again(grant), beyond=refused.generation)
    assert len(github.refreshes()) == 1
    assert grants.fresh_token(again(grant)).generation == refused.generation


def test_a_refused_token_without_a_refresh_token_needs_consent(github, connected, release_bot, ben):
    github.next(bad.without("refresh_token"), at="code")
    grant = again(give(connected, release_bot, ben))

    with pytest.raises(grants.NeedsConsent, match="access_token_refused"):
        grants.fresh_token(grant, beyond=grant.generation)


# What is missing on our side


def test_a_missing_client_secret_lets_the_old_token_serve_and_is_no_interruption(github, grant):
    secrets.clear(grant.connection, "client_secret")

    assert account_of(github, grants.fresh_token(soon(grant))) == "octo-ben"
    with pytest.raises(CredentialUnavailable, match="secret_missing"):
        grants.fresh_token(dead(grant))

    kept = again(grant)
    assert (kept.state, kept.lease_by, kept.was_interrupted) == (State.ACTIVE, None, False)
    assert github.refreshes() == []


# Where a token may go (T01, T21)

MOVES = ["endpoint", "interfaces", "token_url", "refresh_url", "revocation_url", "client_id"]


def move(connection: Connection, what: str, origin: str) -> Connection:
    """Changed past the pages, which would have ended the grants themselves."""
    if what == "endpoint":
        connection.endpoint = f"{origin}/agent"
    elif what == "interfaces":
        connection.interfaces = [*connection.interfaces, {"url": f"{origin}/a", "binding": "JSONRPC", "version": "0.3"}]
    else:
        connection.settings[what] = f"{origin}/{what}"
    connection.save()
    return Connection.objects.get(pk=connection.pk)


@pytest.mark.parametrize("what", MOVES)
@pytest.mark.parametrize("age", [dead, soon, again])
def test_a_token_is_never_sent_where_it_was_not_given_for(github, provider, grant, what, age):
    elsewhere = provider()
    age(grant)
    moved = move(grant.connection, what, elsewhere.at.origin)

    with pytest.raises(grants.NeedsConsent, match="address_changed"):
        grants.fresh_token(again(grant))
    with pytest.raises(grants.NeedsConsent, match="address_changed"):
        grants.token_at_hand(again(grant))

    _reseal_the_client_secret(moved)
    with pytest.raises(ConsentRequired) as asked:
        method_of(moved).credential(moved, Caller(grant.agent, grant.user))
    assert asked.value.consent.reason == "address_changed"
    request = ConsentRequest.objects.get(pk=asked.value.consent.id)
    assert elsewhere.at.origin in str(request.terms)
    assert method_of(moved).consent_state(moved, Caller(grant.agent, grant.user))[0] == "consent_required"
    assert (elsewhere.received, github.refreshes()) == ([], [])


def _reseal_the_client_secret(connection: Connection) -> None:
    """As an administrator does, who enters it again."""
    addresses = method_of(connection).addresses(connection, "client_secret")
    secrets.store(connection, secrets.NewSecret("client_secret", 0, "", making.CLIENT_SECRET), addresses, by=None)


def test_a_call_admitted_to_the_old_address_gets_no_token_for_the_new_one(github, grant, provider):
    """The gateway may have looked the connection up a moment before it was changed and consented to again."""
    looked_up = Connection.objects.get(pk=grant.connection_id)
    moved = move(grant.connection, "endpoint", provider().at.origin)
    give(moved, grant.agent, grant.user)

    for ask in (method_of(looked_up).credential, method_of(looked_up).prepared):
        with pytest.raises(CredentialUnavailable):
            ask(looked_up, Caller(grant.agent, grant.user))


def test_a_client_secret_is_not_sent_to_an_address_that_it_was_not_entered_for(github, provider, grant):
    elsewhere = provider()
    moved = move(grant.connection, "token_url", elsewhere.at.origin)

    with pytest.raises(CredentialUnavailable, match="oauth_not_finished"):
        method_of(moved).credential(moved, Caller(grant.agent, grant.user))
    assert elsewhere.received == []


def test_a_grant_is_revoked_at_the_address_that_it_was_given_under(provider, project, release_bot, ben):
    octo, elsewhere = provider(), provider()
    grant = _public(octo, project, release_bot, ben)
    move(grant.connection, "revocation_url", elsewhere.at.origin)

    assert grants.revoke(again(grant), ben) is True
    providers_are_told()
    assert len(octo.calls("revoke")) == 2
    assert elsewhere.received == []


def _public(octo, project, agent, user) -> Grant:
    connection = making.connection_to(octo, project, agent)
    client = octo.register(f"http://localhost:8000/consent/callback/{connection.id}", auth_method="none")
    connection.settings |= {"client_id": client.client_id, "client_auth": "none"}
    connection.save()
    return again(give(connection, agent, user))


# What somebody did in the database (T33)

SWAPS = {
    "access tokens": "UPDATE {t} a SET access_token = b.access_token FROM {t} b WHERE a.id <> b.id",
    "refresh tokens": "UPDATE {t} a SET refresh_token = b.refresh_token FROM {t} b WHERE a.id <> b.id",
    "the fields": "UPDATE {t} SET access_token = refresh_token, refresh_token = access_token",
    "the people": "UPDATE {t} a SET user_id = b.user_id FROM {t} b WHERE a.id <> b.id",
    "the endpoint": "UPDATE {t} SET terms = jsonb_set(terms, '{{endpoints}}', '[\"https://evil.example/a2a\"]')",
    "the token URL": "UPDATE {t} SET terms = jsonb_set(terms, '{{token_url}}', '\"https://evil.example/token\"')",
}


@pytest.mark.parametrize("name", SWAPS)
def test_sealed_values_that_were_moved_do_not_open(github, grant, chloe, name):
    agent = factories.make_agent(grant.connection.project)
    Given.objects.create(connection=grant.connection, agent=agent)
    other = give(grant.connection, agent, chloe, "octo-chloe")
    with database.cursor() as cursor:
        cursor.execute(SWAPS[name].format(t=Grant._meta.db_table))
    expire(*([grant, other] if name == "refresh tokens" else []))
    before = len(github.received)

    for each in (grant, other):
        with pytest.raises(grants.NeedsConsent, match="token_unreadable|address_changed"):
            grants.fresh_token(again(each))
    assert len(github.received) == before


# Taking it back


def test_revoking_ends_it_here_and_at_the_provider(github, grant, ben):
    token = grants.fresh_token(grant).value.reveal()

    assert grants.revoke(grant, ben) is True

    ended = again(grant)
    assert (ended.state, ended.reason) == (State.REVOKED, "disconnected_by_user")
    assert (ended.access_token, ended.refresh_token) == ("", "")
    providers_are_told()
    assert github.verify(token) is None
    assert github.living_approvals() == []
    told = [call.form["token_type_hint"] for call in github.calls("revoke")]
    assert told == ["refresh_token", "access_token"]
    with pytest.raises(grants.NeedsConsent, match="disconnected_by_user"):
        grants.fresh_token(again(grant))
    assert grants.revoke(grant, ben) is False
    providers_are_told()
    assert len(github.calls("revoke")) == 2


def test_revoking_without_a_revocation_url_says_that_nobody_was_told(provider, project, release_bot, ben):
    octo = provider()
    connection = making.connection_to(octo, project, release_bot, settings={"revocation_url": ""})
    grant = give(connection, release_bot, ben)

    assert grants.revoke(grant, ben) is False
    assert again(grant).state == State.REVOKED
    assert octo.calls("revoke") == []


def test_consent_given_again_takes_the_place_of_what_was_there(github, grant, ben):
    grants.revoke(grant, ben)
    new = again(give(grant.connection, grant.agent, ben, "octo-chloe"))

    assert (new.pk, new.state, new.reason, new.account) == (grant.pk, State.ACTIVE, "", "octo-chloe")
    assert account_of(github, grants.fresh_token(new)) == "octo-chloe"
    assert new.generation > again(grant).generation - 1


class Elsewhere(threading.Thread):
    """A refresh in another thread, held at the provider; `result` is a token or what was raised."""

    def __init__(self, grant: Grant, beyond: int | None = None) -> None:
        super().__init__(daemon=True)
        self._grant, self._beyond = again(grant), beyond
        self.result = None

    def run(self) -> None:
        try:
            self.result = grants.fresh_token(self._grant, self._beyond)
        except Exception as error:
            self.result = error
        finally:
            database.close()


@contextlib.contextmanager
def held_refresh(provider, grant):
    """The provider has rotated and keeps its answer back; after the block it comes, and the thread has ended."""
    held = Held()
    provider.next(held, at="refresh")
    thread = Elsewhere(dead(grant))
    thread.start()
    assert held.reached.wait(5)
    yield thread
    held.release()
    thread.join(5)
    assert not thread.is_alive()


@pytest.mark.django_db(transaction=True)
class TestDuringARefresh:
    def test_revoking_leaves_nothing_usable(self, github, grant, ben):
        with held_refresh(github, grant) as thread:
            assert grants.revoke(grant, ben) is True

        assert isinstance(thread.result, grants.NeedsConsent)
        assert thread.result.reason == "disconnected_by_user"
        ended = again(grant)
        assert (ended.state, ended.access_token, ended.refresh_token) == (State.REVOKED, "", "")
        providers_are_told()
        assert github.living_approvals() == []
        tokens = github.server.store.access_tokens.values()
        assert all(token.is_revoked() or token.is_expired() for token in tokens)
        told = {call.form["token"] for call in github.calls("revoke")}
        late = [call.form["refresh_token"] for call in github.refreshes()]
        assert len(told) == 4, "those that were stored, and those that came late"
        assert set(late) <= told
        assert LogRow.objects.filter(event=events.REFRESH_DISCARDED.tag).count() == 1

    def test_consent_given_again_is_not_harmed_by_the_late_answer(self, github, grant, ben):
        with held_refresh(github, grant) as thread:
            grants.revoke(grant, ben)
            told = len(github.calls("revoke"))
            new = give(grant.connection, grant.agent, ben)

        assert account_of(github, grants.fresh_token(again(new))) == "octo-ben"
        assert thread.result.generation == new.generation
        assert len(github.calls("revoke")) == told

    def test_a_changed_address_ends_it_and_the_late_answer_is_dropped(self, github, grant):
        before = columns(grant)
        with held_refresh(github, grant) as thread:
            move(grant.connection, "endpoint", "http://127.0.0.1:9")

        # Kept: sealed to the old addresses, and never used again.
        assert columns(grant)["generation"] == before["generation"] + 1
        with pytest.raises(grants.NeedsConsent, match="address_changed"):
            grants.fresh_token(again(grant))
        assert isinstance(thread.result, grants.AccessToken | grants.NeedsConsent)

    def test_a_deleted_connection_is_no_accident(self, github, grant):
        with held_refresh(github, grant) as thread:
            grant.connection.delete()

        assert isinstance(thread.result, CredentialUnavailable)
        assert not Grant.objects.exists()

    def test_whoever_was_refused_waits_for_the_one_that_asks(self, github, grant):
        held = Held()
        github.next(held, at="refresh")
        threads = [Elsewhere(grant, beyond=grant.generation) for _ in range(3)]
        for thread in threads:
            thread.start()
        assert held.reached.wait(5)
        time.sleep(0.3)
        assert all(thread.is_alive() for thread in threads)
        held.release()
        for thread in threads:
            thread.join(5)

        assert len({thread.result.value.reveal() for thread in threads}) == 1
        assert {thread.result.generation for thread in threads} == {grant.generation + 1}
        assert len(github.refreshes()) == 1

    def test_others_use_the_old_token_while_it_lives(self, github, grant):
        held = Held()
        github.next(held, at="refresh")
        thread = Elsewhere(soon(grant))
        thread.start()
        assert held.reached.wait(5)
        try:
            assert account_of(github, grants.fresh_token(again(grant))) == "octo-ben"
        finally:
            held.release()
            thread.join(5)
        assert isinstance(thread.result, grants.AccessToken)


def test_the_deadline_of_the_call_is_shorter_than_the_lease():
    assert leases.LEASE.total_seconds() <= 20
    assert leases.LEASE.total_seconds() > oauth2.DEADLINE + leases.TO_SEND
