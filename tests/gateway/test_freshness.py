"""What is taken away stops working within a second, in another process, under load, whatever the database does (T11).

The second gateway is a process of its own; the changes are made here, by the verbs that the pages call.
"""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest
from django.core.management import call_command
from django.db import connection as database
from django.db import transaction
from django.test import override_settings

from connections import keeping, offering
from connections.gateway.freshness import Fresh
from connections.gateway.threads import Threads
from connections.models import Connection
from connections.secrets import NewSecret
from portal.agents import keys, registering, speaking
from portal.agents.models import AgentKey, SpeakingPermission
from portal.audit import changes
from portal.audit.models import ChangeCounter
from portal.projects import assignments, people
from portal.projects.models import RoleAssignment
from portal.projects.roles import Role
from tests import factories
from tests.fakes.server import serve
from tests.fakes.stock_client import TLS
from tests.gateway.callers import SPELLINGS, Caller, message
from tests.gateway.conftest import new_line
from tests.gateway.second import Second, second_gateway

RPC = SPELLINGS[0]
PROMISED = 1.0  # seconds between the commit and the first call that must see it
PROMISED_FOR_STREAMS = 5.0


class Endpoint:
    """Says under which key it was called (short enough not to be cut out), or goes on for ever when streamed."""

    async def __call__(self, scope, receive, send) -> None:
        asked = json.loads((await receive())["body"])
        key = dict(scope["headers"]).get(b"x-api-key", b"").decode()
        said = {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": key}]}
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {"message": said}}).encode()
        streams = asked["method"] == "SendStreamingMessage"
        kind = b"text/event-stream" if streams else b"application/json"
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
        while streams:
            await send({"type": "http.response.body", "body": b"data: " + body + b"\n\n", "more_body": True})
            await asyncio.sleep(0.1)
        await send({"type": "http.response.body", "body": body})


@dataclass
class Steady:
    """Calls without a pause, and remembers when each was begun, what came of it, and when."""

    caller: Caller
    seen: list[tuple[float, str, float]] = field(default_factory=list)

    def call_on(self, stop: threading.Event, pause: float) -> None:
        with httpx.Client(timeout=20, verify=TLS) as http:
            while not stop.is_set():
                began = time.time()
                self.seen.append((began, self._once(http), time.time()))
                time.sleep(pause)

    def _once(self, http: httpx.Client) -> str:
        headers = self.caller.headers | {"a2a-version": "1.0"}
        answer = http.post(self.caller.connection.gateway_url, json=message(RPC).body, headers=headers).json()
        if "error" in answer:
            return answer["error"]["data"][1]["reason"]
        return answer["result"]["message"]["parts"][0]["text"]


class calling:  # noqa: N801 -- reads as a verb
    """In this block, all these callers call continuously."""

    def __init__(self, *steadies: Steady, pause: float = 0.05) -> None:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each.call_on, args=(self._stop, pause)) for each in steadies]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()
        time.sleep(1)  # until every lookup is kept

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture(scope="module")
def second(shared_database, django_db_blocker, tmp_path_factory):
    with django_db_blocker.unblock():
        place = tmp_path_factory.mktemp("second")
        with second_gateway(place / "output") as running, override_settings(PUBLIC_URL=running.url):
            yield running
        # After its end: it writes the outcomes of the last calls a quarter of a second later.
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture(scope="module")
def endpoint():
    with serve(Endpoint()) as served:
        yield served.url


@pytest.fixture
def by(second):
    return factories.make_member(None, Role.OWNER, name="Olive Owner")


@pytest.fixture
def make_caller(second, endpoint) -> Callable[[], Caller]:
    """A caller with everything of its own: project, user, agent, key, connection."""

    def make() -> Caller:
        line = new_line(endpoint, credential=("x-api-key", "old"), calls_per_minute=100_000)
        SpeakingPermission.objects.create(agent=line.agent, everyone=True)
        user = factories.make_member(line.agent.project, Role.AI_USER)
        return Caller(line.agent, line.key, user, line.connection)

    return make


