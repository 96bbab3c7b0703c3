"""The committer: rows of concurrent calls in one transaction, and what happens when the database refuses."""

import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from portal.audit import log
from portal.audit.events import Outcome
from portal.audit.models import LastUse, LogRow
from tests.audit.conftest import another_process
from tests.audit.waiting import Waiting

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
KEY = log.Actor("agent_key", uuid.uuid4(), "web")


def attempt() -> dict:
    return log.attempt_of(KEY, method="SendMessage")


def until(condition, seconds: float = 6.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def test_an_attempt_is_durable_when_its_future_resolves(committer, elsewhere):
    row = attempt()
    assert committer.attempt(row).result(5) is None
    found = elsewhere.execute("SELECT kind, outcome FROM portal_logrow WHERE uid = %s", [row["uid"]]).fetchone()
    assert found == ("attempt", "in_progress")


def test_an_outcome_follows_within_a_second(committer):
    row = attempt()
    committer.attempt(row).result(5)
    committer.outcome(log.outcome_of(row, Outcome.SUCCEEDED, status=200, duration=12))
    until(lambda: LogRow.objects.filter(kind="outcome").exists(), seconds=1.0)
    outcome = LogRow.objects.get(kind="outcome")
    assert (str(outcome.call_id), outcome.method, outcome.status, outcome.duration) == (
        row["call_id"],
        "SendMessage",
        200,
        12,
    )
    assert log.verify(outcome)


def test_attempts_that_wait_together_are_committed_together(committer, elsewhere):
    with another_process() as holder:
        holder.execute("LOCK TABLE portal_logrow IN SHARE ROW EXCLUSIVE MODE")
        first = committer.attempt(attempt())
        time.sleep(0.2)
        others = [committer.attempt(attempt()) for _ in range(20)]
        holder.rollback()
    for future in [first, *others]:
        future.result(5)
    made_by = "SELECT count(DISTINCT xmin::text), count(*) FROM portal_logrow"
    assert elsewhere.execute(made_by).fetchone() == (2, 21)


def test_concurrent_attempts_all_have_their_row_numbered_without_a_gap(committer):
    with ThreadPoolExecutor(16) as pool:
        futures = list(pool.map(lambda _: committer.attempt(attempt()), range(400)))
    for future in futures:
        future.result(10)
    rows = LogRow.objects.order_by("counter")
    assert [row.counter for row in rows] == list(range(1, 401))
    assert len({row.writer for row in rows}) == 1
    assert all(log.verify(row) for row in rows[:20])


def test_an_attempt_fails_when_the_log_is_locked_and_is_not_written_later(committer):
    with another_process() as holder:
        holder.execute("LOCK TABLE portal_logrow IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(log.LogUnavailable):
            committer.attempt(attempt()).result(10)
        holder.rollback()
    committer.attempt(attempt()).result(10)
    assert LogRow.objects.count() == 1


def test_whoever_must_know_is_told_that_the_log_failed(transactional_db):
    told = threading.Event()
    made = Waiting(log.Committer(on_failure=told.set))
    with another_process() as holder:
        holder.execute("LOCK TABLE portal_logrow IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(log.LogUnavailable):
            made.attempt(attempt()).result(10)
        holder.rollback()
    made.close()
    assert told.is_set()


def test_an_outcome_is_kept_while_the_database_refuses_and_written_once(committer):
    row = attempt()
    committer.attempt(row).result(5)
    with another_process() as holder:
        holder.execute("LOCK TABLE portal_logrow IN ACCESS EXCLUSIVE MODE")
        committer.outcome(log.outcome_of(row, Outcome.SUCCEEDED))
        time.sleep(2.6)
        holder.rollback()
    until(lambda: LogRow.objects.filter(kind="outcome").exists())
    time.sleep(0.5)
    assert LogRow.objects.filter(kind="outcome").count() == 1


def test_after_its_connection_is_cut_the_committer_goes_on_as_a_new_writer(committer, elsewhere):
    committer.attempt(attempt()).result(5)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()"
    committers = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    assert elsewhere.execute(committers).fetchall()
    elsewhere.execute(f"{cut} AND datname = current_database()", ["COPY portal_logrow%"])
    with pytest.raises(log.LogUnavailable):
        committer.attempt(attempt()).result(5)
    committer.attempt(attempt()).result(5)
    first, last = LogRow.objects.order_by("id")
    assert first.writer != last.writer
    assert last.counter == 1


def test_last_use_is_written_at_most_once_a_minute(committer, monkeypatch):
    subject = uuid.uuid4()
    committer.attempt(attempt(), used=[subject]).result(5)
    first = last_use(subject)
    committer.attempt(attempt(), used=[subject]).result(5)
    assert last_use(subject) == first
    monkeypatch.setattr(log.Committer, "LAST_USE_SECONDS", 0.0)
    committer.attempt(attempt(), used=[subject]).result(5)
    assert last_use(subject) > first


def last_use(subject: uuid.UUID) -> datetime:
    return LastUse.objects.get(subject=subject).at


def test_closing_says_how_much_it_could_not_write(transactional_db, caplog):
    committer = log.Committer()
    made = Waiting(committer)
    rows = [attempt() for _ in range(3)]
    for row in rows:
        made.attempt(row).result(5)
    with another_process() as holder:
        holder.execute("LOCK TABLE portal_logrow IN ACCESS EXCLUSIVE MODE")
        for row in rows:
            made.outcome(log.outcome_of(row, Outcome.SUCCEEDED))
        committer.close(0.5)
        holder.rollback()
    assert "3 rows" in caplog.text
    assert LogRow.objects.filter(kind="attempt").count() == 3
    made.close()


def test_closing_writes_what_waits(transactional_db):
    made = Waiting(log.Committer())
    row = attempt()
    made.attempt(row).result(5)
    made.outcome(log.outcome_of(row, Outcome.SUCCEEDED))
    made.close()
    assert LogRow.objects.filter(kind="outcome").count() == 1
