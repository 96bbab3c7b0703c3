"""The hostile endpoints are as bad as they claim, seen by a plain HTTP client."""

import gzip
import io
import json
import time
import tracemalloc
from pathlib import Path

import httpx
import pytest
from a2a.client.card_resolver import parse_agent_card

from tests.fakes import hostile_tcp
from tests.fakes.hostile import BEHAVIOURS, SECRET_COOKIE, hostile_server
from tests.fakes.hostile_answers import HUGE, SCRIPT
from tests.fakes.hostile_sizes import BOMB

CALL = {"jsonrpc": "2.0", "id": "7", "method": "SendMessage", "params": {}}
CARD = "/.well-known/agent-card.json"


def post(hostile, behaviour, call=CALL):
    return httpx.post(hostile.url(behaviour), json=call, timeout=10)


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_leads_to_the_other_server(status):
    with hostile_server() as other, hostile_server(elsewhere=other.origin) as bad:
        answer = post(bad, f"redirect-{status}/plain-page")
        assert (answer.status_code, answer.headers["location"]) == (status, f"{other.origin}/plain-page")
        assert other.received == []
        httpx.post(bad.url(f"redirect-{status}/plain-page"), headers={"x-api-key": "k"}, follow_redirects=True)
        assert other.received[0].header("x-api-key") == ["k"]  # what T08 is about: only Authorization is dropped


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500, 503])
def test_errors_come_as_html(hostile, status):
    answer = post(hostile, f"html-{status}")
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")


@pytest.mark.parametrize("behaviour", ["huge", "huge-card", "sse-huge", "sse-huge-event"])
def test_a_huge_answer_is_more_than_eleven_megabytes(hostile, behaviour):
    assert len(post(hostile, behaviour).content) >= HUGE


def test_the_bomb_is_small_on_the_wire_and_large_unpacked(hostile):
    with httpx.stream("POST", hostile.url("gzip-bomb"), json=CALL, timeout=20) as answer:
        packed = b"".join(answer.iter_raw())
    assert len(packed) < BOMB / 200
    with gzip.open(io.BytesIO(packed)) as unpacked:
        unpacked.seek(BOMB - 1)
        assert unpacked.read() == b" "


def test_gzip_comes_though_identity_was_asked(hostile):
    headers = {"Accept-Encoding": "identity"}
    answer = httpx.post(hostile.url("gzipped"), json=CALL, headers=headers)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json()["result"]["task"]["id"] == "task-1"


@pytest.mark.parametrize("behaviour", ["never", "sse-silent"])
def test_nothing_more_comes(hostile, behaviour):
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(hostile.url(behaviour), json=CALL, timeout=0.3)


def test_an_endless_stream_goes_on(hostile):
    with httpx.stream("POST", hostile.url("sse-forever"), json=CALL) as answer:
        pieces = answer.iter_raw()
        assert all(next(pieces) for _ in range(5))


def test_a_stream_in_single_bytes_is_still_a_stream(hostile):
    with httpx.stream("POST", hostile.url("sse-bytes"), json=CALL) as answer:
        pieces = list(answer.iter_raw())
    assert max(map(len, pieces)) == 1
    events = b"".join(pieces).decode().strip().split("\r\n\r\n")
    texts = [json.loads(e.removeprefix("data: "))["result"]["task"]["artifacts"] for e in events]
    assert texts[1][0]["parts"][0]["text"] == "äöü 🙂 last"


def test_the_script_card_parses_and_points_elsewhere():
    with hostile_server(elsewhere="http://other.example") as bad:
        card = httpx.get(bad.url("script-card") + CARD).json()
    assert SCRIPT in card["name"]
    assert parse_agent_card(card).supported_interfaces[0].url == "http://other.example/agent"


def test_a_web_page_and_broken_json_are_no_cards(hostile):
    assert httpx.get(hostile.url("plain-page") + CARD).text.startswith("<!doctype html>")
    with pytest.raises(json.JSONDecodeError):
        httpx.get(hostile.url("not-json") + CARD).json()
    assert httpx.get(hostile.url("json-list") + CARD).json() == [1, 2, 3]


