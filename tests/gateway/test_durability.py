"""No row, no call; and what was answered has its row, whatever dies (F01, F10, F20, F21)."""

import asyncio
import contextlib
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from django.db import connection as database
from django.db import connections, transaction

from portal.audit import log
from portal.audit.events import CALL, Outcome
from portal.audit.models import LogRow
from tests.audit.waiting import Waiting
from tests.fakes.record import Recorder
from tests.fakes.server import serve
from tests.fakes.stock_client import TLS
from tests.gateway.callers import SPELLINGS, Caller, message
from tests.gateway.conftest import new_line, rows_of, rpc
from tests.gateway.second import second_gateway
from tests.gateway.test_owners import Subject

pytestmark = pytest.mark.services
TABLE = LogRow._meta.db_table
RPC = SPELLINGS[0]


@pytest.fixture
def line(shared_line):
    return shared_line


@contextlib.contextmanager
def refusing_rows(kind: str) -> Iterator[None]:
    """The database refuses every new row of this kind, as it would with a full disk or without the right to insert."""
    with database.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION refuse_row() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'no space left on device'; END $$"
        )
        cursor.execute(
            f"CREATE TRIGGER refuse_row BEFORE INSERT ON {TABLE} FOR EACH ROW "
            f"WHEN (NEW.kind = '{kind}') EXECUTE FUNCTION refuse_row()"
        )
    try:
        yield
    finally:
        with database.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER refuse_row ON {TABLE}")
            cursor.execute("DROP FUNCTION refuse_row()")


@contextlib.contextmanager
def no_row_can_be_written() -> Iterator[None]:
    """For a while every insert waits."""
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {TABLE} IN EXCLUSIVE MODE")
        yield


@pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
def test_without_an_attempts_row_the_endpoint_sees_nothing(line, spelling):
    caller = Caller(line.agent, line.key, None, line.connection)
    caller.ask(message(spelling))
    before = len(line.endpoint.received)

    with refusing_rows("attempt"):
        for request in (message(spelling), message(spelling, streams=True)):
            answer = caller.ask(request)
            assert "LOG_UNAVAILABLE" in answer.text
            assert spelling[0] != "JSONRPC" or "-32054" in answer.text
            assert "space left" not in answer.text
    assert len(line.endpoint.received) == before

    assert caller.ask(message(spelling)).status_code == 200
    assert len(line.endpoint.received) == before + 1


@pytest.mark.parametrize("about", ["/.well-known/agent-card.json", "/consent-status"])
def test_without_its_row_the_card_and_the_consent_status_are_not_answered_either(line, about):
    with refusing_rows("act"):
        refused = line.get(about)
    assert refused.status_code == 500
    assert "LOG_UNAVAILABLE" in refused.text

    answered = line.get(about)
    assert answered.status_code == 200
    assert [row.kind for row in LogRow.objects.filter(request_id=answered.headers["x-request-id"])] == ["act"]


def test_an_outcome_that_can_not_be_written_is_kept_and_written_later(line):
    with refusing_rows("outcome"):
        # Twice: the second attempt comes while the first one's outcome is refused again and again.
        line.post(rpc(), headers={"a2a-version": "1.0"})
        answer = line.post(rpc(), headers={"a2a-version": "1.0"})
        assert "result" in answer.json()
        time.sleep(0.6)
        assert [row.kind for row in rows_of(answer.headers["x-request-id"], count=1)] == ["attempt"]

    assert [row.kind for row in rows_of(answer.headers["x-request-id"])] == ["attempt", "outcome"]


class LosesTheAnswer(log.Committer):
    """Its first commit arrives, and the answer to it does not."""

    lost = False

    def _write(self, batch):
        written = super()._write(batch)
        if not self.lost:
            self.lost = True
            raise ConnectionError("the answer to COMMIT was lost")
        return written


def test_a_commit_whose_answer_was_lost_is_not_made_twice_and_stops_nothing(transactional_db):
    committer = Waiting(LosesTheAnswer())
    first, second = (log.attempt_of(log.SYSTEM) for _ in range(2))
    committer.outcome(log.outcome_of(first, Outcome.SUCCEEDED))
    time.sleep(0.5)

    committer.attempt(second).result(5)
    committer.outcome(log.outcome_of(second, Outcome.SUCCEEDED))
    committer.close()

    rows = LogRow.objects.order_by("id").values_list("call_id", "kind")
    assert [(str(call), kind) for call, kind in rows] == [
        (first["call_id"], "outcome"),
        (second["call_id"], "attempt"),
        (second["call_id"], "outcome"),
    ]
    no_gap_and_nothing_changed()


def test_the_outcome_follows_within_a_second(line):
    answers = [line.post(rpc(), headers={"a2a-version": "1.0"}) for _ in range(3)]
    answered = time.monotonic()

    for answer in answers:
        assert len(rows_of(answer.headers["x-request-id"])) == 2
    assert time.monotonic() - answered < 1


