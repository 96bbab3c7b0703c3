"""Endpoints that fail or attack: each gets a refusal of its own, shown by the stock client, and a row (T08, T26)."""

import json
import time

import pytest

from connections import troubleshooting
from connections.methods import methods
from connections.methods.base import AuthMethod, Credential, CredentialUnavailable
from portal.audit.models import LogRow
from portal.vault import Secret
from tests.fakes import hostile_tcp
from tests.fakes.a2a_server import SPELLINGS
from tests.fakes.hostile import hostile_server
from tests.fakes.stock_client import send
from tests.gateway.conftest import Line, interfaces_at, message, new_line, rows_of, rpc
from tests.gateway.refusing import code_in, code_of, events_in

CARD = {"name": "Agent", "version": "1", "capabilities": {"streaming": True}, "skills": []}
V1 = {"a2a-version": "1.0"}
every_spelling = pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
both_ways = pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])

ANSWERS = {
    "redirect-301": "endpoint_redirects",
    "redirect-302": "endpoint_redirects",
    "redirect-303": "endpoint_redirects",
    "redirect-307": "endpoint_redirects",
    "redirect-308": "endpoint_redirects",
    "html-400": "endpoint_bad_request",
    "html-401": "endpoint_refused_401",
    "html-403": "endpoint_refused_403",
    "html-404": "endpoint_not_found",
    "html-405": "endpoint_not_a2a",
    "html-408": "endpoint_timeout",
    "html-410": "endpoint_not_found",
    "html-413": "endpoint_refuses_size",
    "html-418": "endpoint_refused_request",
    "html-429": "endpoint_busy",
    "html-500": "endpoint_unavailable",
    "html-501": "endpoint_not_a2a",
    "html-502": "endpoint_unavailable",
    "html-503": "endpoint_unavailable",
    "html-504": "endpoint_timeout",
    "huge": "endpoint_answer_too_large",
    "never": "endpoint_timeout",
    "plain-page": "endpoint_not_a2a",
    "not-json": "endpoint_not_a2a",
    "json-list": "endpoint_not_a2a",
    "gzipped": "encoding_refused",
    "latin1": "endpoint_not_a2a",
    "sse-huge-event": "endpoint_answer_too_large",
}
TCP = {
    "slow_headers": "endpoint_timeout",
    "slow_body": "endpoint_timeout",
    "silent": "endpoint_timeout",
    "drops_at_once": "endpoint_broke_off",
    "drops_in_body": "endpoint_broke_off",
    "no_http": "endpoint_broke_off",
    "two_lengths": "endpoint_broke_off",
    "endless_headers": "endpoint_broke_off",
}
ADDRESSES = {
    "https://169.254.169.254/agent": "address_blocked",
    "https://[::ffff:10.0.0.1]/agent": "address_blocked",
    "https://no-such-host.invalid/agent": "name_not_found",
    "http://127.0.0.1:1/agent": "not_reachable",
    "ftp://127.0.0.1/agent": "invalid_url",
}


@pytest.fixture(autouse=True)
def short_limits(settings) -> None:
    settings.GATEWAY_CALL_SECONDS = settings.GATEWAY_STREAM_SECONDS = 0.4
    settings.GATEWAY_IDLE_SECONDS = 0.2
    settings.GATEWAY_MAX_ANSWER = 100_000


def line_to_bad(url: str) -> Line:
    return new_line(url, card=CARD, interfaces=interfaces_at(url))


def assert_one_row(request_id: str, code: str) -> LogRow:
    attempt, outcome = rows_of(request_id)
    assert attempt.kind == "attempt"
    assert outcome.reason == code
    by_endpoint = code in ("endpoint_refused_401", "endpoint_refused_403")
    assert outcome.outcome == ("refused_by_endpoint" if by_endpoint else "failed")
    return outcome


@pytest.mark.parametrize(("behaviour", "code"), ANSWERS.items(), ids=ANSWERS)
def test_each_bad_answer_has_a_refusal_of_its_own(shared_gateway, hostile, behaviour, code):
    line = line_to_bad(hostile.url(behaviour))
    began = time.monotonic()
    answer = line.post(rpc(), headers=V1)

    assert time.monotonic() - began < 2
    assert (answer.status_code, code_of(answer)) == (200, code)
    assert len(hostile.received) == 1
    row = assert_one_row(answer.headers["x-request-id"], code)
    number = behaviour.rpartition("-")[2]
    assert row.status == (int(number) if behaviour.startswith("html-") else row.status)
    for word in ("nginx", "Welcome", "<html", hostile.origin):
        assert word not in answer.text


