"""Bytes pass as they came, both ways: nothing is parsed and written again (protocols.md, fact 3)."""

import json

import httpx
import pytest

from tests.fakes.stock_client import TLS
from tests.gateway.conftest import Line, interfaces_at, message, new_line, rows_of, rpc
from tests.gateway.refusing import code_of

V1 = {"a2a-version": "1.0"}
TASK = '"id":"t1","contextId":"c1","status":{"state":"TASK_STATE_COMPLETED"}'


def post(line: Line, content: str | bytes, path: str = "", headers: dict = V1) -> httpx.Response:
    kind = {"content-type": "application/json"}
    return httpx.post(
        f"{line.url}{path}", content=content, headers=line.headers | kind | headers, timeout=10, verify=TLS
    )


REQUESTS = {
    "unusual whitespace": '\n {"jsonrpc" :\t"2.0",\r\n"id":1 , "method":"SendMessage","params":{"message":%s} }\n\n',
    "members in another order": '{"params":{"message":%s},"method":"SendMessage","id":1,"jsonrpc":"2.0"}',
    "unknown members": '{"jsonrpc":"2.0","id":1,"method":"SendMessage","x-mine":[1],"params":{"message":%s,"new":{}}}',
    "escapes": '{"jsonrpc":"2.0","id":1,"m\\u0065thod":"SendMessage","params":{"message":%s,"x":"\\u00e4\\/\\ud83d"}}',
    "numbers as written": '{"jsonrpc":"2.0","id":1.0,"method":"SendMessage","params":{"message":%s,"n":[1E+2,1.10]}}',
    "big numbers": '{"jsonrpc":"2.0","id":12345678901234567890,"method":"SendMessage","params":{"message":%s}}',
    "numbers beyond a double": '{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":%s,"n":1e999}}',
    "nothing but null": '{"jsonrpc":"2.0","id":null,"method":"SendMessage","params":{"message":%s,"metadata":null}}',
    "letters outside ASCII": '{"jsonrpc":"2.0","id":"ä🙂","method":"SendMessage","params":{"message":%s,"x":"äöü 🙂"}}',
    "snake case": '{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"message":%s,"metadata":{"a_b":1,"aB":2}}}',
}
MESSAGE = '{"messageId":"m1","role":"ROLE_USER","parts":[{"text":"hello"}]}'


def endpoint_answering(body: bytes, kind: bytes = b"application/json", status: int = 200, seen: list | None = None):
    async def handle(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = next((x for x in head.lower().split(b"\r\n") if x.startswith(b"content-length")), b"x:0")
        came = await reader.readexactly(int(length.split(b":")[1]))
        if seen is not None:
            seen.append((head.split(b"\r\n")[0], came))
        writer.write(b"HTTP/1.1 %d X\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (status, kind, len(body)))
        writer.write(body)
        await writer.drain()

    return handle


@pytest.mark.parametrize("request_text", REQUESTS.values(), ids=REQUESTS)
def test_a_request_reaches_the_endpoint_byte_for_byte(shared_gateway, raw_endpoint, request_text):
    seen, body = [], (request_text % MESSAGE).encode()
    line = new_line(raw_endpoint(endpoint_answering(b'{"jsonrpc":"2.0","id":1,"result":{}}', seen=seen)).url)
    answer = post(line, body)

    assert answer.status_code == 200
    assert [came for _, came in seen] == [body]
    assert rows_of(answer.headers["x-request-id"])[1].bytes_in == len(body)


PATHS = [
    ("POST", "/message:send", b' {"message": {"messageId":"m","role":"ROLE_USER","parts":[]} }\n'),
    ("POST", "/v1/message:send", b'{"request":{"message_id":"m","role":"ROLE_USER","content":[]},"x":1.0}'),
    ("GET", "/tasks?pageSize=1&contextId=%C3%A4+b&x=%2F", b""),
    ("GET", "/extendedAgentCard?x=%20y", b""),
    ("GET", "/v1/card", b""),
]


@pytest.mark.parametrize(("method", "path", "body"), PATHS)
def test_http_json_goes_below_the_endpoints_own_path(shared_gateway, raw_endpoint, method, path, body):
    seen = []
    url = raw_endpoint(endpoint_answering(b"{}", seen=seen)).url + "/base/path/"
    line = new_line(url, interfaces=interfaces_at(url))
    httpx.request(method, f"{line.url}{path}", content=body, headers=line.headers, timeout=10, verify=TLS)

    if method == "GET" and path.startswith("/tasks"):
        assert seen == []  # the context is not the caller's: an empty page, and no call
    else:
        assert seen == [(f"{method} /base/path{path} HTTP/1.1".encode(), body)]


def test_the_query_of_a_json_rpc_call_stays_here(shared_gateway, raw_endpoint):
    seen = []
    line = new_line(raw_endpoint(endpoint_answering(b'{"jsonrpc":"2.0","id":7,"result":{}}', seen=seen)).url)
    post(line, json.dumps(rpc()), "?api_key=evil&x=1")

    assert seen[0][0] == b"POST / HTTP/1.1"


RESULTS = {
    "unusual whitespace": ' {"jsonrpc":\t"2.0","id":7 ,\n"result":{"task":{%s}}}\r\n',
    "unknown members": '{"jsonrpc":"2.0","id":7,"result":{"task":{%s,"x_unknown":{"deep":[1,null]}},"more":1}}',
    "a timestamp without a zone": '{"jsonrpc":"2.0","id":7,"result":{"task":{%s,"at":"2026-11-22T15:00:00.123456"}}}',
    "big numbers": '{"jsonrpc":"2.0","id":7,"result":{"task":{%s,"n":[123456789012345678901234567890,1.10,1E400]}}}',
    "NaN": '{"jsonrpc":"2.0","id":7,"result":{"task":{%s,"n":NaN}}}',
    "a member twice": '{"jsonrpc":"2.0","id":7,"result":{"task":{%s,"x":1,"x":2}}}',
    "escapes": '{"jsonrpc":"2.0","id":7,"result":{"task":{%s,"x":"\\u00e4\\/\\ud800"}}}',
    "letters outside ASCII": '{"jsonrpc":"2.0","id":7,"result":{"task":{%s,"x":"äöü 🙂"}}}',
    "another id": '{"jsonrpc":"2.0","id":"not yours","result":{"task":{%s}}}',
    "error and result": '{"jsonrpc":"2.0","id":7,"error":null,"result":{"task":{%s}}}',
    "a bare task": '{"jsonrpc":"2.0","id":7,"result":{%s,"kind":"task"}}',
    "an unknown kind": '{"jsonrpc":"2.0","id":7,"result":{"kind":"surprise",%s}}',
}


@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
@pytest.mark.parametrize("kind", [b"application/json", b"application/json; charset=utf-8"])
def test_an_answer_reaches_the_caller_byte_for_byte(shared_gateway, raw_endpoint, result, kind):
    body = (result % TASK).encode()
    answer = post(new_line(raw_endpoint(endpoint_answering(body, kind)).url), json.dumps(rpc()))

    assert answer.content == body
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["content-length"] == str(len(body))


@pytest.mark.parametrize("result", [None, "text", 7, True, [], [{"id": "t"}], {}, {"task": 7}, {"tasks": {}}])
def test_a_shape_that_is_not_known_passes(shared_gateway, raw_endpoint, result):
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "result": result}).encode()
    answer = post(new_line(raw_endpoint(endpoint_answering(body)).url), json.dumps(rpc()))

    assert answer.content == body


