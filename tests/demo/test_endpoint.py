"""The demo's endpoint answers as a real one would: a key for the ledger, streams, follow-ups, both dialects."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from a2a.client.errors import A2AClientError
from a2a.types import CancelTaskRequest, GetTaskRequest, ListTasksRequest, SubscribeToTaskRequest, TaskState

from demo.answers import ledger, weather
from demo.cards import SPELLINGS
from demo.endpoint import demo_agents, endpoint
from tests.fakes.server import listening_socket, serve, url_of
from tests.fakes.stock_client import send, user_message, with_client

KEY = "demo-ledger-key"
KEY_HEADERS = {"x-api-key": KEY}
in_all_spellings = pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """The origin of a running demo endpoint."""
    sock = listening_socket()
    with serve(endpoint(demo_agents(url_of(sock), KEY)), at=sock) as served:
        yield served.url


def text_of(task):
    return "\n".join(part.text for artifact in task.artifacts for part in artifact.parts)


@in_all_spellings
def test_the_ledger_answers_who_has_its_key(demo, spelling):
    [event] = send(f"{demo}/ledger", spelling, "When is invoice 4711 due?", headers=KEY_HEADERS)
    assert "Invoice 4711: 1,240.00 EUR, due 30 November 2026" in text_of(event.task)


@in_all_spellings
@pytest.mark.parametrize("headers", [{}, {"x-api-key": "wrong"}, {"x-api-key": "schlüssel".encode()}])
def test_the_ledger_refuses_everyone_else(demo, spelling, headers):
    with pytest.raises(A2AClientError, match="401"):
        send(f"{demo}/ledger", spelling, "4711", headers=headers)


@pytest.mark.parametrize("path", ["/ledger", "/ledger/", "//ledger/tasks", "/ledger/tasks", "/ledger/v1/card"])
def test_no_path_of_the_ledger_is_open(demo, path):
    assert httpx.post(demo + path, json={}).status_code == 401


def test_the_ledgers_card_is_public_and_says_which_key_it_wants(demo):
    card = httpx.get(f"{demo}/ledger/.well-known/agent-card.json").json()
    assert card["name"] == "Ledger agent"
    assert [skill["id"] for skill in card["skills"]] == ["find_invoice", "explain_booking", "monthly_close"]
    scheme = card["securitySchemes"]["ledgerKey"]["apiKeySecurityScheme"]
    assert (scheme["location"], scheme["name"]) == ("header", "x-api-key")
    assert card["securityRequirements"] == [{"schemes": {"ledgerKey": {}}}]
    declared = [(i["protocolBinding"], i["protocolVersion"]) for i in card["supportedInterfaces"]]
    assert declared == list(SPELLINGS)
    assert {i["url"] for i in card["supportedInterfaces"]} == {f"{demo}/ledger"}


@in_all_spellings
def test_the_weather_is_open_and_comes_as_a_stream(demo, spelling):
    events = send(f"{demo}/weather", spelling, "How is it in Kiruna?", streaming=True)
    kinds = [event.WhichOneof("payload") for event in events]
    assert kinds == ["task", "status_update", "artifact_update", "artifact_update", "status_update"]
    assert events[2].artifact_update.artifact.parts[0].text.startswith("Kiruna tomorrow: ")
    assert events[-1].status_update.status.state == TaskState.TASK_STATE_COMPLETED


@in_all_spellings
def test_the_ledger_asks_back_and_the_follow_up_finishes_the_task(demo, spelling):
    [asked] = send(f"{demo}/ledger", spelling, "Find my invoice", headers=KEY_HEADERS)
    assert asked.task.status.state == TaskState.TASK_STATE_INPUT_REQUIRED
    ids = {"task_id": asked.task.id, "context_id": asked.task.context_id}
    [answered] = send(f"{demo}/ledger", spelling, "4713", headers=KEY_HEADERS, **ids)
    assert answered.task.id == asked.task.id
    assert "Invoice 4713: 9,602.10 EUR" in text_of(answered.task)


@in_all_spellings
def test_fail_ends_in_a_failed_task(demo, spelling):
    [event] = send(f"{demo}/weather", spelling, "please fail")
    assert event.task.status.state == TaskState.TASK_STATE_FAILED


@in_all_spellings
def test_a_slow_task_can_be_read_subscribed_to_and_cancelled(demo, spelling):
    async def talk(client):
        stream = client.send_message(user_message("slow please"))
        task = (await anext(stream)).task
        await stream.aclose()
        read = await client.get_task(GetTaskRequest(id=task.id))
        subscription = client.subscribe(SubscribeToTaskRequest(id=task.id))
        seen = await anext(subscription)
        await subscription.aclose()
        return task, read, seen, await client.cancel_task(CancelTaskRequest(id=task.id))

    task, read, seen, cancelled = with_client(f"{demo}/weather", spelling, talk, streaming=True)
    assert task.id == read.id == seen.task.id == cancelled.id
    assert cancelled.status.state == TaskState.TASK_STATE_CANCELED


@pytest.mark.parametrize("spelling", SPELLINGS[:2], ids="-".join)
def test_tasks_are_listed_per_agent(demo, spelling):
    [event] = send(f"{demo}/weather", spelling, "In Oslo?")

    async def talk(client):
        return await client.list_tasks(ListTasksRequest(page_size=100))

    assert event.task.id in [t.id for t in with_client(f"{demo}/weather", spelling, talk).tasks]
    ledgers = with_client(f"{demo}/ledger", spelling, talk, headers=KEY_HEADERS).tasks
    assert event.task.id not in [t.id for t in ledgers]


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How is invoice 4712 booked?", "Invoice 4712 from Norrland Freight is booked to account 6740"),
        ("What is open before the monthly close?", "October 2026 is closed."),
        ("Invoice 9999?", "There is no invoice 9999. Known numbers: 4711, 4712, 4713."),
    ],
)
def test_the_ledger_knows_its_table(question, answer):
    assert ledger(question).text.startswith(answer)


def test_the_same_place_has_the_same_weather():
    assert weather("What about Kiruna? I mean in Kiruna") == weather("Tell me, in Kiruna")
    assert weather("in Kiruna").text != weather("in Malmö").text


def test_an_empty_key_is_refused_at_the_start():
    with pytest.raises(ValueError, match="DEMO_ENDPOINT_KEY"):
        demo_agents("http://127.0.0.1:1", "")


def test_the_process_serves_and_writes_no_secret():
    with listening_socket() as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "DEMO_ENDPOINT_PORT": str(port), "DEMO_ENDPOINT_KEY": KEY}
    url = f"http://127.0.0.1:{port}/ledger"
    command = [sys.executable, "-m", "demo.endpoint"]
    pipe = subprocess.PIPE
    root = Path(__file__).parents[2]
    options = {"env": environment, "cwd": root, "stdout": pipe, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, **options) as process:
        try:
            _wait_for(url, process)
            send(url, SPELLINGS[0], "a private question about 4711", headers=KEY_HEADERS)
            assert httpx.post(url, json={"id": 1}, headers={"x-api-key": "another-secret"}).status_code == 401
        finally:
            process.terminate()
        written = process.communicate(timeout=10)[0].decode()
    assert not any(word in written for word in (KEY, "another-secret", "private question"))


def _wait_for(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"{url}/.well-known/agent-card.json")
            return
        time.sleep(0.05)
    raise AssertionError("The demo endpoint did not start.")
