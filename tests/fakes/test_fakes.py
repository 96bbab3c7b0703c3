"""Each fake does what it says, asked by the stock a2a-sdk client or by plain HTTP."""

import base64
import threading
import time
from urllib.parse import quote

import httpx
import pytest
from a2a.client.errors import A2AClientError
from a2a.types import (
    CancelTaskRequest,
    GetExtendedAgentCardRequest,
    GetTaskRequest,
    ListTasksRequest,
    SubscribeToTaskRequest,
    TaskState,
)

from tests.fakes.a2a_server import SPELLINGS
from tests.fakes.server import serve
from tests.fakes.stock_client import send, user_message, with_client

KEY = ("x-api-key", "s3cret+/= value")
in_all_spellings = pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
plain_and_streaming = pytest.mark.parametrize("streaming", [False, True], ids=["plain", "streaming"])


def state(event):
    """The state that an event tells, as in "COMPLETED"; None for a message or an artifact."""
    kind = event.WhichOneof("payload")
    if kind not in ("task", "status_update"):
        return None
    return TaskState.Name(getattr(event, kind).status.state).removeprefix("TASK_STATE_")


def kinds(events):
    return [event.WhichOneof("payload") for event in events]


@in_all_spellings
@plain_and_streaming
@pytest.mark.parametrize(
    ("text", "end"),
    [("task hello", "COMPLETED"), ("input", "INPUT_REQUIRED"), ("auth", "AUTH_REQUIRED"), ("fail", "FAILED")],
)
def test_a_command_ends_in_its_state(fake_agent, spelling, streaming, text, end):
    events = send(fake_agent().url, spelling, text, streaming=streaming)
    assert state(events[-1]) == end
    assert (len(events) > 1) == streaming


@in_all_spellings
@plain_and_streaming
def test_echo_answers_with_a_message_and_no_task(fake_agent, spelling, streaming):
    [event] = send(fake_agent().url, spelling, "echo good morning", streaming=streaming)
    assert event.message.parts[0].text == "good morning"


@in_all_spellings
def test_a_stream_has_as_many_artifact_chunks_as_asked(fake_agent, spelling):
    events = send(fake_agent().url, spelling, "stream 5", streaming=True)
    assert kinds(events) == ["task", "status_update", *["artifact_update"] * 5, "status_update"]


@in_all_spellings
def test_a_further_message_completes_a_task_that_waits(fake_agent, spelling):
    agent = fake_agent()
    [first] = send(agent.url, spelling, "input")
    ids = {"task_id": first.task.id, "context_id": first.task.context_id}
    [second] = send(agent.url, spelling, "the blue one", **ids)
    assert (second.task.id, state(second)) == (first.task.id, "COMPLETED")
    assert second.task.artifacts[0].parts[0].text == "You added: the blue one"


@in_all_spellings
def test_tasks_can_be_read_and_cancelled(fake_agent, spelling):
    async def talk(client):
        [event] = [e async for e in client.send_message(user_message("input"))]
        read = await client.get_task(GetTaskRequest(id=event.task.id))
        cancelled = await client.cancel_task(CancelTaskRequest(id=event.task.id))
        return event.task.id, read, cancelled

    task_id, read, cancelled = with_client(fake_agent().url, spelling, talk)
    assert read.id == cancelled.id == task_id
    assert cancelled.status.state == TaskState.TASK_STATE_CANCELED


@pytest.mark.parametrize("spelling", SPELLINGS[:2], ids="-".join)
def test_tasks_can_be_listed_in_1_0(fake_agent, spelling):
    async def talk(client):
        return [e async for e in client.send_message(user_message("input"))], await client.list_tasks(
            ListTasksRequest()
        )

    [event], listed = with_client(fake_agent().url, spelling, talk)
    assert [task.id for task in listed.tasks] == [event.task.id]


@in_all_spellings
def test_a_running_task_can_be_subscribed_to(fake_agent, spelling):
    async def talk(client):
        stream = client.send_message(user_message("slow 0.4"))
        begun = await anext(stream)
        await stream.aclose()
        return [e async for e in client.subscribe(SubscribeToTaskRequest(id=begun.task.id))]

    events = with_client(fake_agent().url, spelling, talk, streaming=True)
    assert kinds(events)[0] == "task"
    assert state(events[-1]) == "COMPLETED"


@in_all_spellings
def test_a_stream_that_never_ends_goes_on_until_the_client_leaves(fake_agent, spelling):
    async def talk(client):
        events, stream = [], client.send_message(user_message("forever"))
        async for event in stream:
            events.append(event)
            if len(events) == 10:
                break
        await stream.aclose()
        return events

    events = with_client(fake_agent().url, spelling, talk, streaming=True)
    assert [state(e) for e in events[1:]] == ["WORKING"] * 9


