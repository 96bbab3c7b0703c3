"""Which headers go to the endpoint and come back: allow-lists both ways, the credential last and single (T06, T07)."""

import json
import random
import re

import pytest

from connections.gateway.admission import Admitted
from connections.gateway.exchange import Exchange
from connections.gateway.forwarding import PASSED_ON, request_headers
from connections.gateway.spelling import read_rpc
from connections.methods.base import Credential
from portal.vault import Secret
from tests.fakes.hostile import SECRET_COOKIE
from tests.gateway.conftest import interfaces_at, line_to, message, new_line, rpc
from tests.gateway.refusing import raw

VALUE = "ledger-secret-value"
V1 = ("a2a-version", "1.0")
# What arrives at the endpoint and was not said by the caller.
OWN = {"host", "content-length", "accept-encoding", "user-agent", "a2a-version"}

OVERRIDES = {
    "the same name": [("x-api-key", "evil")],
    "odd case": [("X-aPi-KeY", "evil")],
    "twice": [("x-api-key", "evil"), ("X-Api-Key", "evil-too")],
    "an underscore": [("x_api_key", "evil")],
    "an underscore in capitals": [("X_API_KEY", "evil")],
    "X-Upstream-Authorization": [("X-Upstream-Authorization", "Bearer evil")],
    "X-Forwarded-Authorization": [("X-Forwarded-Authorization", "evil"), ("X-Original-Authorization", "evil")],
    "Proxy-Authorization": [("Proxy-Authorization", "Basic ZXZpbA==")],
    "Connection names the credential": [("Connection", "x-api-key"), ("x-api-key", "evil")],
    "Connection names authorization": [("Connection", "close, authorization, x-api-key")],
    "Keep-Alive and TE": [("Keep-Alive", "timeout=1"), ("TE", "trailers, x-api-key"), ("Trailer", "x-api-key")],
    "cookies": [("Cookie", "sessionid=stolen; csrftoken=stolen"), ("Cookie2", "x=y")],
    "CSRF": [("X-CSRFToken", "stolen"), ("Origin", "https://evil.example"), ("Referer", "https://evil.example/")],
    "forwarding": [
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Proto", "https"),
        ("X-Real-IP", "10.0.0.1"),
        ("Forwarded", "for=10.0.0.1;host=evil.example"),
        ("Via", "1.1 evil"),
    ],
    "another method or path": [
        ("X-HTTP-Method-Override", "DELETE"),
        ("X-Original-URL", "/admin"),
        ("X-Rewrite-URL", "/admin"),
    ],
    "other ranges and conditions": [("Range", "bytes=0-1"), ("If-None-Match", "*"), ("Expect", "nothing")],
    "another identity": [("x-ms-client-principal-id", "somebody"), ("x-ms-client-principal", "e30=")],
    "gzip, please": [("Accept-Encoding", "gzip, br")],
    "another browser": [("User-Agent", "evil/1.0")],
}


@pytest.mark.parametrize("extra", OVERRIDES.values(), ids=OVERRIDES)
def test_nothing_that_a_caller_sends_replaces_or_joins_the_credential(shared_line, extra):
    answer = raw(shared_line, "POST", "", json.dumps(rpc()).encode(), extra=[V1, *extra])

    assert answer.json()["result"]["task"]
    [call] = shared_line.endpoint.calls()
    assert call.header("x-api-key") == [VALUE]
    assert {name for name, _ in call.headers} == OWN | {"x-api-key"}
    assert not re.search("evil|stolen|somebody|10\\.0\\.0\\.1", str(call.headers))
    assert call.header("accept-encoding") == ["identity"]
    assert call.header("user-agent") == ["Gatehouse/1.0"]


def test_the_agent_key_never_reaches_the_endpoint(shared_line):
    shared_line.post(rpc(), headers={"a2a-version": "1.0"})

    [call] = shared_line.endpoint.calls()
    assert call.header("authorization") == []
    assert shared_line.key not in str(call)


def test_the_identity_of_the_user_stays_here(shared_line):
    """Even refused it goes nowhere: who speaks for whom is between agent and portal."""
    shared_line.post(rpc(), headers={"x-ms-user-identity": "ana.ruiz@contoso.example"})

    assert shared_line.endpoint.calls() == []


def test_an_authorization_credential_takes_the_place_of_the_agent_key(shared_gateway, fake_agent):
    line = line_to(
        fake_agent(required_header=("Authorization", "Bearer stored")), credential=("AUTHORIZATION", "Bearer stored")
    )
    answer = line.post(rpc(), headers={"a2a-version": "1.0"})

    assert answer.json()["result"]
    assert line.endpoint.calls()[0].header("authorization") == ["Bearer stored"]


@pytest.mark.parametrize("name", ["User-Agent", "TraceParent", "tracestate", "X-Request-Id"])
def test_a_credential_under_a_name_that_callers_may_send_wins(shared_gateway, fake_agent, name):
    line = line_to(fake_agent(), credential=(name, "stored-value"))
    raw(line, "POST", "", json.dumps(rpc()).encode(), extra=[V1, (name.lower(), "evil"), (name.upper(), "evil")])

    [call] = line.endpoint.calls()
    assert call.header(name) == ["stored-value"]
    assert "evil" not in str(call)