HTTP_ANSWERS = [
    (200, b"application/a2a+json", b'{ "task":{"id":"t","contextId":"c","status":{"state":"TASK_STATE_WORKING"}} }'),
    (404, b"application/json", b'{"error":{"code":404,"status":"NOT_FOUND","message":"Task not found","details":[]}}'),
    (400, b"application/problem+json", b'{"type":"about:blank","title":"No","status":400}'),
    (500, b"application/json", b'{"error":{"code":500,"message":"The endpoint\'s own words"}}'),
]


@pytest.mark.parametrize(("status", "kind", "body"), HTTP_ANSWERS)
def test_http_json_keeps_status_and_media_type(shared_gateway, raw_endpoint, status, kind, body):
    url = raw_endpoint(endpoint_answering(body, kind, status)).url
    answer = new_line(url, interfaces=interfaces_at(url)).post(message("x"), path="/message:send")

    assert (answer.status_code, answer.content) == (status, body)
    assert answer.headers["content-type"] == kind.decode()


NO_ANSWERS = {
    "UTF-16": json.dumps({"jsonrpc": "2.0", "id": 7, "result": {}}).encode("utf-16"),
    "a batch": b'[{"jsonrpc":"2.0","id":7,"result":{}}]',
    "no JSON-RPC": b'{"id":7,"result":{}}',
    "half of it": b'{"jsonrpc":"2.0","id":7,"resu',
    "nothing": b"",
    "too deep": b'{"jsonrpc":"2.0","result":' + b"[" * 100_000,
}


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_answer_is_refused(shared_gateway, raw_endpoint, body):
    assert code_of(post(new_line(raw_endpoint(endpoint_answering(body)).url), json.dumps(rpc()))) == "endpoint_not_a2a"


def test_what_fasta2a_answers_passes(shared_gateway, hostile):
    """Its timestamps lack a zone: the official client refuses them, a lenient one need not."""
    answer = new_line(hostile.url("zoneless")).post(rpc("message/send"), headers={"a2a-version": "0.3"})

    assert answer.json()["result"]["x_unknown"] == {"deep": [1, None]}
    assert answer.json()["result"]["status"]["timestamp"] == "2026-11-22T15:00:00.123456"


def test_a_large_message_passes_whole(shared_line):
    text = "task " + "x" * 900_000
    answer = shared_line.post(rpc(params=message(text)), headers=V1)

    assert answer.json()["result"]["task"]["artifacts"][0]["parts"][0]["text"] == text[5:]
