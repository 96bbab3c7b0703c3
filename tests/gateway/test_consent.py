"""Consent needed, whole, with a method of the tests' own: a sixth one is a class and a line in the settings.

The method stands in tests/gateway/methods.py; nothing in the gateway knows it.
"""

import json
import uuid

import pytest
from django.test import override_settings

from connections.models import TaskOwner
from portal.settings import AUTH_METHODS
from tests.fakes.server import serve
from tests.fakes.stock_client import user_message, with_client
from tests.gateway.callers import (
    SPELLINGS,
    Request,
    everything_in,
    make_callers,
    message,
    namings,
    result_of,
    spelled,
)
from tests.gateway.conftest import line_to, new_line, rows_of
from tests.gateway.methods import EXPIRES, allow, bearer_of, consent_of, take_back

every_spelling = pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
both_ways = pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
AUTH, INPUT = "auth-required", "input-required"
RPC = SPELLINGS[0]


@pytest.fixture(scope="module", autouse=True)
def a_sixth_method():
    with override_settings(AUTH_METHODS=[*AUTH_METHODS, "tests.gateway.methods.AsksFirst"]):
        yield


@pytest.fixture
def asking(shared_gateway, fake_agent):
    return line_to(fake_agent(), credential=None, auth_method="asks-first")


def state_of(task: dict) -> str:
    return task["status"]["state"].removeprefix("TASK_STATE_").lower().replace("_", "-")


def parts_of(said: dict) -> tuple[str, dict]:
    """The text and the data of a message, in any dialect."""
    text, data = said.get("parts") or said["content"]
    found = data["data"]
    return text["text"], found.get("data", found)


def nothing_of_the_gateways_in(calls) -> None:
    for call in calls:
        assert b"gh-" not in call.body + call.path.encode() + call.query.encode(), call


@every_spelling
@both_ways
def test_a_stock_client_is_asked_consents_and_goes_on(asking, spelling, streaming):
    """The whole story, and no id of the gateway's in any byte that reaches the endpoint."""
    caller, *_ = make_callers(asking)
    consent = consent_of(asking.connection, caller)

    async def talk(client):
        async def say(text, **ids):
            return [event async for event in client.send_message(user_message(text, **ids))]

        [asked] = await say("input")
        assert not asking.endpoint.calls()
        allow(asking.connection, caller.agent, caller.user)
        again = await say("input", task_id=asked.task.id, context_id=asked.task.context_id)
        waiting = _last_task(again)
        more = await say("that one", task_id=waiting.id, context_id=waiting.context_id)
        return asked.task, waiting, _last_task(more)

    asked, waiting, done = with_client(asking.url, spelling, talk, streaming=streaming, headers=caller.headers)

    assert asked.id.startswith("gh-")
    assert asked.context_id.startswith("gh-")
    text, data = asked.status.message.parts
    assert consent.link in text.text
    assert dict(data.data.struct_value.fields.items()).keys() == {
        "type", "id", "consent_link", "server_label", "scopes", "expires_at",
    }  # fmt: skip
    # What the endpoint made is called by its own name; the conversation by the one that the client knows.
    assert not waiting.id.startswith("gh-")
    assert waiting.context_id == done.context_id == asked.context_id
    assert done.id == waiting.id
    calls = asking.endpoint.calls()
    nothing_of_the_gateways_in(calls)
    assert len(calls) == 2
    contexts = {_message_in(call).get("contextId") or _message_in(call).get("context_id") for call in calls}
    assert len(contexts - {None, ""}) == 1
    assert all(call.header("authorization") == [f"Bearer {bearer_of(caller.agent, caller.user)}"] for call in calls)


def _last_task(events):
    """The task as the events leave it: its ids, from the task itself or from the last update."""
    last = events[-1]
    if last.HasField("task"):
        return last.task
    update = last.status_update if last.HasField("status_update") else last.artifact_update
    task = next(event.task for event in events if event.HasField("task")) if events[0].HasField("task") else None
    if task is None:
        task = type(events[0].task)(id=update.task_id)
    task.context_id = update.context_id
    return task


def _message_in(call) -> dict:
    body = call.json()
    body = body.get("params", body)
    return body.get("message") or body["request"]