def test_headers_for_a_browser_come_with_a_good_answer(hostile):
    headers = post(hostile, "browser-headers").headers
    assert headers["set-cookie"] == SECRET_COOKIE
    for name in ("location", "content-security-policy", "clear-site-data", "access-control-allow-origin"):
        assert name in headers


def test_request_headers_come_back_in_headers_and_in_the_error(hostile):
    answer = httpx.post(hostile.url("echo-headers"), json=CALL, headers={"x-api-key": "canary-123"})
    assert answer.headers["x-echo-x-api-key"] == "canary-123"
    assert "x-api-key=canary-123" in answer.json()["error"]["message"]


def test_the_zoneless_answer_is_refused_by_the_strict_parser(hostile):
    from a2a.types import SendMessageResponse
    from google.protobuf.json_format import ParseDict, ParseError

    result = post(hostile, "zoneless").json()["result"]
    assert result["task"]["x_unknown"] == {"deep": [1, None]}
    with pytest.raises(ParseError, match="timestamp"):
        ParseDict(result, SendMessageResponse(), ignore_unknown_fields=True)


def test_everybody_gets_the_same_ids_in_either_dialect(hostile):
    new = post(hostile, "same-ids").json()["result"]["task"]
    old = post(hostile, "same-ids", {**CALL, "method": "message/send"}).json()["result"]
    rest = httpx.post(hostile.url("same-ids/message:send"), json={}).json()["task"]
    assert {(t["id"], t["contextId"]) for t in (new, old, rest)} == {("task-1", "context-1")}
    assert (new["status"]["state"], old["status"]["state"]) == ("TASK_STATE_COMPLETED", "completed")


def test_a_json_rpc_error_carries_the_callers_id(hostile):
    answer = post(hostile, "rpc-error")
    assert (answer.status_code, answer.json()["id"], answer.json()["error"]["code"]) == (200, "7", -32099)


def test_another_charset_is_declared_and_used(hostile):
    answer = post(hostile, "latin1")
    assert answer.charset_encoding == "iso-8859-1"
    assert "é".encode("latin-1") in answer.content


def test_every_behaviour_is_tried_above():
    tried = Path(__file__).read_text()
    assert [name for name in BEHAVIOURS if f'"{name}' not in tried] == []


@pytest.mark.parametrize("handler", [hostile_tcp.drops_at_once, hostile_tcp.no_http, hostile_tcp.two_lengths])
def test_broken_http_is_a_protocol_error(raw_endpoint, handler):
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        httpx.post(raw_endpoint(handler).url, json=CALL)


@pytest.mark.parametrize("handler", [hostile_tcp.drops_in_body, hostile_tcp.drops_in_stream])
def test_a_dropped_answer_begins_and_does_not_end(raw_endpoint, handler):
    with httpx.stream("POST", raw_endpoint(handler).url, json=CALL) as answer:
        pieces = answer.iter_raw()
        assert next(pieces)
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)


@pytest.mark.parametrize("handler", [hostile_tcp.slow_headers, hostile_tcp.silent])
def test_headers_do_not_come_in_time(raw_endpoint, handler):
    began = time.perf_counter()
    with (
        pytest.raises(httpx.ReadTimeout),
        httpx.stream("POST", raw_endpoint(handler).url, json=CALL, timeout=0.3),
    ):
        pass
    assert time.perf_counter() - began < 2


def test_a_slow_body_comes_byte_by_byte(raw_endpoint):
    with httpx.stream("POST", raw_endpoint(hostile_tcp.slow_body).url, json=CALL, timeout=3) as answer:
        pieces = answer.iter_raw()
        assert [next(pieces), next(pieces)] == [b" ", b" "]


def test_endless_headers_are_given_up_by_the_client_without_filling_memory(raw_endpoint):
    tracemalloc.start()
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        httpx.post(raw_endpoint(hostile_tcp.endless_headers).url, json=CALL)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * 1024 * 1024
