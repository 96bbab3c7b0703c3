"""Every refusal has a code, a text and a place of its own, and the stock client shows it in every spelling."""

import ast
import json
from pathlib import Path

import httpx
import pytest
from a2a.client import A2AClientError
from django.conf import settings as django_settings

from connections import troubleshooting
from connections.gateway import refusals
from connections.gateway.calls import OUTBOUND
from connections.gateway.refusals import KINDS, Refused
from connections.gateway.spelling import HTTP_JSON, JSONRPC, V03, V1, Spelling
from connections.methods import methods
from connections.methods.base import AuthMethod, CredentialUnavailable
from connections.troubleshooting import CATALOGUE
from portal.outbound import errors
from tests.fakes.a2a_server import SPELLINGS
from tests.fakes.stock_client import TLS, user_message, with_client
from tests.gateway.conftest import interfaces_at, message, new_line, rows_of, rpc
from tests.gateway.refusing import code_in, code_of, events_in

KEYS = {code for code, kind in KINDS.items() if kind.status == 401}
V1_HEADER = {"a2a-version": "1.0"}


def raised_in(folder: str, *names: str) -> set[str]:
    """The codes that the source raises under one of the exception's `names`."""
    calls = [
        node
        for path in Path(django_settings.BASE_DIR, folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names and node.args
    ]
    return {call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant)}


def of_outbound(error: type[errors.OutboundError] = errors.OutboundError) -> set[str]:
    codes = {OUTBOUND.get(error.code, error.code)}
    return codes.union(*(of_outbound(each) for each in error.__subclasses__()))


BY_ENDPOINT = {method.refused(status) for method in methods() for status in (401, 403)}
OF_STATUS = {troubleshooting.of_status(status) for status in range(300, 600)} - BY_ENDPOINT
RAISED = raised_in("connections/gateway", "Refused", "Unreadable") | raised_in("connections", "CredentialUnavailable")
# -32053, "endpoint unavailable", is meant: the address, the connection to it, or what it answers.
MEANT_AS_UNAVAILABLE = (of_outbound() | OF_STATUS | {"endpoint_not_a2a", "endpoint_id_unusable"}) - set(KINDS)


def test_the_source_raises_codes_at_all():
    assert {"unknown_path", "batch", "too_large", "secret_missing", "limit_rate"} <= RAISED
    assert {"endpoint_timeout", "not_reachable", "address_blocked", "endpoint_broke_off"} <= of_outbound()


@pytest.mark.parametrize("code", sorted(set(KINDS) | RAISED | BY_ENDPOINT | of_outbound() | OF_STATUS))
def test_every_code_has_a_text_of_its_own(code):
    entry = CATALOGUE[code]

    assert entry.code == code
    assert entry.title and entry.cause and entry.resolution
    assert "\n" not in entry.title + entry.cause + entry.resolution
    same = [other.code for other in CATALOGUE.values() if other.title == entry.title]
    assert same == [code]


def test_every_code_has_a_kind_or_is_meant_as_unavailable():
    # Only "Test connection", which is made by the portal itself, says this one.
    assert RAISED - set(KINDS) - MEANT_AS_UNAVAILABLE - {"test_needs_agent"} == set()


@pytest.mark.parametrize("code", sorted(KINDS))
def test_status_and_code_are_of_the_same_mind(code):
    kind = KINDS[code]
    rpc_status = refusals.status_of(Refused(code), Spelling(JSONRPC, V1))

    assert rpc_status == {401: 401, 413: 413}.get(kind.status, 200)
    assert (kind.status == 401) == (code.startswith("agent_"))
    assert (kind.status == 413) == (code == "too_large")
    assert kind.status != 503
    assert -32099 <= kind.code <= -32000 or -32603 <= kind.code <= -32600 or kind.code == -32700
    # Codes of the specification, or the portal's own six (design, section 5).
    assert kind.code in {-32001, -32002, -32003, -32004, -32009} or kind.code <= -32050


SPELLED = [Spelling(binding, version) for binding in (JSONRPC, HTTP_JSON) for version in (V1, V03)]


@pytest.mark.parametrize("spelling", SPELLED, ids=str)
@pytest.mark.parametrize("code", sorted(set(KINDS) | MEANT_AS_UNAVAILABLE))
def test_a_refusal_carries_all_that_a_program_needs(code, spelling):
    payload = json.loads(refusals.body(Refused(code, limit=7), spelling, "id-1", "req_1"))
    entry, error = CATALOGUE[code], payload["error"]
    details = error["data"] if spelling.binding == JSONRPC else error["details"]

    assert [detail["@type"] for detail in details] == ["type.googleapis.com/google.rpc.ErrorInfo"] * 2
    assert [detail["domain"] for detail in details] == ["a2a-protocol.org", "gatehouse"]
    assert details[1]["reason"] == code.upper()
    assert details[1]["metadata"] == {
        "cause": entry.cause,
        "resolution": entry.resolution,
        "who_must_act": entry.who,
        "request_id": "req_1",
        "limit": "7",
    }
    assert error["message"].endswith("(request req_1)")
    assert error["code"] == (Refused(code).kind.code if spelling.binding == JSONRPC else Refused(code).kind.status)
    assert spelling.binding == HTTP_JSON or payload["id"] == "id-1"


# Through the gateway to the stock client.


class Refusing(AuthMethod):
    """For tests: refuses each call with the code that stands in `code`."""

    slug, label, code = "test-refusing", "Refusing", ""

    def credential(self, connection, caller):
        raise CredentialUnavailable(self.code)


@pytest.fixture
def refusing(monkeypatch):
    method = Refusing()
    monkeypatch.setitem(methods().methods, method.slug, method)
    return method


@pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
def test_the_stock_client_shows_every_refusal(shared_gateway, refusing, spelling, streaming):
    """All but 401 and 413 over JSON-RPC, of which it keeps the status alone."""
    url = "http://127.0.0.1:9/agent"
    card = {"name": "A", "version": "1", "capabilities": {"streaming": True}, "skills": []}
    line = new_line(url, credential=None, auth_method=refusing.slug, card=card, interfaces=interfaces_at(url))
    lost = {"too_large", *KEYS} if spelling[0] == JSONRPC else set()
    unshown = []

    async def talk(client):
        for code in sorted((set(KINDS) | BY_ENDPOINT | MEANT_AS_UNAVAILABLE) - {"limit_rate"}):
            refusing.code = code
            try:
                events = [event async for event in client.send_message(user_message("hello"))]
                unshown.append((code, f"no error but {events}"))
            except Exception as error:
                if CATALOGUE[code].title not in str(error) and code not in lost:
                    unshown.append((code, repr(error)))
                if code in lost:
                    assert isinstance(error, A2AClientError)
                    assert str(KINDS[code].status) in str(error)

    with_client(line.url, spelling, talk, streaming=streaming, headers=line.headers)
    assert unshown == []


def test_the_outcome_says_who_said_no(shared_gateway, refusing):
    line = new_line("http://127.0.0.1:9/agent", credential=None, auth_method=refusing.slug)
    expected = {
        "consent_required": "consent_needed",
        "user_missing": "not_permitted",
        "connection_disabled": "not_permitted",
        "secret_missing": "failed",
        "endpoint_timeout": "failed",
        "internal": "failed",
    }
    found = {}
    for code in expected:
        refusing.code = code
        answer = line.post(rpc(), headers=V1_HEADER)
        row = rows_of(answer.headers["x-request-id"])[1]
        assert row.reason == code
        found[code] = row.outcome

    assert found == expected


def test_a_method_that_is_no_longer_installed_is_named(shared_gateway, fake_agent):
    line = new_line(fake_agent().url, credential=None, auth_method="gone-with-its-package")

    assert code_of(line.post(rpc(), headers=V1_HEADER)) == "method_not_installed"
    assert code_of(line.get("/consent-status")) == "method_not_installed"


# Request ids.


def test_every_answer_has_a_request_id_that_the_log_knows(shared_line, settings):
    settings.GATEWAY_MAX_REQUEST = 2000
    asked = {
        "an answer": shared_line.post(rpc(), headers=V1_HEADER),
        "a stream": shared_line.post(rpc("SendStreamingMessage"), headers=V1_HEADER),
        "HTTP+JSON": shared_line.post(message("x"), path="/message:send"),
        "the card": shared_line.get("/.well-known/agent-card.json"),
        "the consent status": shared_line.get("/consent-status"),
        "a path that is not there": shared_line.get("/nowhere"),
        "no JSON": shared_line.post(None, content=b"{"),
        "too much": shared_line.post(rpc(params=message("x" * 2000))),
        "no key": httpx.post(shared_line.url, json=rpc(), verify=TLS),
        "no such connection": httpx.post(f"{shared_line.url}x", json=rpc(), headers=shared_line.headers, verify=TLS),
    }
    ids = {name: answer.headers["x-request-id"] for name, answer in asked.items()}

    assert len(set(ids.values())) == len(ids)
    for name, request_id in ids.items():
        assert rows_of(request_id, count=1), name
    for name in ("a path that is not there", "no JSON", "too much", "no key", "no such connection"):
        assert f"(request {ids[name]})" in asked[name].text


def test_a_request_id_of_the_callers_own_is_not_taken(shared_line):
    """It could be made to collide with another's in the log."""
    answer = shared_line.post(rpc(), headers=V1_HEADER | {"x-request-id": "req_of-somebody-else"})

    assert answer.headers["x-request-id"] != "req_of-somebody-else"
    assert shared_line.endpoint.calls()[0].header("x-request-id") == []


def test_the_sentence_of_a_stream_names_the_same_request(shared_gateway, hostile):
    answer = new_line(hostile.url("html-500")).post(rpc("SendStreamingMessage"), headers=V1_HEADER)
    [event] = events_in(answer.content)

    assert answer.headers["x-request-id"] in event["error"]["message"]
    assert code_in(event["error"]) == "endpoint_unavailable"


def test_a_refusal_repeats_nothing_of_the_request(shared_line):
    """What came in may hold what does not belong into a log of the caller."""
    canary = "canary-in-the-request"
    answers = [
        shared_line.post(rpc(canary), headers=V1_HEADER),
        shared_line.get(f"/{canary}"),
        shared_line.post(rpc("GetTask", {"id": canary}), headers=V1_HEADER),
        shared_line.post(rpc(), headers={"a2a-version": canary}),
        shared_line.post(rpc(), headers={"authorization": f"Bearer {canary}"}),
        shared_line.post(rpc(), headers={"x-ms-user-identity": f"{canary}@contoso.example"}),
    ]
    assert all(code_of(answer) for answer in answers)
    assert [answer.text for answer in answers if canary in answer.text] == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("agent_blocked_by_user", refusals.NOT_PERMITTED),
        ("oauth_not_finished", refusals.ENDPOINT_REFUSED),
        ("provider_unavailable", refusals.ENDPOINT_UNAVAILABLE),
        ("secret_missing", refusals.ENDPOINT_REFUSED),
    ],
)
def test_a_missing_credential_is_refused_after_who_must_act(code, expected):
    assert refusals.NoCredential(code).kind.code == expected