def key_of(caller: Caller) -> AgentKey:
    return AgentKey.objects.get(agent=caller.agent)


def replace_secret(caller: Caller, by) -> None:
    keeping.replace(caller.connection, [NewSecret("credential", 0, "x-api-key", "new")], {}, by)


# What is done, and what the next call then gets.
CHANGES: dict[str, tuple[Callable, str]] = {
    "a rotated secret": (replace_secret, "new"),
    "a removed role": (
        lambda c, by: assignments.remove(RoleAssignment.objects.get(user=c.user), by),
        "USER_UNKNOWN",
    ),
    "a deactivated user": (lambda c, by: people.deactivate(c.user, by), "USER_UNKNOWN"),
    "withdrawn speaking": (lambda c, by: speaking.withdraw(c.agent, by), "MAY_NOT_SPEAK"),
    "a revoked key": (lambda c, by: keys.revoke(key_of(c), by), "AGENT_KEY_REVOKED"),
    "a disabled agent": (lambda c, by: registering.disable(c.agent, by), "AGENT_DISABLED"),
    "a deleted agent": (lambda c, by: registering.delete(c.agent, by), "AGENT_KEY_UNKNOWN"),
    "a disabled connection": (lambda c, by: offering.disable(c.connection, by), "CONNECTION_DISABLED"),
    "a taken-back connection": (lambda c, by: offering.take_back(c.connection, c.agent, by), "CONNECTION_UNKNOWN"),
    "a deleted connection": (
        lambda c, by: offering.delete(Connection.objects.get(pk=c.connection.pk), by),
        "CONNECTION_UNKNOWN",
    ),
}


@pytest.mark.services
def test_every_change_is_seen_within_a_second_by_a_process_that_is_busy(make_caller, by):
    steadies = {what: Steady(make_caller()) for what in CHANGES}
    untouched = Steady(make_caller())
    committed = {}
    with calling(*steadies.values(), untouched):
        for what, (change, _) in CHANGES.items():
            change(steadies[what].caller, by)
            committed[what] = time.time()
        time.sleep(PROMISED + 1)

    late = {}
    for what, (_, expected) in CHANGES.items():
        seen = steadies[what].seen
        assert {result for at, result, _ in seen if at < committed[what] - 1} == {"old"}, what
        after = [result for at, result, _ in seen if at >= committed[what] + PROMISED]
        assert len(after) > 2, what
        assert set(after) == {expected}, what
        late[what] = max((at - committed[what] for at, result, _ in seen if result == "old"), default=0)
    assert {result for _, result, _ in untouched.seen} == {"old"}
    assert max(late.values()) < PROMISED, late


@pytest.mark.services
def test_what_is_given_back_works_again(make_caller, by):
    caller = make_caller()
    offering.disable(caller.connection, by)
    steady = Steady(caller)
    with calling(steady):
        offering.enable(caller.connection, by)
        committed = time.time()
        time.sleep(PROMISED + 0.5)

    assert {result for at, result, _ in steady.seen if at < committed - 0.9} == {"CONNECTION_DISABLED"}
    assert {result for at, result, _ in steady.seen if at >= committed + PROMISED} == {"old"}


@pytest.mark.services
def test_while_the_counter_can_not_be_read_calls_fail_rather_than_go_on(make_caller, by):
    steady = Steady(make_caller())
    with calling(steady):
        with transaction.atomic(), database.cursor() as cursor:
            cursor.execute(f"LOCK TABLE {ChangeCounter._meta.db_table} IN ACCESS EXCLUSIVE MODE")
            locked = time.time()
            time.sleep(2.5)
            released = time.time()
        time.sleep(1.5)

    assert {result for at, result, _ in steady.seen if at < locked} == {"old"}
    during = [(result, ended) for at, result, ended in steady.seen if locked + PROMISED <= at < released]
    # A call may have waited until the counter could be read again; none went on without it.
    assert {result for result, ended in during if ended < released} <= {"INTERNAL"}
    assert any(locked + PROMISED < ended < released + PROMISED for _, _, ended in steady.seen)
    assert steady.seen[-1][1] == "old"


