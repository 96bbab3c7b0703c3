"""What the stock client shows of a refusal, and what it sends. The gateway's spelling of refusals rests on this.

A newer a2a-sdk that turns one of these red is a reason to read the gateway's refusals again.
"""

import json

import pytest
from a2a.client.errors import A2AClientError
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, TaskState
from a2a.utils.errors import (
    InternalError,
    InvalidRequestError,
    MethodNotFoundError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tests.fakes.a2a_server import SPELLINGS
from tests.fakes.server import serve
from tests.fakes.stock_client import TLS, client_of, send, user_message

SENTENCE = "The endpoint refused the stored key. Ask its administrator."
JSON_RPC, REST = SPELLINGS[0::2], SPELLINGS[1::2]
METADATA = {"cause": "key revoked", "who": "administrator"}
plain_and_streaming = pytest.mark.parametrize("streaming", [False, True], ids=["plain", "streaming"])


def in_spellings(spellings):
    return pytest.mark.parametrize("spelling", spellings, ids="-".join)


def error_info(reason):
    kind = "type.googleapis.com/google.rpc.ErrorInfo"
    return {"@type": kind, "reason": reason, "domain": "gatehouse", "metadata": METADATA}


def rpc_error(code):
    """A JSON-RPC error answer; the client does not compare the id."""
    error = {"code": code, "message": SENTENCE, "data": [error_info("CREDENTIAL_REFUSED")]}
    return {"jsonrpc": "2.0", "id": "1", "error": error}


def rpc_status(http_status, *reasons):
    """google.rpc.Status as A2A 1.0 writes it on HTTP+JSON."""
    details = [error_info(reason) for reason in reasons]
    return {"error": {"code": http_status, "status": "X", "message": SENTENCE, "details": details}}


def answers(response: Response, spelling, *, streaming=False):
    """Send a message to a server that answers `response` to everything; return the client's events."""

    async def app(scope, receive, send_):
        await Request(scope, receive).body()
        await response(scope, receive, send_)

    with serve(app, lifespan="off") as served:
        return _send_without_card(served.url, spelling, streaming)


def _send_without_card(url, spelling, streaming):
    import asyncio

    import httpx

    binding, version = spelling
    interface = AgentInterface(url=url, protocol_binding=binding, protocol_version=version)
    card = AgentCard(supported_interfaces=[interface], capabilities=AgentCapabilities(streaming=True))

    async def run():
        async with httpx.AsyncClient(verify=TLS) as http:
            client = client_of(card, http, streaming=streaming)
            return [event async for event in client.send_message(user_message("x"))]

    return asyncio.run(run())


def as_event(body, event=""):
    name = f"event: {event}\r\n" if event else ""
    return PlainTextResponse(f"{name}data: {json.dumps(body)}\r\n\r\n", media_type="text/event-stream")


@in_spellings(JSON_RPC)
@plain_and_streaming
def test_a_json_rpc_error_at_200_shows_its_sentence_but_not_its_data(spelling, streaming):
    with pytest.raises(A2AClientError) as refused:
        answers(JSONResponse(rpc_error(-32050)), spelling, streaming=streaming)
    prefix = "JSON-RPC Error -32050: " if spelling[1] == "1.0" else ""
    assert (str(refused.value), refused.value.data) == (prefix + SENTENCE, None)


@in_spellings(JSON_RPC)
def test_a_json_rpc_error_may_also_come_as_the_only_event_of_a_stream(spelling):
    with pytest.raises(A2AClientError, match=SENTENCE):
        answers(as_event(rpc_error(-32050)), spelling, streaming=True)


def test_only_a_code_of_the_specification_shows_its_metadata_and_only_in_1_0():
    for spelling, shown in zip(JSON_RPC, (METADATA, None), strict=True):
        with pytest.raises(TaskNotFoundError, match=SENTENCE) as refused:
            answers(JSONResponse(rpc_error(-32001)), spelling)
        assert refused.value.data == shown


@in_spellings(JSON_RPC)
@pytest.mark.parametrize("status", [401, 403, 413, 503])
def test_on_json_rpc_any_other_status_hides_the_body(spelling, status):
    with pytest.raises(A2AClientError) as refused:
        answers(JSONResponse(rpc_error(-32050), status), spelling)
    assert str(status) in str(refused.value)
    assert SENTENCE not in str(refused.value)


@in_spellings(REST)
@plain_and_streaming
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_on_http_json_a_status_with_a_reason_of_our_own_is_hidden(spelling, streaming, status):
    expected = MethodNotFoundError if status == 404 else A2AClientError
    with pytest.raises(expected) as refused:
        answers(JSONResponse(rpc_status(status, "CREDENTIAL_REFUSED"), status), spelling, streaming=streaming)
    assert SENTENCE not in str(refused.value)


@plain_and_streaming
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_on_http_json_1_0_the_first_reason_must_be_one_of_the_specification(streaming, status):
    body = rpc_status(status, "UNSUPPORTED_OPERATION", "CREDENTIAL_REFUSED")
    with pytest.raises(UnsupportedOperationError, match=SENTENCE) as refused:
        answers(JSONResponse(body, status), REST[0], streaming=streaming)
    assert refused.value.data == METADATA
    with pytest.raises(A2AClientError) as hidden:
        answers(JSONResponse(rpc_status(400, "CREDENTIAL_REFUSED", "UNSUPPORTED_OPERATION"), 400), REST[0])
    assert SENTENCE not in str(hidden.value)


@plain_and_streaming
@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_on_http_json_0_3_the_top_level_type_must_be_an_error_of_the_sdk(streaming, status):
    body = {"type": "InternalError", "message": SENTENCE}
    with pytest.raises(InternalError, match=SENTENCE):
        answers(JSONResponse(body, status), REST[1], streaming=streaming)
    with pytest.raises((A2AClientError, MethodNotFoundError)) as hidden:
        answers(JSONResponse({**body, "type": "CredentialRefused"}, status), REST[1], streaming=streaming)
    assert SENTENCE not in str(hidden.value)


@in_spellings(REST)
@plain_and_streaming
def test_one_body_can_show_its_sentence_to_both_versions(spelling, streaming):
    both = rpc_status(403, "INVALID_REQUEST") | {"type": "InvalidRequestError", "message": SENTENCE}
    with pytest.raises(InvalidRequestError, match=SENTENCE):
        answers(JSONResponse(both, 403), spelling, streaming=streaming)


@in_spellings(REST)
def test_an_error_event_in_a_stream_shows_the_whole_body(spelling):
    with pytest.raises(A2AClientError, match=SENTENCE):
        answers(as_event(rpc_status(403, "CREDENTIAL_REFUSED"), "error"), spelling, streaming=True)


def test_a_status_at_200_is_lost():
    body = JSONResponse(rpc_status(200, "INVALID_REQUEST"))
    with pytest.raises(ValueError, match="neither task nor message"):
        answers(body, REST[0])
    [event] = answers(body, REST[0], streaming=True)
    assert event.WhichOneof("payload") is None


@in_spellings(REST)
@plain_and_streaming
def test_a_rejected_task_shows_its_sentence(spelling, streaming):
    words = "parts" if spelling[1] == "1.0" else "content"
    message = {"messageId": "m", "role": "ROLE_AGENT", words: [{"text": SENTENCE}]}
    status = {"state": "TASK_STATE_REJECTED", "message": message}
    body = {"task": {"id": "gh-1", "contextId": "gh-2", "status": status}}
    [event] = answers(as_event(body) if streaming else JSONResponse(body), spelling, streaming=streaming)
    assert event.task.status.state == TaskState.TASK_STATE_REJECTED
    assert event.task.status.message.parts[0].text == SENTENCE


PATHS = {
    ("JSONRPC", False): "",
    ("JSONRPC", True): "",
    ("HTTP+JSON", False): "/message:send",
    ("HTTP+JSON", True): "/message:stream",
}


@in_spellings(SPELLINGS)
@plain_and_streaming
def test_the_client_adds_no_slash_and_names_its_version(fake_agent, spelling, streaming):
    agent = fake_agent()
    binding, version = spelling
    send(agent.url, spelling, "task", streaming=streaming, headers={"Authorization": "Bearer k"})
    [call] = agent.calls()
    below = "/v1" if spelling == ("HTTP+JSON", "0.3") else ""
    assert call.path == "/agent" + below + PATHS[binding, streaming]
    assert call.header("a2a-version") == [version]
    assert call.header("authorization") == ["Bearer k"]
    assert call.header("content-type") == ["application/json"]
    assert call.header("accept") == ["text/event-stream" if streaming else "*/*"]
    assert call.header("accept-encoding") == ["gzip, deflate"]


@in_spellings(SPELLINGS)
def test_a_slash_in_the_card_is_kept_on_json_rpc_and_dropped_on_http_json(fake_agent, spelling):
    agent = fake_agent()
    for interface in agent.card.supported_interfaces:
        interface.url += "/"
    send(agent.url, spelling, "task")
    assert agent.calls()[0].path.startswith("/agent/")
    assert "//" not in agent.calls()[0].path


def test_http_json_0_3_spells_its_members_with_underscores(fake_agent):
    agent = fake_agent()
    [first] = send(agent.url, REST[1], "input")
    send(agent.url, REST[1], "go on", task_id=first.task.id, context_id=first.task.context_id)
    message = agent.calls()[1].json()["request"]
    assert {"message_id", "context_id", "task_id", "content"} <= message.keys()