@every_spelling
@both_ways
def test_the_answer_is_a_task_that_waits_with_the_link_in_text_and_data(asking, spelling, streaming):
    caller, *_ = make_callers(asking)
    consent = consent_of(asking.connection, caller)

    answer = caller.ask(message(spelling, streams=streaming))

    assert answer.status_code == 200
    kind = "text/event-stream" if streaming else "application/json"
    assert answer.headers["content-type"].startswith(kind)
    task = result_of(answer)
    old_rpc = spelling == ("JSONRPC", "0.3")
    assert task["status"]["state"] == ("auth-required" if old_rpc else "TASK_STATE_AUTH_REQUIRED")
    assert task.get("kind") == ("task" if old_rpc else None)
    said = task["status"]["message"]
    assert ("content" if spelling == ("HTTP+JSON", "0.3") else "parts") in said
    assert (said["taskId"], said["contextId"]) == (task["id"], task["contextId"])
    text, data = parts_of(said)
    assert consent.link in text
    assert str(asking.connection) in text
    assert data == {
        "type": "oauth_consent_request",
        "id": str(consent.id),
        "consent_link": consent.link,
        "server_label": str(asking.connection),
        "scopes": ["repo", "read:user"],
        "expires_at": EXPIRES.isoformat(),
    }
    assert not asking.endpoint.calls()
    attempt, outcome = rows_of(answer.headers["x-request-id"])
    assert (attempt.outcome, outcome.outcome, outcome.reason) == ("in_progress", "consent_needed", "consent_required")
    assert outcome.on_behalf_of_id == caller.user.id


@every_spelling
@both_ways
@pytest.mark.parametrize("form", ["message", "input-required"])
def test_a_connection_can_choose_another_answer(asking, spelling, streaming, form):
    asking.connection.consent_answer = form
    asking.connection.save()
    caller, *_ = make_callers(asking)

    result = result_of(caller.ask(message(spelling, streams=streaming)))

    if form == "message":
        said = result if spelling == ("JSONRPC", "0.3") else result["message"]
        assert said.get("kind") == ("message" if spelling == ("JSONRPC", "0.3") else None)
    else:
        assert state_of(result) == INPUT
        said = result["status"]["message"]
    assert parts_of(said)[1]["consent_link"] in parts_of(said)[0]
    allow(asking.connection, caller.agent, caller.user)
    again = caller.ask(message(spelling, "echo again", contextId=said["contextId"], taskId=said["taskId"]))
    assert "again" in again.text
    nothing_of_the_gateways_in(asking.endpoint.calls())


@every_spelling
def test_the_task_answers_from_the_portal_before_and_after(asking, spelling):
    caller, *_ = make_callers(asking)
    task = result_of(caller.ask(message(spelling)))

    for expected in (AUTH, INPUT):
        for method in ("GetTask", "SubscribeToTask"):
            answer = caller.ask(spelled(spelling, method, {"id": task["id"]}))
            seen = result_of(answer)
            assert (seen["id"], seen["contextId"], state_of(seen)) == (task["id"], task["contextId"], expected)
            streams = answer.headers["content-type"].startswith("text/event-stream")
            assert streams == (method == "SubscribeToTask")
            assert rows_of(answer.headers["x-request-id"])[1].outcome == (
                "consent_needed" if expected == AUTH else "succeeded"
            )
        allow(asking.connection, caller.agent, caller.user)
    assert "cancel" in caller.ask(spelled(spelling, "CancelTask", {"id": task["id"]})).text.lower()
    assert not asking.endpoint.calls()


@every_spelling
@pytest.mark.parametrize("ids", [("taskId", "contextId"), ("task_id", "context_id"), ("taskId",), ("contextId",), ()])
def test_the_message_may_be_sent_again_with_or_without_the_ids(asking, spelling, ids):
    caller, *_ = make_callers(asking)
    task = result_of(caller.ask(message(spelling)))
    allow(asking.connection, caller.agent, caller.user)
    known = {
        "taskId": task["id"],
        "task_id": task["id"],
        "contextId": task["contextId"],
        "context_id": task["contextId"],
    }

    done = result_of(caller.ask(message(spelling, **{name: known[name] for name in ids})))

    assert state_of(done) == "completed"
    assert (done["contextId"] == task["contextId"]) == bool(ids)
    [call] = asking.endpoint.calls()
    nothing_of_the_gateways_in([call])
    seen = result_of(caller.ask(spelled(spelling, "GetTask", {"id": done["id"]})))
    assert seen["contextId"] == done["contextId"]