@dataclass
class Stream:
    """An open stream: when its last event came, and when it ended with what."""

    caller: Caller
    ended_at: float = 0
    last: str = ""
    opened: threading.Event = field(default_factory=threading.Event)

    def read(self, stop: threading.Event) -> None:
        request = message(RPC, streams=True)
        headers = self.caller.headers | {"a2a-version": "1.0"}
        url = self.caller.connection.gateway_url
        with httpx.stream("POST", url, json=request.body, headers=headers, timeout=20, verify=TLS) as answer:
            for line in answer.iter_lines():
                if line:
                    self.last = line
                    self.opened.set()
                if stop.is_set():
                    return
        self.ended_at = time.time()


class streaming(calling):  # noqa: N801
    """In this block, all these streams are open."""

    def __init__(self, *streams: Stream) -> None:
        self._stop, self._streams = threading.Event(), streams
        self._threads = [threading.Thread(target=each.read, args=(self._stop,)) for each in streams]

    def __enter__(self) -> None:
        for thread in self._threads:
            thread.start()
        for stream in self._streams:
            assert stream.opened.wait(10)


@pytest.mark.services
def test_open_streams_end_within_five_seconds_and_say_why(make_caller, by):
    ending = {what: Stream(make_caller()) for what in CHANGES if what != "a rotated secret"}
    untouched = Stream(make_caller())
    committed = {}
    with streaming(*ending.values(), untouched):
        for what, stream in ending.items():
            CHANGES[what][0](stream.caller, by)
            committed[what] = time.time()
        time.sleep(PROMISED_FOR_STREAMS - 2)

    for what, stream in ending.items():
        assert 0 < stream.ended_at - committed[what] < PROMISED_FOR_STREAMS, what
        assert '"code":-32052' in stream.last, (what, stream.last)
    assert untouched.ended_at == 0


@pytest.mark.services
def test_behind_a_frozen_database_nothing_that_was_taken_away_goes_on(second: Second, make_caller, by):
    """No message arrives, no error either: the process can't know, and so must not serve."""
    revoked, untouched = Steady(make_caller()), Steady(make_caller())
    stream = Stream(make_caller())
    with streaming(stream), calling(revoked, untouched):
        with second.door.frozen():
            keys.revoke(key_of(revoked.caller), by)
            keys.revoke(key_of(stream.caller), by)
            committed = time.time()
            time.sleep(PROMISED_FOR_STREAMS - 0.3)
        time.sleep(1.5)

    assert "old" not in {result for at, result, _ in revoked.seen if at >= committed + PROMISED}
    assert revoked.seen[-1][1] == "AGENT_KEY_REVOKED"
    assert untouched.seen[-1][1] == "old"
    assert 0 < stream.ended_at - committed < PROMISED_FOR_STREAMS


# The rule itself, with a clock of its own.


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Table:
    """What the database holds: a counter, and a value that a load finds. Each read happens when it is let go on."""

    def __init__(self) -> None:
        self.counter, self.value = 1, "first"
        self.log: list[str] = []
        self.fails = False

    def read(self) -> int:
        self.log.append("counter")
        if self.fails:
            raise ConnectionError
        return self.counter

    def load(self) -> str:
        self.log.append("rows")
        return self.value


@pytest.fixture
def fresh(monkeypatch):
    table, clock, threads = Table(), Clock(), Threads(2)
    monkeypatch.setattr(changes, "read", table.read)
    yield Fresh(threads, clock), table, clock
    threads._pool.shutdown(wait=False)


def test_the_counter_is_read_before_the_rows(fresh):
    kept, table, _ = fresh

    assert asyncio.run(kept.get("key", table.load)) == "first"

    assert table.log == ["counter", "rows"]


