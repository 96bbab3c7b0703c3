"""Refreshing ahead of need, by real workers: quick, once for each grant, and whatever is killed or lost on the way."""

import os
import time

import pytest

from consent.models import Grant
from tests import queue
from tests.consent.rush import due_grants, left
from tests.consent.slow_provider import slow_provider

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
# The long form, as docs/decisions/sweeps.md reports it: RUSH_GRANTS=10000 RUSH_SECONDS=120
GRANTS = int(os.environ.get("RUSH_GRANTS", "300"))
SECONDS = float(os.environ.get("RUSH_SECONDS", "60"))


def test_two_workers_refresh_what_is_due_in_time_with_one_request_for_each(project, release_bot, tmp_path):
    with slow_provider(seconds=0.2) as provider, queue.running(tmp_path) as broker:
        due_grants(project, release_bot, provider.url, GRANTS)
        broker.worker()
        broker.worker()
        broker.beat()
        queue.eventually(lambda: left() < GRANTS, 60)
        took = queue.eventually(lambda: left() == 0, SECONDS)
        time.sleep(1)
        seen = provider.read()

    print(f"{GRANTS} grants in {took:.1f} s, {seen['most_at_once']} at once")
    assert (seen["requests"], seen["tokens"], seen["refused"]) == (GRANTS, GRANTS, 0)
    assert set(Grant.objects.values_list("state", "generation", "lease_until")) == {("active", 1, None)}