@pytest.mark.parametrize(("name", "code"), TCP.items(), ids=TCP)
def test_what_is_no_correct_http_has_one_too(shared_gateway, raw_endpoint, name, code):
    line = line_to_bad(raw_endpoint(getattr(hostile_tcp, name)).url)
    began = time.monotonic()
    answer = line.post(rpc(), headers=V1)

    assert time.monotonic() - began < 2
    assert (answer.status_code, code_of(answer)) == (200, code)
    assert_one_row(answer.headers["x-request-id"], code)


@pytest.mark.parametrize(("url", "code"), ADDRESSES.items(), ids=ADDRESSES)
def test_an_address_that_is_not_called_says_why(shared_gateway, url, code):
    answer = line_to_bad(url).post(rpc(), headers=V1)

    assert code_of(answer) == code
    assert_one_row(answer.headers["x-request-id"], code)


@every_spelling
@both_ways
@pytest.mark.parametrize("behaviour", ["html-401", "redirect-307", "plain-page", "gzipped"])
def test_the_stock_client_shows_the_sentence_in_every_spelling(shared_gateway, hostile, spelling, streaming, behaviour):
    line = line_to_bad(hostile.url(behaviour))
    entry = troubleshooting.CATALOGUE[ANSWERS[behaviour]]

    with pytest.raises(Exception) as shown:
        send(line.url, spelling, "hello", streaming=streaming, headers=line.headers)

    for sentence in (entry.title, entry.cause, entry.resolution):
        assert sentence in str(shown.value)
    assert len(hostile.received) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_another_host_shows_it_nothing(shared_gateway, fake_agent, status):
    """Only the port differs: to strip a credential "on another host" would not even help here (T08)."""
    elsewhere = fake_agent()
    with hostile_server(elsewhere.origin) as bad:
        line = line_to_bad(bad.url(f"redirect-{status}"))
        assert code_of(line.post(rpc(), headers=V1)) == "endpoint_redirects"
        line.post(message("x"), path="/message:send")
        line.get("/extendedAgentCard")

    assert elsewhere.received == []


STREAMS = {
    "sse-huge": "endpoint_answer_too_large",
    "sse-forever": "endpoint_timeout",
    "sse-silent": "endpoint_timeout",
    "drops_in_stream": "endpoint_broke_off",
}


BROKEN = [(SPELLINGS[0], behaviour) for behaviour in STREAMS] + [(each, "drops_in_stream") for each in SPELLINGS[1:]]


@pytest.mark.parametrize(("spelling", "behaviour"), BROKEN)
def test_a_stream_that_breaks_off_says_so_in_its_last_event(shared_gateway, hostile, raw_endpoint, spelling, behaviour):
    tcp = getattr(hostile_tcp, behaviour, None)
    line = line_to_bad(raw_endpoint(tcp).url if tcp else hostile.url(behaviour))
    binding, version = spelling
    body = (
        rpc("SendStreamingMessage" if version == "1.0" else "message/stream") if binding == "JSONRPC" else message("x")
    )
    path = {"1.0": "/message:stream", "0.3": "/v1/message:stream"}[version] if binding != "JSONRPC" else ""
    answer = line.post(body, path=path, headers={"a2a-version": version})

    first, *_, last = events_in(answer.content)
    assert answer.status_code == 200
    assert "result" in first or "task" in first
    assert code_in(last["error"]) == STREAMS[behaviour]
    assert answer.content.endswith(b"\n\n")
    assert (b"event: error" in answer.content) == (binding != "JSONRPC")
    assert_one_row(answer.headers["x-request-id"], STREAMS[behaviour])


@every_spelling
def test_the_stock_client_shows_where_a_stream_broke_off(shared_gateway, hostile, spelling):
    line = line_to_bad(hostile.url("sse-silent"))
    title = troubleshooting.CATALOGUE["endpoint_timeout"].title

    with pytest.raises(Exception, match=title):
        send(line.url, spelling, "hello", streaming=True, headers=line.headers)


def test_an_error_of_the_endpoints_own_passes_and_is_noted(shared_gateway, hostile):
    answer = line_to_bad(hostile.url("rpc-error")).post(rpc(), headers=V1)

    assert answer.json()["error"]["message"] == "The endpoint's own words"
    outcome = rows_of(answer.headers["x-request-id"])[1]
    assert (outcome.outcome, outcome.reason, outcome.status) == ("failed", "endpoint_error", 200)


