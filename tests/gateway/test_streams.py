"""Events arrive as they come, end when either side ends them, and are cut nowhere but at their ends (T26, F22)."""

import asyncio
import contextlib
import json
import socket
import threading
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx
import pytest

from connections.gateway import calls, sse
from tests.fakes.a2a_server import SPELLINGS
from tests.fakes.stock_client import TLS, send
from tests.gateway.conftest import Line, interfaces_at, line_to, message, new_line, rows_of, rpc
from tests.gateway.refusing import code_in, code_of, events_in

V1 = {"a2a-version": "1.0"}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
EVENT = b'data: {"jsonrpc":"2.0","id":7,"result":{"statusUpdate":{"taskId":"t%d","contextId":"c"}}}\n\n'


@contextlib.contextmanager
def streaming(line: Line, body: dict, path: str = "", headers: dict = V1) -> Iterator[httpx.Response]:
    url = f"{line.url}{path}"
    with (
        httpx.Client(verify=TLS, timeout=10) as client,
        client.stream("POST", url, json=body, headers=line.headers | headers) as answer,
    ):
        yield answer


def playing(*pieces: bytes | float):
    """A raw endpoint that plays bytes and pauses (seconds), then hangs up."""

    async def handle(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(length.split(b":")[1]))
        writer.write(HEAD)
        for piece in pieces:
            if isinstance(piece, bytes):
                writer.write(piece)
                await writer.drain()
            else:
                await asyncio.sleep(piece)

    return handle


BODIES = {
    ("JSONRPC", "1.0"): ("", rpc("SendStreamingMessage", message("stream 40"))),
    ("HTTP+JSON", "1.0"): ("/message:stream", message("stream 40")),
}


@pytest.mark.parametrize("spelling", BODIES, ids="-".join)
def test_the_first_event_arrives_before_the_last_is_produced(shared_line, spelling):
    path, body = BODIES[spelling]
    arrived = []
    with streaming(shared_line, body, path) as answer:
        arrived = [time.monotonic() for line in answer.iter_lines() if line.startswith("data:")]

    # The fake makes an event each 10 ms: 40 of them take 0.4 s.
    assert len(arrived) > 40
    assert arrived[-1] - arrived[0] > 0.3


def test_an_event_does_not_wait_for_the_next_one(shared_gateway, raw_endpoint):
    waits = threading.Event()

    async def holds_the_second_back(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + EVENT % 1)
        await writer.drain()
        await asyncio.to_thread(waits.wait, 5)
        writer.write(EVENT % 2)
        await writer.drain()

    line = new_line(raw_endpoint(holds_the_second_back).url)
    with streaming(line, rpc("SendStreamingMessage")) as answer:
        chunks = answer.iter_raw()
        first = next(chunks)
        assert not waits.is_set()
        waits.set()
        rest = b"".join(chunks)

    assert (first, rest) == (EVENT % 1, EVENT % 2)


@pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
def test_the_stock_client_gets_every_event_in_order(shared_line, spelling):
    events = send(shared_line.url, spelling, "stream 5", streaming=True, headers=shared_line.headers)

    said = [part.text for event in events for part in event.artifact_update.artifact.parts]
    assert said == ["1 ", "2 ", "3 ", "4 ", "5 "]


# Who hangs up.


def leave_after_first_event(line: Line, body: dict) -> str:
    """Reads one event, closes the socket without a word, and gives the request id."""
    with streaming(line, body) as answer:
        next(answer.iter_raw())
        return answer.headers["x-request-id"]