def test_a_client_that_leaves_while_its_row_is_written_ends_only_its_own_call(line):
    line.post(rpc(), headers={"a2a-version": "1.0"})
    before = len(line.endpoint.received)

    with no_row_can_be_written():
        for _ in range(3):
            with pytest.raises(httpx.ReadTimeout):
                httpx.post(line.url, json=rpc(), headers=line.headers, timeout=0.3, verify=TLS)
        time.sleep(0.1)

    assert "result" in line.post(rpc(), headers={"a2a-version": "1.0"}).json()
    assert len(line.endpoint.received) == before + 1
    time.sleep(0.5)
    left = LogRow.objects.filter(reason="client_left", connection_id=line.connection.id)
    attempts = LogRow.objects.filter(kind="attempt", call_id__in=left.values("call_id"))
    assert (left.count(), attempts.count()) == (3, 3)


def test_many_calls_at_once_share_few_commits(line):
    results = Counter()

    def call() -> None:
        results["result" in line.post(rpc(params=message(RPC, "echo x").body["params"])).json()] += 1

    threads = [threading.Thread(target=call) for _ in range(64)]
    with no_row_can_be_written():
        for thread in threads:
            thread.start()
        time.sleep(1)
    for thread in threads:
        thread.join()

    assert results == {True: 64}
    with database.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), count(DISTINCT xmin::text) FROM {TABLE} WHERE kind = 'attempt' AND agent_id = %s",
            [line.agent.id],
        )
        rows, commits = cursor.fetchone()
    assert rows == 64
    assert commits <= 8


class Storm:
    """Many calls at once, and the request ids of those that were answered."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self._url, self._headers = url, headers
        self.answered: list[str] = []
        self.failed = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._blow()))

    def __enter__(self) -> "Storm":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def blows(self, answers: int, seconds: float = 15) -> None:
        """Returns once so many calls were answered."""
        until = time.monotonic() + seconds
        while len(self.answered) < answers and time.monotonic() < until:
            time.sleep(0.02)

    async def _blow(self) -> None:
        async with httpx.AsyncClient(timeout=15, verify=TLS, headers=self._headers) as http:
            await asyncio.gather(*(self._call_on(http) for _ in range(24)))

    async def _call_on(self, http: httpx.AsyncClient) -> None:
        while not self._stop.is_set():
            try:
                answer = await http.post(self._url, json=rpc(), headers={"a2a-version": "1.0"})
            except httpx.TransportError:
                self.failed += 1
                return
            if "result" in answer.json():
                self.answered.append(answer.headers["x-request-id"])
            else:
                self.failed += 1
                await asyncio.sleep(0.02)


def test_after_a_kill_every_answered_call_has_its_row_and_in_the_end_every_attempt_an_outcome(
    transactional_db, tmp_path, settings
):
    received, answered, began = [], [], time.monotonic()
    with serve(Recorder(Subject(), received)) as served:
        line = new_line(served.url, calls_per_minute=1_000_000)
        for number in range(3):
            with second_gateway(tmp_path / f"output-{number}") as second:
                settings.PUBLIC_URL = second.url
                with Storm(line.connection.gateway_url, line.headers) as storm:
                    storm.blows(answers=20)
                    time.sleep(0.1 * number)
                    second.kill()
                answered += storm.answered
            if time.monotonic() - began > 20:
                break

    attempts = LogRow.objects.filter(kind="attempt", agent_id=line.agent.id)
    assert len(answered) > 50
    assert set(answered) <= set(attempts.values_list("request_id", flat=True))
    assert len(received) <= attempts.count()

    closed = log.close_open_attempts(after=timedelta(0), limit=10_000)

    ended = LogRow.objects.filter(kind="outcome", agent_id=line.agent.id)
    outcomes = Counter(ended.values_list("call_id", flat=True))
    assert closed > 0
    assert set(outcomes) == set(attempts.values_list("call_id", flat=True))
    assert set(outcomes.values()) == {1}
    assert ended.filter(outcome="unknown").count() == closed
    assert log.close_open_attempts(after=timedelta(0)) == 0
    no_gap_and_nothing_changed()


def no_gap_and_nothing_changed() -> None:
    counters = defaultdict(list)
    for row in LogRow.objects.order_by("id"):
        counters[row.writer].append(row.counter)
        assert log.verify(row)
    assert all(sorted(each) == list(range(1, len(each) + 1)) for each in counters.values())


def test_after_a_restart_of_the_database_everything_goes_on_by_itself(transactional_db, tmp_path, settings):
    received = []
    with serve(Recorder(Subject(), received)) as served, second_gateway(tmp_path / "output") as second:
        settings.PUBLIC_URL = second.url
        line = new_line(served.url, calls_per_minute=1_000_000)
        with Storm(line.connection.gateway_url, line.headers) as storm:
            for _ in range(2):
                time.sleep(0.4)
                assert second.end_database_connections() > 0
            time.sleep(0.7)
            before = len(storm.answered)
            time.sleep(0.5)
            assert len(storm.answered) > before

        time.sleep(1)
    attempts = LogRow.objects.filter(kind="attempt", agent_id=line.agent.id)
    assert set(storm.answered) <= set(attempts.values_list("request_id", flat=True))
    assert len(received) <= attempts.count()
    no_gap_and_nothing_changed()


def test_two_sweeps_at_once_write_one_outcome(transactional_db):
    log.begin(CALL, log.SYSTEM)
    together, counts = threading.Barrier(3), []

    def sweep() -> None:
        together.wait()
        try:
            counts.append(log.close_open_attempts(after=timedelta(0)))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=sweep) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counts) == 1
    assert LogRow.objects.filter(outcome="unknown").count() == 1
