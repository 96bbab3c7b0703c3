"""One request for one token, whoever asks at the same time, and whoever dies meanwhile."""

import time

import pytest
from django.db import connection as database
from django.db.models import F
from django.utils import timezone

from portal.identities.models import IdentityToken
from tests.consent.workers import Worker, workers
from tests.fakes.misbehaviour import Held, fails, slow
from tests.identities.giving import AT, HR

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]

ROUNDS = 3
SHORT = {"lease": 3, "deadline": 2}


class TokenWorker(Worker):
    module = "tests.identities.worker"

    def order(self, identity, times: int = 1) -> None:
        self.tell(identity=str(identity.pk), audience=HR, addresses=AT, times=times)


def grow_older(seconds: int) -> None:
    moved = timezone.timedelta(seconds=seconds)
    IdentityToken.objects.update(obtained_at=F("obtained_at") - moved, expires_at=F("expires_at") - moved)


def test_64_callers_in_4_processes_ask_for_one_token(agent, microsoft):
    """First on an empty cache, then when the token has ended and Entra signs with another key."""
    with workers(4, kind=TokenWorker) as four:
        for number in range(1, ROUNDS + 1):
            microsoft.next(slow(0.3), at="step 1")
            for each in four:
                each.order(agent, times=16)
            results = [result for each in four for result in each.results()]

            assert len(results) == 64
            assert len(microsoft.requests(1)) == len(microsoft.requests(2)) == number
            [[kind, generation, token]] = {tuple(result) for result in results}
            assert (kind, generation) == ("token", number)
            assert microsoft.verify(token)["aud"] == HR
            grow_older(7200)
            microsoft.rotate()


def test_64_callers_share_one_refusal(agent, microsoft):
    """Who comes while Entra is asked waits for its answer; nobody asks again for as long as it said."""
    microsoft.always(fails(503, retry_after="60"))
    with workers(4, kind=TokenWorker) as four:
        for each in four:
            each.order(agent, times=16)
        results = [tuple(result) for each in four for result in each.results()]
    assert set(results) == {("unavailable", "entra_busy")} and len(results) == 64
    assert len(microsoft.requests()) == 1


@pytest.mark.parametrize("step", ["step 1", "step 2"])
def test_another_process_takes_over_from_one_that_was_killed_while_it_waited(agent, microsoft, step):
    held = Held()
    microsoft.next(held, at=step)
    with workers(2, kind=TokenWorker, **SHORT) as (killed, waiting):
        killed.order(agent, times=4)
        assert held.reached.wait(10)
        waiting.order(agent, times=4)
        killed.process.kill()
        free_at = IdentityToken.objects.get().lease_until
        results = waiting.results()
        held.release()
        took_over = timezone.now()
    [[kind, generation, token]] = {tuple(result) for result in results}
    assert (kind, generation) == ("token", 1)
    assert microsoft.verify(token)
    assert 0 <= (took_over - free_at).total_seconds() < 3
    assert len(microsoft.requests(1)) == 2
    assert IdentityToken.objects.get().lease_by is None


def test_a_process_that_was_frozen_throws_away_what_it_got(agent, microsoft):
    """It wakes up when another has taken over, and serves the other's token."""
    with workers(1, kind=TokenWorker, freezes="after the answer", **SHORT) as [frozen]:
        frozen.order(agent)
        frozen.wait_until_frozen()
        with workers(1, kind=TokenWorker, **SHORT) as [other]:
            other.order(agent)
            [taken] = other.results()
        frozen.thaw()
        assert frozen.results() == [taken]
    assert taken[1] == IdentityToken.objects.get().generation == 1
    assert len(microsoft.requests(2)) == 2


def test_the_database_is_left_alone_while_entra_is_asked(agent, microsoft):
    held = Held()
    microsoft.next(held, at="step 2")
    with workers(1, kind=TokenWorker) as [worker]:
        worker.order(agent)
        assert held.reached.wait(10)
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND state LIKE 'idle in transaction%'"
            )
            assert cursor.fetchone() == (0,)
        started = time.monotonic()
        IdentityToken.objects.update(failure="")
        assert time.monotonic() - started < 1
        held.release()
        assert worker.results()[0][0] == "token"