def test_on_the_wire_the_credential_is_last_single_and_spelled_as_stored(shared_gateway, raw_endpoint):
    seen: list[bytes] = []

    async def keeps_the_head(reader, writer):
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        body = b'{"jsonrpc":"2.0","id":7,"result":{}}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await writer.drain()

    line = new_line(raw_endpoint(keeps_the_head).url, credential=("X-Ledger-KEY", VALUE))
    extra = [V1, ("x-ledger-key", "evil"), ("Traceparent", "00-1-2-01"), ("Accept", "application/json")]
    answer = raw(line, "POST", "", json.dumps(rpc()).encode(), extra=extra)

    assert answer.status == 200
    names = [line.partition(b":")[0] for line in seen[0].split(b"\r\n")[1:-2]]
    said = [name for name in names if name.lower() not in (b"host", b"content-length", b"accept-encoding")]
    assert said[-1] == b"X-Ledger-KEY"
    assert [name.lower() for name in names].count(b"x-ledger-key") == 1
    assert seen[0].count(VALUE.encode()) == 1
    assert b"evil" not in seen[0]


def test_what_a2a_needs_passes_as_it_came(shared_line):
    said = [
        ("Accept", "application/json, text/event-stream"),
        ("Content-Type", "application/json; charset=utf-8"),
        ("A2A-Extensions", "https://one.example, https://two.example"),
        ("A2A-Extensions", "https://three.example"),
        ("X-A2A-Extensions", "https://older.example"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("tracestate", "vendor=value"),
    ]
    raw(shared_line, "POST", "", json.dumps(rpc()).encode(), extra=[V1, *said])

    [call] = shared_line.endpoint.calls()
    for name, value in said:
        assert value in call.header(name)
    assert call.header("a2a-version") == ["1.0"]


@pytest.mark.parametrize("path", ["", "/message:send", "/v1/message:send"])
def test_only_these_headers_come_back(shared_gateway, hostile, path):
    url = hostile.url("browser-headers")
    line = new_line(url, interfaces=interfaces_at(url))
    answer = line.post(rpc() if not path else message("x"), path=path)

    names = set(answer.headers) - {"date", "server"}
    assert names == {"content-type", "content-length", "x-request-id", "cache-control", "x-content-type-options"}
    assert "evil" not in str(answer.headers)
    assert SECRET_COOKIE.split("=")[0] not in str(answer.headers)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.status_code == 200


def test_extensions_and_version_come_back(shared_gateway, raw_endpoint):
    async def with_extensions(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"jsonrpc":"2.0","id":7,"result":{}}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nA2A-Version: 1.0\r\n")
        writer.write(b"A2A-EXTENSIONS: https://one.example\r\nX-A2A-Extensions: https://two.example\r\n")
        writer.write(b"X-Request-Id: theirs\r\nCache-Control: public\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    answer = new_line(raw_endpoint(with_extensions).url).post(rpc(), headers=dict([V1]))

    assert answer.headers["a2a-extensions"] == "https://one.example"
    assert answer.headers["x-a2a-extensions"] == "https://two.example"
    assert answer.headers["a2a-version"] == "1.0"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-request-id"].startswith("req_")


@pytest.mark.parametrize("streaming", ["SendMessage", "SendStreamingMessage"])
def test_a_stream_has_no_other_headers_either(shared_line, streaming):
    answer = shared_line.post(rpc(streaming), headers=dict([V1]))

    own = {"content-type", "x-request-id", "cache-control", "x-content-type-options"}
    more = {"transfer-encoding", "x-accel-buffering"} if "Streaming" in streaming else {"content-length"}
    assert set(answer.headers) - {"date", "server"} == own | more


TOKEN = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"


def some_name(chance: random.Random) -> str:
    known = [name.decode() for name in PASSED_ON]
    return chance.choice([*known, "".join(chance.choices(TOKEN, k=chance.randint(1, 20)))])


def test_whatever_the_names_are_the_credential_is_last_and_single():
    for seed in range(300):
        check_names(random.Random(seed))


def check_names(chance: random.Random) -> None:
    name = some_name(chance)
    sent = [(some_name(chance), f"value {number}") for number in range(chance.randint(0, 12))]
    headers = [(key.lower().encode(), value.encode()) for key, value in [*sent, (name, "evil")]]
    scope = {"method": "POST", "path": "/a2a/p/c", "query_string": b"", "headers": headers}
    asked = read_rpc(json.dumps(rpc()).encode(), "1.0")
    credential = Credential(((name, Secret(VALUE)),))

    going = request_headers(Exchange(scope, None, None), Admitted(None, None, None, asked, None, ""), credential)

    assert going[-1] == (name, VALUE)
    assert [key.lower() for key, _ in going].count(name.lower()) == 1
    allowed = {key.decode() for key in PASSED_ON} | {"a2a-version", "user-agent", name.lower()}
    assert {key.lower() for key, _ in going} <= allowed