def test_no_id_of_the_gateways_slips_through_in_another_place_or_spelling(asking):
    caller, *_ = make_callers(asking)
    first, second = (result_of(caller.ask(message(RPC))) for _ in range(2))
    allow(asking.connection, caller.agent, caller.user)
    context, task, other = first["contextId"], first["id"], second["id"]
    requests = [
        message(RPC, taskId=task, params_taskId=other),
        message(RPC, taskId=task, params_contextId=second["contextId"], contextId=context),
        message(RPC, contextId=context, referenceTaskIds=[task, other]),
        message(RPC, reference_task_ids=[task]),
        message(RPC, referenceTaskIds=task),
        message(RPC, params_task_id=task, params_context_id=context),
        message(RPC, taskID=task, contextID=context),
        message(RPC, TASK_ID=task),
    ]

    for request in requests:
        caller.ask(request)
    caller.ask(spelled(SPELLINGS[1], "ListTasks", {"contextId": context}))
    caller.ask(spelled(RPC, "ListTasks", {"contextId": context}))

    assert len(asking.endpoint.calls()) >= len(requests) - 2
    nothing_of_the_gateways_in(asking.endpoint.calls())


@every_spelling
def test_a_reference_to_the_gateways_task_leaves_the_conversation_as_it_is(asking, spelling):
    caller, *_ = make_callers(asking)
    asked = result_of(caller.ask(message(spelling)))
    allow(asking.connection, caller.agent, caller.user)
    own = result_of(caller.ask(message(spelling, contextId="chosen-by-me")))

    done = result_of(caller.ask(message(spelling, contextId="chosen-by-me", referenceTaskIds=[asked["id"], own["id"]])))

    assert done["contextId"] == "chosen-by-me"
    *_, last = asking.endpoint.calls()
    references = _message_in(last).get("referenceTaskIds")
    assert references == [own["id"]]
    # The conversation of the reference is not mixed up with this one.
    again = result_of(caller.ask(message(spelling, contextId=asked["contextId"])))
    assert again["contextId"] == asked["contextId"]
    assert _message_in(asking.endpoint.calls()[-1]).get("contextId") is None


@every_spelling
def test_a_context_that_the_client_has_stays_its_context(asking, spelling):
    """Chosen by the client, or begun before the permission was taken back (A2A 1.0, 3.4.1)."""
    caller, *_ = make_callers(asking)
    asked = result_of(caller.ask(message(spelling, contextId="chosen-by-me")))
    assert asked["contextId"] == "chosen-by-me"
    allow(asking.connection, caller.agent, caller.user)
    begun = result_of(caller.ask(message(spelling, "input", taskId=asked["id"], contextId="chosen-by-me")))
    assert begun["contextId"] == "chosen-by-me"
    take_back(asking.connection, caller.agent, caller.user)

    for ids in ({"taskId": begun["id"]}, {"taskId": begun["id"], "contextId": "chosen-by-me"}):
        asked = result_of(caller.ask(message(spelling, "more", **ids)))
        assert (state_of(asked), asked["contextId"]) == (AUTH, "chosen-by-me")
    seen = result_of(caller.ask(spelled(spelling, "GetTask", {"id": asked["id"]})))
    assert (state_of(seen), seen["contextId"]) == (AUTH, "chosen-by-me")
    allow(asking.connection, caller.agent, caller.user)
    done = result_of(caller.ask(message(spelling, "more", taskId=asked["id"], contextId="chosen-by-me")))

    assert done["contextId"] == "chosen-by-me"
    nothing_of_the_gateways_in(asking.endpoint.calls())


def test_asking_again_while_consent_is_missing_makes_no_second_task(asking):
    caller, *_ = make_callers(asking)
    first = result_of(caller.ask(message(RPC)))

    again = result_of(caller.ask(message(RPC, taskId=first["id"], contextId=first["contextId"])))

    assert (again["id"], again["contextId"]) == (first["id"], first["contextId"])
    assert TaskOwner.objects.filter(connection=asking.connection).exclude(task="").count() == 1
    beside = result_of(caller.ask(message(RPC, contextId=first["contextId"])))
    assert beside["contextId"] == first["contextId"]
    assert beside["id"] != first["id"]


