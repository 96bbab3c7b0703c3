"""Calls whose outcome never came."""

import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from portal.audit import log
from portal.audit.events import Outcome
from portal.audit.models import LogRow

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
KEY = log.Actor("agent_key", None, "web")
LIMIT = timedelta(minutes=16)


def attempted(minutes_ago: float) -> dict:
    row = log.attempt_of(KEY, method="SendMessage")
    row["time"] = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    log._append(row)
    return row


def unknown() -> list[LogRow]:
    return list(LogRow.objects.filter(kind="outcome", outcome="unknown"))


def test_an_attempt_without_outcome_ends_as_unknown_once():
    call = attempted(minutes_ago=20)
    assert log.close_open_attempts(LIMIT) == 1
    assert log.close_open_attempts(LIMIT) == 0
    [row] = unknown()
    assert (str(row.call_id), row.reason, row.method) == (call["call_id"], "no_outcome", "SendMessage")
    assert log.verify(row)


def test_an_attempt_that_may_still_end_is_left_alone():
    attempted(minutes_ago=10)
    assert log.close_open_attempts(LIMIT) == 0
    assert not unknown()


def test_an_attempt_that_has_ended_is_left_alone():
    log._append(log.outcome_of(attempted(minutes_ago=20), Outcome.FAILED))
    assert log.close_open_attempts(LIMIT) == 0
    assert not unknown()


def test_two_sweeps_at_once_close_each_attempt_once():
    for _ in range(30):
        attempted(minutes_ago=20)
    start, closed = threading.Barrier(2), []

    def sweep() -> None:
        try:
            start.wait(5)
            closed.append(log.close_open_attempts(LIMIT))
        finally:
            connection.close()

    sweeps = [threading.Thread(target=sweep) for _ in range(2)]
    for thread in sweeps:
        thread.start()
    for thread in sweeps:
        thread.join(10)
    log.close_open_attempts(LIMIT)
    assert len(closed) == 2
    assert len({row.call_id for row in unknown()}) == len(unknown()) == 30