@pytest.mark.parametrize("task", ["x" * 257, "nul\0nul", "\ud800"], ids=["long", "NUL", "surrogate"])
def test_an_id_that_cannot_be_remembered_is_refused(shared_gateway, raw_endpoint, task):
    """Unremembered it would be a task that nobody may read again, or the caller's and everybody's."""
    result = {"task": {"id": task, "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}}
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "result": result}).encode()
    answer = line_to_bad(raw_endpoint(answering(body)).url).post(rpc(), headers=V1)

    assert code_of(answer) == "endpoint_id_unusable"


def answering(*bodies: bytes, statuses: tuple[int, ...] = (), seen: list[bytes] | None = None):
    """A raw endpoint that gives each connection the next body, the last one for ever."""
    left = list(zip(bodies, statuses or [200] * len(bodies), strict=True))

    async def handle(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        if seen is not None:
            seen.append(head)
        body, status = left.pop(0) if len(left) > 1 else left[0]
        writer.write(b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nConnection: close\r\n" % status)
        writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    return handle


# A 401 and a better credential.


class Renewing(AuthMethod):
    """For tests: the first credential is stale, and `renew` has a better one or says why not."""

    slug = "test-renewing"
    label = "Renewing"
    renewed: Credential | None = Credential((("X-Key", Secret("the-fresh-one")),))
    refusal = ""

    def credential(self, connection, caller):
        return Credential((("X-Key", Secret("the-stale-one")),))

    def renew(self, connection, caller, refused):
        assert refused.headers[0][1].reveal() == "the-stale-one"
        if self.refusal:
            raise CredentialUnavailable(self.refusal)
        return self.renewed


@pytest.fixture
def renewing(monkeypatch):
    method = Renewing()
    monkeypatch.setitem(methods().methods, method.slug, method)
    return method


GOOD = b'{"jsonrpc":"2.0","id":7,"result":{}}'


def keys_in(heads: list[bytes]) -> list[bytes]:
    return [line[7:] for head in heads for line in head.split(b"\r\n") if line.startswith(b"X-Key: ")]


def test_a_401_lets_the_method_renew_once(shared_gateway, raw_endpoint, renewing):
    seen = []
    url = raw_endpoint(answering(b"{}", GOOD, statuses=(401, 200), seen=seen)).url
    answer = new_line(url, credential=None, auth_method=renewing.slug).post(rpc(), headers=V1)

    assert answer.json()["result"] == {}
    assert keys_in(seen) == [b"the-stale-one", b"the-fresh-one"]
    assert len(rows_of(answer.headers["x-request-id"], count=3, seconds=0.3)) == 2


def test_a_second_401_is_the_endpoints_last_word(shared_gateway, raw_endpoint, renewing):
    seen = []
    url = raw_endpoint(answering(b"{}", statuses=(401,), seen=seen)).url
    answer = new_line(url, credential=None, auth_method=renewing.slug).post(rpc(), headers=V1)

    assert code_of(answer) == "endpoint_refused_401"
    assert len(seen) == 2


@pytest.mark.parametrize("refusal", ["", "credential_unavailable"])
def test_without_a_better_credential_the_endpoint_is_asked_once(shared_gateway, raw_endpoint, renewing, refusal):
    renewing.renewed, renewing.refusal, seen = None, refusal, []
    url = raw_endpoint(answering(b"{}", statuses=(401,), seen=seen)).url
    answer = new_line(url, credential=None, auth_method=renewing.slug).post(rpc(), headers=V1)

    assert code_of(answer) == (refusal or "endpoint_refused_401")
    assert len(seen) == 1


@pytest.mark.parametrize("status", [403, 407, 419, 500])
def test_no_other_status_renews(shared_gateway, raw_endpoint, renewing, status):
    seen = []
    url = raw_endpoint(answering(b"{}", statuses=(status,), seen=seen)).url
    new_line(url, credential=None, auth_method=renewing.slug).post(rpc(), headers=V1)

    assert len(seen) == 1


def test_an_error_that_nobody_expected_is_refused_and_noted(shared_gateway, fake_agent, renewing, caplog):
    """Its text may hold a secret: it reaches neither the caller nor a log."""

    def fails(connection, caller):
        raise RuntimeError("the-secret-in-an-exception")

    renewing.credential = fails
    answer = new_line(fake_agent().url, credential=None, auth_method=renewing.slug).post(rpc(), headers=V1)

    assert code_of(answer) == "internal"
    assert_one_row(answer.headers["x-request-id"], "internal")
    assert "the-secret-in-an-exception" not in answer.text + caplog.text
