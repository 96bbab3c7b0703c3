"""How often and how many at once: per agent and connection, freed when a call ends however it ends (design, 5)."""

import threading
import time

import httpx
import pytest

from connections.gateway.limits import Limits
from connections.gateway.refusals import Refused
from connections.models import Given
from tests import factories
from tests.fakes.a2a_server import SPELLINGS
from tests.fakes.stock_client import TLS, send
from tests.gateway.conftest import Line, line_to, message, new_line, rows_of, rpc
from tests.gateway.refusing import code_of
from tests.gateway.test_streams import streaming, wait_for

V1 = {"a2a-version": "1.0"}


def call(line: Line) -> str | None:
    return code_of(line.post(rpc(), headers=V1))


def make(fake_agent, **limits) -> Line:
    return line_to(fake_agent(), **limits)


def test_beyond_the_rate_calls_are_refused_and_leave_a_row(shared_gateway, fake_agent):
    line = make(fake_agent, calls_per_minute=3)
    answers = [line.post(rpc(), headers=V1) for _ in range(4)]

    assert [code_of(answer) for answer in answers] == [None, None, None, "limit_rate"]
    assert answers[3].json()["error"]["code"] == -32055
    assert 15 <= int(answers[3].json()["error"]["data"][1]["metadata"]["retry_after"]) <= 20
    assert len(line.endpoint.calls()) == 3
    [row] = rows_of(answers[3].headers["x-request-id"], count=1)
    assert (row.outcome, row.reason) == ("failed", "limit_rate")


@pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
def test_the_stock_client_shows_the_limit(shared_gateway, fake_agent, spelling):
    line = make(fake_agent, calls_per_minute=1)
    send(line.url, spelling, "task", headers=line.headers)

    with pytest.raises(Exception, match="Too many calls in a minute"):
        send(line.url, spelling, "task", headers=line.headers)


def test_http_json_answers_429(shared_gateway, fake_agent):
    line = make(fake_agent, calls_per_minute=1)
    statuses = [line.post(message("task"), path="/message:send").status_code for _ in range(2)]

    assert statuses == [200, 429]


def test_each_agent_and_each_connection_has_a_limit_of_its_own(shared_gateway, fake_agent):
    line = make(fake_agent, calls_per_minute=1)
    colleague = factories.make_agent(line.agent.project)
    Given.objects.create(connection=line.connection, agent=colleague)
    other = Line(colleague, "", line.connection, headers={"authorization": f"Bearer {factories.make_key(colleague)}"})
    second = make(fake_agent, project=line.agent.project, agent=line.agent, calls_per_minute=1)

    assert [call(line), call(line)] == [None, "limit_rate"]
    assert [call(other), call(other)] == [None, "limit_rate"]
    assert [call(second), call(second)] == [None, "limit_rate"]


def test_two_keys_of_one_agent_share_its_limit(shared_gateway, fake_agent):
    line = make(fake_agent, calls_per_minute=1)
    again = Line(
        line.agent, "", line.connection, headers={"authorization": f"Bearer {factories.make_key(line.agent, 'two')}"}
    )

    assert [call(line), call(again)] == [None, "limit_rate"]


def test_beyond_so_many_at_once_calls_are_refused_until_one_ends(shared_gateway, fake_agent):
    line = make(fake_agent, calls_at_once=1)
    with streaming(line, rpc("SendStreamingMessage", message("forever"))) as answer:
        events = answer.iter_raw()
        next(events)
        assert call(line) == "limit_concurrency"

    assert wait_for(lambda: call(line) is None)


def test_a_client_that_leaves_frees_its_place_within_a_second(shared_gateway, fake_agent):
    line = make(fake_agent, calls_at_once=1)
    with streaming(line, rpc("SendStreamingMessage", message("forever"))) as answer:
        next(answer.iter_raw())
    left = time.monotonic()

    assert wait_for(lambda: call(line) is None)
    assert time.monotonic() - left < 1


def test_a_call_that_fails_frees_its_place(shared_gateway, hostile):
    bad = new_line(hostile.url("html-500"), calls_at_once=1)

    assert [call(bad) for _ in range(3)] == ["endpoint_unavailable"] * 3
    assert code_of(bad.post(rpc("GetTask", {"id": "none"}), headers=V1)) == "task_not_found"
    assert call(bad) == "endpoint_unavailable"


def test_of_many_at_once_exactly_as_many_as_permitted_reach_the_endpoint(shared_gateway, fake_agent):
    line = make(fake_agent, calls_at_once=3)
    codes: list[str | None] = []

    def slow() -> None:
        codes.append(code_of(line.post(rpc(params=message("slow 0.7")), headers=V1)))

    threads = [threading.Thread(target=slow) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(map(str, codes)) == ["None"] * 3 + ["limit_concurrency"] * 5
    assert len(line.endpoint.calls()) == 3


def test_a_limit_that_is_not_set_is_the_portals(shared_gateway, fake_agent, settings):
    settings.GATEWAY_CALLS_PER_MINUTE = 2
    line = make(fake_agent)

    assert [call(line) for _ in range(3)] == [None, None, "limit_rate"]


def test_the_card_costs_nothing(shared_gateway, fake_agent):
    line = make(fake_agent, calls_per_minute=1)
    for _ in range(3):
        assert httpx.get(f"{line.url}/.well-known/agent-card.json", headers=line.headers, verify=TLS).status_code == 200

    assert call(line) is None


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def refused(limits: Limits, **options) -> bool:
    try:
        limits.enter("agent", "connection", options.get("per_minute", 60), options.get("at_once", 10))()
    except Refused:
        return True
    return False


def test_the_bucket_refills_steadily():
    clock = Clock()
    limits = Limits(clock)

    assert [refused(limits) for _ in range(61)] == [False] * 60 + [True]
    clock.now += 1
    assert [refused(limits), refused(limits)] == [False, True]
    clock.now += 3600
    assert [refused(limits) for _ in range(61)] == [False] * 60 + [True]


def test_a_lowered_limit_counts_at_once():
    limits = Limits(Clock())
    assert not refused(limits, per_minute=600)

    assert [refused(limits, per_minute=2) for _ in range(3)] == [False, False, True]


def test_refused_calls_cost_nothing():
    clock = Clock()
    limits = Limits(clock)
    leave = limits.enter("agent", "connection", 2, 1)
    assert refused(limits, per_minute=2, at_once=1)
    leave()

    assert [refused(limits, per_minute=2, at_once=1) for _ in range(2)] == [False, True]


def test_pairs_that_were_idle_are_forgotten_and_open_ones_are_not():
    clock = Clock()
    limits = Limits(clock)
    limits.enter("open", "connection", 1, 1)
    for number in range(10_001):
        limits.enter(number, "connection", 1, 1)()
    clock.now += 61
    limits.enter("new", "connection", 1, 1)

    assert len(limits._uses) == 2
    with pytest.raises(Refused):
        limits.enter("open", "connection", 1, 1)
