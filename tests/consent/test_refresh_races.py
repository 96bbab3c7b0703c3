"""Refreshes by many processes, and by ones that freeze, die or lose their database in the middle (F01-F03, F09)."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
from django.db import connection as database
from django.utils import timezone

from consent import events, grants
from consent.models import Grant
from portal.audit.models import LogRow
from tests.consent import making
from tests.consent.given import again, expire, give, providers_are_told
from tests.consent.workers import NAME, workers
from tests.fakes.misbehaviour import Held, slow
from tests.gateway.second import Door

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
ROUNDS = 4
SHORT = {"lease": 4, "deadline": 2}
State = Grant.State


@pytest.fixture
def given(project, release_bot, ben):
    """A new expired grant at this provider."""

    def at(provider) -> Grant:
        grant = give(making.connection_to(provider, project, release_bot), release_bot, ben)
        expire(grant)
        return again(grant)

    return at


def test_64_callers_in_4_processes_make_one_request_and_the_grant_lives(provider, given):
    """A provider without any grace, at which a second use of a refresh token ends the grant."""
    octo = provider(grace_seconds=0)
    grant, began = given(octo), None
    with workers(4) as four:
        began = time.monotonic()
        for number in range(1, ROUNDS + 1):
            expire(grant)
            octo.next(slow(0.3), at="refresh")
            for each in four:
                each.order(grant, times=16)
            results = [result for each in four for result in each.results()]

            assert len(results) == 64
            assert len(octo.refreshes()) == number
            [[kind, generation, token]] = {tuple(result) for result in results}
            assert (kind, generation) == ("token", again(grant).generation)
            assert octo.verify(token)["sub"] == "octo-ben"
    assert time.monotonic() - began < 20
    assert octo.reused() == set()
    assert len(octo.living_approvals()) == 1
    assert LogRow.objects.filter(event=events.REFRESHED.tag).count() == ROUNDS


def test_a_worker_that_dies_before_the_commit_leaves_a_named_state_within_20_seconds(provider, given):
    """With a grace the next caller gets a token, without one a clear reason. Both at once, for each takes a lease."""
    kind, harsh = provider(grace_seconds=30), provider(grace_seconds=0)
    saved, lost = given(kind), given(harsh)
    with workers(2, dies="after the answer") as (first, second):
        first.order(saved)
        second.order(lost)
        for each in (first, second):
            each.process.wait(10)
    free_at = again(saved).lease_until
    assert (free_at - timezone.now()).total_seconds() < 20
    assert [len(each.refreshes()) for each in (kind, harsh)] == [1, 1]
    callers = [_Caller(saved), _Caller(lost)]
    time.sleep(1)
    assert all(caller.is_alive() for caller in callers), "nobody asks while the lease may still be held"
    for caller in callers:
        caller.join(25)

    assert (timezone.now() - free_at).total_seconds() < 3
    recovered, ended = (caller.result for caller in callers)
    assert kind.verify(recovered.value.reveal())["sub"] == "octo-ben"
    assert again(saved).state == State.ACTIVE
    assert (type(ended), ended.reason) == (grants.NeedsConsent, "interrupted_refresh")
    wiped = again(lost)
    assert (wiped.state, wiped.reason, wiped.refresh_token) == (State.NEEDS_CONSENT, "interrupted_refresh", "")


class _Caller(threading.Thread):
    """One call in this process; `result` is the token or what was raised."""

    def __init__(self, grant: Grant) -> None:
        super().__init__(daemon=True)
        self._grant = again(grant)
        self.result = None
        self.start()

    def run(self) -> None:
        try:
            self.result = grants.fresh_token(self._grant)
        except Exception as error:
            self.result = error
        finally:
            database.close()


def test_a_process_frozen_before_it_sends_does_not_send_what_another_has_sent(provider, given):
    octo = provider(grace_seconds=0)
    grant = given(octo)
    with workers(freezes="before the send", **SHORT) as [zombie]:
        zombie.order(grant)
        zombie.wait_until_frozen()
        assert octo.refreshes() == []
        time.sleep(SHORT["lease"])
        assert again(grant).was_interrupted

        taken_over = grants.fresh_token(again(grant))
        zombie.thaw()
        [result] = zombie.results()

    assert result == ["token", taken_over.generation, taken_over.value.reveal()]
    assert len(octo.refreshes()) == 1
    assert octo.verify(taken_over.value.reveal())


def test_a_process_frozen_before_it_commits_changes_nothing_that_another_has_kept(provider, given):
    octo = provider(grace_seconds=30)
    grant = given(octo)
    with workers(freezes="after the answer", **SHORT) as [zombie]:
        zombie.order(grant)
        zombie.wait_until_frozen()
        taken_over = grants.fresh_token(again(grant))
        kept = Grant.objects.values().get()
        zombie.thaw()
        [result] = zombie.results()

    assert result == ["token", taken_over.generation, taken_over.value.reveal()]
    assert Grant.objects.values().get() == kept
    assert LogRow.objects.filter(event=events.REFRESH_DISCARDED.tag).count() == 1
    assert octo.calls("revoke") == [], "revoking the late tokens would have ended the others of their family"
    assert octo.verify(taken_over.value.reveal())


def test_what_a_frozen_process_brings_after_the_grant_was_lost_is_revoked(provider, given):
    octo = provider(grace_seconds=0)
    grant = given(octo)
    with workers(freezes="after the answer", **SHORT) as [zombie]:
        zombie.order(grant)
        zombie.wait_until_frozen()
        with pytest.raises(grants.NeedsConsent, match="interrupted_refresh"):
            grants.fresh_token(again(grant))
        zombie.thaw()
        [result] = zombie.results()

    assert result == ["consent", "interrupted_refresh"]
    assert again(grant).access_token == ""
    providers_are_told()
    assert len(octo.calls("revoke")) == 2
    assert octo.living_approvals() == []


def test_a_frozen_process_whose_place_nobody_took_keeps_what_it_got(provider, given):
    octo = provider(grace_seconds=0)
    grant = given(octo)
    with workers(freezes="after the answer", **SHORT) as [zombie]:
        zombie.order(grant)
        zombie.wait_until_frozen()
        time.sleep(SHORT["lease"] + 0.2)
        zombie.thaw()
        [[kind, generation, token]] = zombie.results()

    assert (kind, generation) == ("token", again(grant).generation)
    assert grants.fresh_token(again(grant)).value.reveal() == token
    assert len(octo.refreshes()) == 1


# The database


def test_a_database_that_is_lost_between_answer_and_commit_costs_nobody_the_grant(provider, given):
    octo = provider(grace_seconds=0)
    grant, held = given(octo), Held()
    octo.next(held, at="refresh")
    with workers() as [worker]:
        worker.order(grant)
        assert held.reached.wait(10)
        assert _cut_all() >= 1
        held.release()
        [[kind, generation, token]] = worker.results()

    kept = again(grant)
    assert (kind, generation, kept.state) == ("token", kept.generation, State.ACTIVE)
    assert grants.fresh_token(kept).value.reveal() == token
    assert octo.verify(token)
    assert len(octo.refreshes()) == 1


def test_a_commit_whose_answer_was_lost_is_recognised_as_ones_own(provider, given):
    """Else what was just stored would look like another's, and be revoked at the provider."""
    octo = provider(grace_seconds=0)
    grant = given(octo)
    door = _DeafDoor()
    with contextlib.closing(door), workers(door=door) as [worker], _slow_commits():
        worker.order(grant)
        _wait_until(lambda: _under_way("UPDATE%consent_grant%access_token%"))
        door.lose_answers()
        _wait_until(lambda: again(grant).generation > grant.generation)
        door.cut()
        [[kind, generation, token]] = worker.results()

    kept = again(grant)
    assert (kind, generation) == ("token", kept.generation) == ("token", grant.generation + 1)
    assert grants.fresh_token(kept).value.reveal() == token
    assert octo.verify(token)
    assert octo.calls("revoke") == []
    assert not LogRow.objects.filter(event=events.REFRESH_DISCARDED.tag).exists()


