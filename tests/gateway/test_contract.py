"""A stock a2a-sdk client with the connection's URL and an agent key, in every spelling."""

import pytest

from tests.fakes.a2a_server import SPELLINGS
from tests.fakes.stock_client import send, with_client
from tests.gateway.conftest import rows_of

every_spelling = pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
both_ways = pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])


@every_spelling
@both_ways
def test_a_message_reaches_the_endpoint_with_the_stored_credential_and_without_the_agent_key(line, spelling, streaming):
    events = send(line.url, spelling, "stream 3", streaming=streaming, headers=line.headers)

    [call] = line.endpoint.calls()
    assert call.header("x-api-key") == ["ledger-secret-value"]
    assert call.header("authorization") == []
    assert line.key not in str(call.headers) + call.body.decode()
    assert events
    assert len(events) > 1 or not streaming


@every_spelling
def test_a_conversation_goes_on_with_its_task(line, spelling):
    async def talk(client):
        from tests.fakes.stock_client import user_message

        first = [event async for event in client.send_message(user_message("input"))][-1]
        task = first.task
        again = user_message("task done", task_id=task.id, context_id=task.context_id)
        return task, [event async for event in client.send_message(again)][-1].task

    asked, completed = with_client(line.url, spelling, talk, headers=line.headers)

    assert completed.id == asked.id
    assert completed.context_id == asked.context_id


@every_spelling
def test_the_card_names_only_the_gateway(line, spelling):
    answer = line.get("/.well-known/agent-card.json")

    assert answer.status_code == 200
    assert line.endpoint.origin not in answer.text
    assert line.url in answer.text


def test_every_call_leaves_an_attempt_and_an_outcome(line):
    from tests.gateway.conftest import rpc

    answer = line.post(rpc(), headers={"a2a-version": "1.0"})

    attempt, outcome = rows_of(answer.headers["x-request-id"])
    assert (attempt.kind, attempt.outcome) == ("attempt", "in_progress")
    assert (outcome.kind, outcome.outcome, outcome.status) == ("outcome", "succeeded", 200)
    assert attempt.call_id == outcome.call_id
    assert outcome.agent_name == line.agent.name
    assert outcome.connection_name == line.connection.name
    assert outcome.method == "SendMessage"
