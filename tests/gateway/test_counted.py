"""What one call adds to the figures that Prometheus reads."""

import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from portal import metrics
from tests.fakes.stock_client import TLS
from tests.gateway.conftest import message, rpc
from tests.test_metrics import values

Grown = Callable[..., float]


@pytest.fixture
def grown() -> Iterator[Grown]:
    """How much a sample has grown since the test began; labels stand in the order of their names."""
    before = values(metrics.page([]).decode())
    yield lambda *key: values(metrics.page([]).decode()).get(key, 0) - before.get(key, 0)


def eventually(holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + 5
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    return holds()


def test_calls_are_counted_by_outcome_method_and_kind(line, grown):
    method = line.connection.auth_method
    assert "result" in line.post(rpc()).json()
    assert line.post(rpc("SendStreamingMessage")).status_code == 200
    assert line.get("/.well-known/agent-card.json").status_code == 200
    assert line.post(rpc(), headers={"authorization": "Bearer nobody"}).status_code == 401
    for kind in ("plain", "stream", "about"):
        assert eventually(lambda: grown("gatehouse_gateway_calls_total", method, kind, "succeeded") == 1), kind  # noqa: B023
        assert grown("gatehouse_gateway_call_seconds_count", kind) == 1
    assert grown("gatehouse_gateway_calls_total", "none", "unread", "not_permitted") == 1
    assert grown("gatehouse_gateway_problems_total", "agent_key_malformed") == 1


def test_rows_of_the_log_are_counted_by_commit(line, grown):
    line.post(rpc())
    assert eventually(lambda: grown("gatehouse_log_commit_rows_sum") == 2)
    assert 1 <= grown("gatehouse_log_commit_rows_count") <= 2
    assert grown("gatehouse_log_commit_failures_total") == 0


def test_a_stream_is_shown_while_it_is_open(line, gateway):
    def open_streams() -> float:
        return values(metrics.page([]).decode())["gatehouse_gateway_open_calls", "stream"]

    let_go = threading.Event()
    body = rpc("SendStreamingMessage", message("forever"))

    def listen() -> None:
        with httpx.stream("POST", line.url, json=body, headers=line.headers, timeout=20, verify=TLS) as answer:
            for _ in answer.iter_bytes():
                if let_go.is_set():
                    return

    listening = threading.Thread(target=listen)
    listening.start()
    try:
        assert eventually(lambda: open_streams() == 1)
    finally:
        let_go.set()
        listening.join(10)
    assert eventually(lambda: open_streams() == 0)