@every_spelling
def test_what_is_no_message_gets_the_link_as_an_error(asking, spelling):
    caller, *_ = make_callers(asking)
    allow(asking.connection, caller.agent, caller.user)
    task = result_of(caller.ask(message(spelling, "input")))["id"]
    take_back(asking.connection, caller.agent, caller.user)
    before = len(asking.endpoint.calls())
    link = consent_of(asking.connection, caller).link
    methods = ["GetTask", "CancelTask", "SubscribeToTask"]
    requests = [spelled(spelling, method, {"id": task}) for method in methods]
    requests.append(spelled(spelling, "ListTasks", {}))
    if spelling == SPELLINGS[1]:
        requests.append(Request("GET", "/extendedAgentCard", None, "1.0"))

    for request in requests:
        answer = caller.ask(request)
        assert link in answer.text
        assert "CONSENT_REQUIRED" in answer.text
        if spelling[0] == "JSONRPC":
            assert json.loads(answer.text.removeprefix("data:"))["error"]["code"] == -32051
        elif request.path.endswith(":subscribe"):
            assert answer.status_code in (200, 403)
        else:
            assert answer.status_code == 403
        assert rows_of(answer.headers["x-request-id"])[1].outcome == "consent_needed"
    assert len(asking.endpoint.calls()) == before


@every_spelling
def test_another_agent_or_user_finds_no_such_task(asking, spelling):
    owner, *others = make_callers(asking)
    task = result_of(owner.ask(message(spelling)))
    for other in others:
        allow(asking.connection, other.agent, other.user)

    for other in others:
        for way, request in namings(spelling).items():
            never = f"gh-{uuid.uuid4()}"
            theirs = everything_in(other.ask(request(task["id"])), task["id"], task["id"].replace("-", "%2D"))
            assert theirs == everything_in(other.ask(request(never)), never, never.replace("-", "%2D")), way
        never = f"gh-{uuid.uuid4()}"
        theirs = everything_in(other.ask(message(spelling, contextId=task["contextId"])))
        assert theirs == everything_in(other.ask(message(spelling, contextId=never)))
    assert not asking.endpoint.calls()


def test_each_is_asked_for_themselves(asking):
    first, second, nobody, other_agent = make_callers(asking)
    allow(asking.connection, first.agent, first.user)

    assert state_of(result_of(first.ask(message(RPC)))) == "completed"
    for caller in (second, nobody, other_agent):
        answer = caller.ask(message(RPC))
        assert state_of(result_of(answer)) == AUTH
        assert consent_of(asking.connection, caller).link in answer.text
    assert len(asking.endpoint.calls()) == 1


def test_the_consent_status_says_how_it_stands(asking, line_without_consent):
    caller, *_ = make_callers(asking)
    status = Request("GET", "/consent-status", None, "1.0")
    link = consent_of(asking.connection, caller).link

    needed = {"state": "consent_required", "consent_link": link, "expires_at": EXPIRES.isoformat()}
    assert caller.ask(status).json() == needed
    allow(asking.connection, caller.agent, caller.user)
    assert caller.ask(status).json() == {"state": "connected", "consent_link": None, "expires_at": None}
    answer = line_without_consent.get("/consent-status")
    assert answer.json() == {"state": "not_needed", "consent_link": None, "expires_at": None}
    assert not asking.endpoint.calls()


@pytest.fixture
def line_without_consent(shared_gateway):
    return new_line("http://127.0.0.1:9/agent")


class Refusing:
    """An endpoint that no longer takes the credential."""

    async def __call__(self, scope, receive, send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 401, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@both_ways
def test_consent_that_turns_out_missing_at_a_renewal_is_asked_for_too(shared_gateway, streaming):
    with serve(Refusing()) as served:
        asking = new_line(served.url, credential=None, auth_method="asks-first")
        caller, *_ = make_callers(asking)
        allow(asking.connection, caller.agent, caller.user)

        answer = caller.ask(message(RPC, streams=streaming))

    assert state_of(result_of(answer)) == AUTH
    assert rows_of(answer.headers["x-request-id"])[1].outcome == "consent_needed"
