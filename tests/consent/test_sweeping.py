"""Refreshing ahead of need, by real workers: quick, once for each grant, and whatever is killed or lost on the way."""

import os
import time

import pytest

from consent.models import Grant
from tests import queue
from tests.consent.rush import due_grants, left
from tests.consent.slow_provider import slow_provider

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
# The long form, whose figures stand in docs/decisions/sweeps.md: RUSH_GRANTS=10000 RUSH_SECONDS=120
GRANTS = int(os.environ.get("RUSH_GRANTS", "300"))
SECONDS = float(os.environ.get("RUSH_SECONDS", "60"))
AT_ONCE = 32


def test_two_workers_refresh_what_is_due_in_time_with_one_request_for_each(project, release_bot, tmp_path):
    with slow_provider(seconds=0.2) as provider, queue.running(tmp_path) as broker:
        due_grants(project, release_bot, provider.url, GRANTS)
        broker.worker()
        broker.worker()
        broker.beat()
        queue.eventually(lambda: left() < GRANTS, 60)
        took = queue.eventually(lambda: left() == 0, SECONDS, every=min(1, GRANTS / 3000))
        _nothing_is_held()
        seen = provider.read()

    print(f"{GRANTS} grants in {took:.1f} s, {seen['most_at_once']} at once")
    assert (seen["requests"], seen["tokens"], seen["refused"]) == (GRANTS, GRANTS, 0)
    assert seen["most_at_once"] <= AT_ONCE
    assert set(Grant.objects.values_list("state", "generation")) == {("active", 1)}


def test_killed_workers_a_broker_that_lost_everything_and_a_second_beat_cost_nothing(project, release_bot, tmp_path):
    """Those under way at a kill are asked for again when their leases end; the provider still knows the old token."""
    with slow_provider(seconds=0.4) as provider, queue.running(tmp_path) as broker:
        due_grants(project, release_bot, provider.url, GRANTS)
        workers = [broker.worker(), broker.worker()]
        broker.beat()
        broker.beat()
        for number, worker in enumerate(workers, start=1):
            queue.eventually(lambda: left() <= GRANTS * (1 - number / 4), 60)  # noqa: B023
            broker.kill(worker)
        under_way = left()
        broker.flush()
        assert left() == under_way > 0, "nobody works, or too quickly for this test"
        broker.worker()
        broker.worker()
        queue.eventually(lambda: left() == 0, SECONDS + 30)
        _nothing_is_held()
        seen = provider.read()

    assert (seen["tokens"], seen["refused"]) == (GRANTS, 0)
    assert seen["repeated"] <= AT_ONCE
    assert not Grant.objects.exclude(state="active").exists()


def test_a_flood_in_one_queue_keeps_nothing_of_another_waiting(project, release_bot, tmp_path):
    """A worker of its own for each queue that must not wait (docs/operations.md)."""
    with slow_provider(seconds=0.2) as provider, queue.running(tmp_path) as broker:
        due_grants(project, release_bot, provider.url, 5)
        broker.send("portal.tasks.close_open_attempts", times=200)
        broker.worker(queues="refresh")
        broker.send("consent.tasks.refresh_due")
        queue.eventually(lambda: left() == 0)


def _nothing_is_held() -> None:
    queue.eventually(lambda: not Grant.objects.exclude(lease_until=None).exists(), 5)
    time.sleep(0.2)