@in_all_spellings
def test_the_extended_card_has_one_skill_more(fake_agent, spelling):
    async def talk(client):
        return await client.get_extended_agent_card(GetExtendedAgentCardRequest())

    card = with_client(fake_agent().url, spelling, talk)
    assert [skill.name for skill in card.skills] == ["Echo", "Hidden skill"]


@in_all_spellings
def test_without_the_required_header_only_the_card_is_open(fake_agent, spelling):
    agent = fake_agent(required_header=KEY)
    with pytest.raises(A2AClientError, match="401"):
        send(agent.url, spelling, "task")
    assert state(send(agent.url, spelling, "task", headers=dict([KEY]))[-1]) == "COMPLETED"


def test_the_required_header_must_come_once_and_only_once(fake_agent):
    agent = fake_agent(required_header=KEY)
    twice = httpx.get(f"{agent.url}/tasks", headers=[KEY, KEY])
    wrong = httpx.get(f"{agent.url}/tasks", headers={KEY[0]: "wrong"})
    assert (twice.status_code, wrong.status_code) == (401, 401)
    assert wrong.headers["WWW-Authenticate"].startswith("Bearer")


def test_the_card_can_ask_for_the_header_too_or_live_at_the_origin(fake_agent):
    closed, at_origin = fake_agent(required_header=KEY, card_is_public=False), fake_agent(card_below="")
    card = "/.well-known/agent-card.json"
    assert httpx.get(closed.url + card).status_code == 401
    assert httpx.get(at_origin.url + card).status_code == 404
    assert httpx.get(at_origin.origin + card).json()["name"] == "Fake agent"


def test_the_card_changes_for_the_next_reader(fake_agent):
    agent = fake_agent()
    agent.card.supported_interfaces[0].url = "http://127.0.0.1:9/elsewhere"
    card = httpx.get(f"{agent.url}/.well-known/agent-card.json").json()
    assert card["supportedInterfaces"][0]["url"] == "http://127.0.0.1:9/elsewhere"


def test_every_request_is_recorded_as_it_came(fake_agent):
    agent = fake_agent()
    headers = [("X-Twice", "1"), ("A2A-Version", "1.0"), ("x-twice", "2")]
    httpx.post(f"{agent.url}/message:send?q=a%20b", headers=headers, content=b'{"odd":  true}')
    [request] = agent.calls()
    assert (request.method, request.path, request.query) == ("POST", "/agent/message:send", "q=a%20b")
    assert request.header("X-Twice") == ["1", "2"]
    assert [name for name, _ in request.headers if name.startswith(("x-", "a2a"))] == [
        "x-twice", "a2a-version", "x-twice",
    ]  # fmt: skip
    assert request.body == b'{"odd":  true}'
    assert time.monotonic() - request.at < 5


@in_all_spellings
@plain_and_streaming
def test_leak_tells_a_credential_in_every_encoding(fake_agent, spelling, streaming):
    events = send(fake_agent().url, spelling, "leak", streaming=streaming, headers=dict([KEY]))
    said = str(events)
    for spelt in (KEY[1], base64.b64encode(KEY[1].encode()).decode(), quote(KEY[1], safe="")):
        assert spelt in said


def test_no_piece_of_a_leaking_stream_holds_the_whole_credential(fake_agent):
    secret = "a-credential-of-thirty-characters"
    body = {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "leak"}]}}
    headers = {"A2A-Version": "1.0", "x-api-key": secret}
    with httpx.stream("POST", f"{fake_agent().url}/message:stream", json=body, headers=headers) as answer:
        pieces = [piece.decode("latin-1") for piece in answer.iter_raw()]
    assert secret in "".join(pieces)
    assert not any(secret in piece for piece in pieces)


def test_a_server_starts_and_stops_within_three_tenths_of_a_second(fake_agent):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    before, threads = time.perf_counter(), threading.active_count()
    with serve(app, lifespan="off") as served:
        assert httpx.get(served.url).status_code == 204
    assert time.perf_counter() - before < 0.3
    assert threading.active_count() == threads


def test_a_server_stops_though_a_stream_is_open():
    from tests.fakes.a2a_server import a2a_server

    body = {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "forever"}]}}
    with httpx.Client(headers={"A2A-Version": "1.0"}) as http:
        with a2a_server() as agent:
            request = http.build_request("POST", f"{agent.url}/message:stream", json=body)
            answer = http.send(request, stream=True)
            assert next(answer.iter_raw())
            stopping = time.perf_counter()
        assert time.perf_counter() - stopping < 0.3
        answer.close()


def test_an_application_that_cannot_start_says_why():
    async def app(scope, receive, send):
        raise RuntimeError("no database")

    with pytest.raises(SystemExit), serve(app, lifespan="on"):
        pass