def test_an_answer_serves_while_the_counter_stands_and_is_fresh(fresh):
    kept, table, clock = fresh

    async def ask() -> list[str]:
        answers = []
        for step in (0, 0.2, 0.2, 0.2, 0.9):
            clock.now += step
            answers.append(await kept.get("key", table.load))
            await asyncio.sleep(0.02)
        return answers

    assert asyncio.run(ask()) == ["first"] * 5
    assert table.log.count("rows") == 1


def test_a_raised_counter_ends_every_answer_at_the_latest_after_its_time(fresh):
    kept, table, clock = fresh

    async def ask() -> list[str]:
        first = await kept.get("key", table.load)
        table.counter, table.value = 2, "second"
        clock.now += 0.29
        soon = await kept.get("key", table.load)
        clock.now += changes.FRESH_SECONDS - 0.28
        return [first, soon, await kept.get("key", table.load)]

    assert asyncio.run(ask()) == ["first", "first", "second"]


def test_rows_that_change_while_they_are_loaded_are_loaded_again(fresh):
    """Kept under the number from before: a change between the two reads makes the answer old at once."""
    kept, table, clock = fresh

    def load() -> str:
        found = table.value
        table.counter, table.value = 2, "second"
        return found

    async def ask() -> list[str]:
        first = await kept.get("key", load)
        clock.now += 1
        return [first, await kept.get("key", table.load)]

    assert asyncio.run(ask()) == ["first", "second"]


def test_the_age_counts_from_when_the_read_was_sent(fresh, monkeypatch):
    kept, table, clock = fresh
    slow = iter([0.7, 0, 0])

    def read() -> int:
        counter = table.read()
        clock.now += next(slow)
        return counter

    monkeypatch.setattr(changes, "read", read)

    async def ask() -> None:
        await kept.get("key", table.load)
        clock.now += 0.2
        await kept.get("key", table.load)

    asyncio.run(ask())
    assert table.log.count("counter") == 2


def test_a_database_that_fails_ends_the_answers(fresh):
    kept, table, clock = fresh

    async def ask() -> str:
        await kept.get("key", table.load)
        table.fails = True
        clock.now += changes.FRESH_SECONDS + 0.01
        with pytest.raises(ConnectionError):
            await kept.get("key", table.load)
        table.fails = False
        return await kept.get("key", table.load)

    assert asyncio.run(ask()) == "first"


def test_a_read_that_hangs_is_given_up_and_what_it_brings_late_is_not_believed(fresh, monkeypatch):
    kept, table, clock = fresh
    go_on = threading.Event()

    def read() -> int:
        counter = table.read()
        if table.log.count("counter") == 2:
            go_on.wait(10)
        return counter

    monkeypatch.setattr(changes, "read", read)
    monkeypatch.setattr("connections.gateway.freshness.SLOWEST_READ", 0.2)

    async def ask() -> list[str]:
        first = await kept.get("key", table.load)
        clock.now += 1
        with pytest.raises(TimeoutError):
            await kept.get("key", table.load)
        table.counter, table.value = 2, "second"
        clock.now += 1
        second = await kept.get("key", table.load)
        go_on.set()
        await asyncio.sleep(0.1)
        return [first, second, await kept.get("key", table.load)]

    assert asyncio.run(ask()) == ["first", "second", "second"]


def test_a_process_so_busy_that_every_read_comes_late_refuses_nobody(fresh, monkeypatch):
    """Else a gateway under too much load would say "internal" to calls that it could make, only later."""
    kept, table, clock = fresh

    def read() -> int:
        counter = table.read()
        clock.now += changes.FRESH_SECONDS + 0.1
        return counter

    monkeypatch.setattr(changes, "read", read)
    monkeypatch.setattr("connections.gateway.freshness.SLOWEST_READ", 1.0)

    async def ask() -> list[str]:
        first = await kept.get("key", table.load)
        table.counter, table.value = 2, "second"
        return [first, await kept.get("key", table.load)]

    assert asyncio.run(ask()) == ["first", "second"]