class _DeafDoor(Door):
    """Lets requests through to the database, and loses the answers when told to."""

    def __init__(self) -> None:
        self._loses = False
        super().__init__()

    def lose_answers(self) -> None:
        self._loses = True

    def cut(self) -> None:
        """Every connection through the door breaks; new ones work."""
        self._loses = False
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _pump(self, source, target) -> None:
        # Each connection stands in the list as (the process's side, the database's side).
        brings_answers = source in self._sockets[1::2]
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                if not (brings_answers and self._loses):
                    target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def _slow_commits() -> Iterator[None]:
    """Keeping new tokens takes half a second, long enough to come between."""
    table = Grant._meta.db_table
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION take_time() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER take_time BEFORE UPDATE ON {table} FOR EACH ROW "
            "WHEN (NEW.generation > OLD.generation) EXECUTE FUNCTION take_time()"
        )
    try:
        yield
    finally:
        with database.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER take_time ON {table}")
            cursor.execute("DROP FUNCTION take_time()")


def _cut_all() -> int:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = %s", [NAME]
        )
        return cursor.fetchone()[0]


def _under_way(pattern: str) -> bool:
    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND state = 'active' AND query LIKE %s",
            [NAME, pattern],
        )
        return cursor.fetchone()[0] > 0


def _wait_until(holds) -> None:
    until = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.01)