def test_when_the_client_leaves_the_endpoint_is_hung_up_on_within_a_second(shared_gateway, raw_endpoint):
    closed: list[float] = []

    async def sends_until_closed(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
        writer.write(HEAD + EVENT % 1)
        await writer.drain()
        await reader.read()  # nothing more comes but the end
        closed.append(time.monotonic())

    line = new_line(raw_endpoint(sends_until_closed).url)
    request_id = leave_after_first_event(line, rpc("SendStreamingMessage"))
    left = time.monotonic()
    rows = rows_of(request_id)

    assert [(row.kind, row.outcome, row.reason) for row in rows[1:]] == [("outcome", "failed", "client_left")]
    assert wait_for(lambda: closed)
    assert closed[0] - left < 1


def test_a_client_that_leaves_a_plain_call_ends_it_too(shared_gateway, raw_endpoint):
    closed: list[float] = []
    came = threading.Event()

    async def reads_until_closed(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        came.set()
        while await reader.read(65536):
            pass
        closed.append(time.monotonic())

    line = new_line(raw_endpoint(reads_until_closed).url)
    at, body = urlsplit(line.url), json.dumps(rpc()).encode()
    with socket.create_connection((at.hostname, at.port), timeout=5) as sock:
        head = f"POST {at.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {line.key}\r\nA2A-Version: 1.0\r\n"
        sock.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert came.wait(5)
    left = time.monotonic()

    assert wait_for(lambda: closed)
    assert closed[0] - left < 1


def test_an_endpoint_that_ends_its_stream_ends_it_for_the_client(shared_gateway, raw_endpoint):
    line = new_line(raw_endpoint(playing(EVENT % 1, EVENT % 2)).url)
    answer = line.post(rpc("SendStreamingMessage"), headers=V1)

    assert answer.content == EVENT % 1 + EVENT % 2
    outcome = rows_of(answer.headers["x-request-id"])[1]
    assert (outcome.outcome, outcome.status, outcome.bytes_out) == ("succeeded", 200, len(answer.content))


def test_a_pause_longer_than_the_idle_limit_ends_it(shared_gateway, raw_endpoint, settings):
    settings.GATEWAY_IDLE_SECONDS = 0.2
    line = new_line(raw_endpoint(playing(EVENT % 1, 5.0, EVENT % 2)).url)
    began = time.monotonic()
    answer = line.post(rpc("SendStreamingMessage"), headers=V1)

    assert time.monotonic() - began < 1.5
    assert answer.content.startswith(EVENT % 1)
    assert code_in(events_in(answer.content)[-1]["error"]) == "endpoint_timeout"


def test_pings_keep_a_stream_alive_beyond_the_idle_limit(shared_gateway, raw_endpoint, settings):
    settings.GATEWAY_IDLE_SECONDS = 0.3
    pings = [piece for _ in range(6) for piece in (b": ping\n\n", 0.1)]
    line = new_line(raw_endpoint(playing(*pings, EVENT % 1)).url)

    assert line.post(rpc("SendStreamingMessage"), headers=V1).content == b": ping\n\n" * 6 + EVENT % 1


def test_no_ping_keeps_it_alive_beyond_the_total_limit(shared_gateway, raw_endpoint, settings):
    settings.GATEWAY_STREAM_SECONDS = 0.4
    pings = [piece for _ in range(50) for piece in (b": ping\n\n", 0.05)]
    answer = new_line(raw_endpoint(playing(*pings)).url).post(rpc("SendStreamingMessage"), headers=V1)

    assert code_in(events_in(answer.content)[-1]["error"]) == "endpoint_timeout"


def test_a_client_that_stops_reading_is_let_go_at_the_total_limit(shared_gateway, raw_endpoint, settings, monkeypatch):
    """Its window is full, so no event can be sent: without an end it would hold its place and the endpoint forever."""
    settings.GATEWAY_STREAM_SECONDS, settings.GATEWAY_MAX_ANSWER = 0.8, 10**9
    monkeypatch.setattr(calls, "GRACE", 0.2)
    line = new_line(raw_endpoint(playing(*[b"data: " + b"x" * 500_000 + b"\n\n"] * 200)).url)
    before = len(shared_gateway.app.streams._open)
    at, body = urlsplit(line.url), json.dumps(rpc("SendStreamingMessage")).encode()
    with socket.create_connection((at.hostname, at.port), timeout=5) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"POST {at.path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {line.key}\r\nA2A-Version: 1.0\r\n"
        sock.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert wait_for(lambda: len(shared_gateway.app.streams._open) > before)
        assert wait_for(lambda: len(shared_gateway.app.streams._open) == before)
        request_id = next(
            line.split(b": ")[1] for line in sock.recv(2000).split(b"\r\n") if line.startswith(b"x-request-id")
        )
    assert rows_of(request_id.decode())[1].reason == "client_stalled"


# Bytes.

STREAMS = {
    "comments": b": hello\n\n" + EVENT % 1 + b":\n\n",
    "CRLF": (EVENT % 1 + EVENT % 2).replace(b"\n", b"\r\n"),
    "CR": (EVENT % 1 + EVENT % 2).replace(b"\n", b"\r"),
    "all fields": b"id: 1\nevent: message\nretry: 100\n" + EVENT % 1 + b"unknown: x\n" + EVENT % 2,
    "several data lines": b'data: {"jsonrpc":"2.0","id":7,\ndata: "result":{}}\n\n' + EVENT % 1,
    "no space after the colon": (EVENT % 1).replace(b"data: ", b"data:"),
    "no JSON": b"data: [DONE]\n\n" + EVENT % 1,
    "letters outside ASCII": 'data: {"jsonrpc":"2.0","id":7,"result":{"x":"äöü 🙂"}}\n\n'.encode(),
    "more blank lines": b"\n\n\n" + EVENT % 1 + b"\n\n" + EVENT % 2 + b"\n",
    "no blank line at the end": EVENT % 1 + (EVENT % 2).rstrip(b"\n"),
    "a byte order mark": b"\xef\xbb\xbf" + EVENT % 1,
}


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_a_stream_passes_byte_for_byte(shared_gateway, raw_endpoint, stream):
    answer = new_line(raw_endpoint(playing(stream)).url).post(rpc("SendStreamingMessage"), headers=V1)

    assert answer.content == stream
    assert answer.headers["content-type"] == "text/event-stream"
    assert answer.headers["x-accel-buffering"] == "no"


@pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS)
def test_wherever_it_is_divided_the_events_are_the_same(stream):
    def events_of(*chunks: bytes) -> list[bytes]:
        async def coming():
            for chunk in chunks:
                yield chunk

        async def gather():
            return [event async for together in sse.events(coming()) for event in together]

        return asyncio.run(gather())

    said = [sse.data_of(event) for event in events_of(stream) if sse.data_of(event)]
    for at in range(len(stream) + 1):
        events = events_of(stream[:at], stream[at:])
        assert b"".join(events) == stream
        assert [sse.data_of(event) for event in events if sse.data_of(event)] == said


@pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
def test_a_refusal_of_a_streaming_call_is_shown(shared_line, spelling):
    with pytest.raises(Exception, match="There is no such task"):
        send(shared_line.url, spelling, "hello", streaming=True, headers=shared_line.headers, task_id="not-mine")


def test_an_answer_in_json_to_a_streaming_call_passes(shared_gateway, hostile):
    """An endpoint that can't stream this may answer with one error as JSON (A2A 1.0, 9.4.2)."""
    answer = new_line(hostile.url("rpc-error")).post(rpc("SendStreamingMessage"), headers=V1)

    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == -32099


def test_a_refusal_before_the_first_event_is_one_event(shared_gateway, hostile):
    answer = new_line(hostile.url("html-503")).post(rpc("SendStreamingMessage"), headers=V1)

    [event] = events_in(answer.content)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/event-stream")
    assert code_in(event["error"]) == "endpoint_unavailable"


def test_a_refusal_in_http_json_has_its_status_also_for_a_stream(shared_gateway, hostile):
    url = hostile.url("html-503")
    answer = new_line(url, interfaces=interfaces_at(url)).post(message("x"), path="/message:stream")

    assert (answer.status_code, code_of(answer)) == (502, "endpoint_unavailable")


def test_a_task_can_be_followed_by_its_owner(shared_gateway, fake_agent):
    line = line_to(fake_agent())
    with streaming(line, rpc("SendStreamingMessage", message("forever"))) as answer:
        first = next(line for line in answer.iter_lines() if line.startswith("data:"))
        task = json.loads(first[5:])["result"]["task"]["id"]
        with streaming(line, rpc("SubscribeToTask", {"id": task})) as followed:
            again = next(line for line in followed.iter_lines() if line.startswith("data:"))

    assert json.loads(again[5:])["result"]["task"]["id"] == task


def wait_for(condition, seconds: float = 5) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.01)
    return bool(condition())
