"""Whose task is it: another agent's or user's answers as if there were none (T10; A2A 1.0, 3.3.2 and 13.1)."""

import asyncio
import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.db import connection as database
from django.db import transaction

from connections.gateway import owners
from connections.gateway.answers import Named
from connections.models import TaskOwner
from tests import factories
from tests.fakes.record import Recorder
from tests.fakes.server import serve
from tests.gateway.callers import (
    NO_SUCH_TASK,
    SPELLINGS,
    everything_in,
    make_callers,
    message,
    namings,
    result_of,
    spelled,
)
from tests.gateway.conftest import new_line, rows_of
from tests.gateway.methods import bearer_of

every_spelling = pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
both_bindings = pytest.mark.parametrize("spelling", SPELLINGS[:2], ids="-".join)
RPC = ("JSONRPC", "1.0")


@pytest.fixture
def line(shared_line):
    return shared_line


@pytest.fixture
def make_line(shared_gateway):
    return new_line


@every_spelling
def test_a_task_of_somebody_else_answers_exactly_like_one_that_never_was(line, spelling):
    owner, *others = make_callers(line)
    task = result_of(owner.ask(message(spelling, "input")))["id"]
    before = len(line.endpoint.calls())

    for other in others:
        for way, request in namings(spelling).items():
            never = str(uuid.uuid4())
            theirs = everything_in(other.ask(request(task)), task, task.replace("-", "%2D"))
            assert theirs == everything_in(other.ask(request(never)), never, never.replace("-", "%2D")), way
            assert NO_SUCH_TASK in theirs[2], way

    assert len(line.endpoint.calls()) == before


@every_spelling
def test_its_owner_reaches_it_in_every_way(line, spelling):
    owner, *_ = make_callers(line)

    for way in ("message.taskId", "message.task_id", "message.referenceTaskIds", "get", "cancel"):
        task = result_of(owner.ask(message(spelling, "input")))["id"]
        before = len(line.endpoint.calls())
        answer = owner.ask(namings(spelling)[way](task))
        assert "gatehouse" not in answer.text, (way, answer.text)
        assert len(line.endpoint.calls()) == before + 1, way


@every_spelling
def test_a_second_id_in_the_query_or_the_params_is_checked_too(line, spelling):
    owner, other, *_ = make_callers(line)
    theirs = result_of(owner.ask(message(spelling, "input")))["id"]
    mine = result_of(other.ask(message(spelling, "input")))["id"]
    before = len(line.endpoint.calls())

    for name in ("taskId", "task_id"):
        for method in ("GetTask", "CancelTask"):
            assert NO_SUCH_TASK in other.ask(spelled(spelling, method, {"id": mine, name: theirs})).text
    assert NO_SUCH_TASK in other.ask(message(spelling, taskId=mine, referenceTaskIds=[mine, theirs])).text
    assert NO_SUCH_TASK in other.ask(message(spelling, taskId=mine, params_task_id=theirs)).text

    assert len(line.endpoint.calls()) == before


def test_an_id_beside_the_one_in_the_path_is_checked_too(line):
    owner, other, *_ = make_callers(line)
    theirs = result_of(owner.ask(message(RPC, "input")))["id"]
    mine = result_of(other.ask(message(RPC, "input")))["id"]
    before = len(line.endpoint.calls())

    for request in (f"/tasks/{mine}?id={theirs}", f"/tasks/{mine}?name={theirs}"):
        answer = httpx.get(f"{line.url}{request}", headers=other.headers)
        assert answer.status_code == 404
    answer = httpx.post(f"{line.url}/tasks/{mine}:cancel", json={"id": theirs}, headers=other.headers)
    assert answer.status_code == 404

    assert len(line.endpoint.calls()) == before


@every_spelling
def test_a_context_of_somebody_else_can_not_be_joined(line, spelling):
    owner, *others = make_callers(line)
    context = result_of(owner.ask(message(spelling, "input")))["contextId"]
    before = len(line.endpoint.calls())

    for other in others:
        for name in ("contextId", "context_id", "params_contextId"):
            assert NO_SUCH_TASK in other.ask(message(spelling, **{name: context})).text

    assert len(line.endpoint.calls()) == before


@both_bindings
def test_a_list_of_somebody_elses_context_is_as_empty_as_that_of_none(line, spelling):
    owner, *others = make_callers(line)
    context = result_of(owner.ask(message(spelling, "input")))["contextId"]

    for other in others:
        for name in ("contextId", "context_id"):
            never = str(uuid.uuid4())
            theirs = other.ask(spelled(spelling, "ListTasks", {name: context}))
            empty = other.ask(spelled(spelling, "ListTasks", {name: never}))
            assert everything_in(theirs) == everything_in(empty)
            assert result_of(theirs) == {"tasks": [], "nextPageToken": "", "pageSize": 50, "totalSize": 0}
            # To ask about a context is not to begin one.
            assert not TaskOwner.objects.filter(context=never).exists()
    assert len(result_of(owner.ask(spelled(spelling, "ListTasks", {"contextId": context})))["tasks"]) == 1


@both_bindings
def test_a_list_holds_and_counts_only_the_callers_own(line, spelling):
    callers = make_callers(line)
    tasks = [result_of(caller.ask(message(spelling)))["id"] for caller in callers]
    second = result_of(callers[0].ask(message(spelling)))["id"]

    for caller, own in zip(callers, [{tasks[0], second}, {tasks[1]}, {tasks[2]}, {tasks[3]}], strict=True):
        page = result_of(caller.ask(spelled(spelling, "ListTasks", {})))
        assert {task["id"] for task in page["tasks"]} == own
        assert page["totalSize"] == len(own)


class Lists:
    """Answers every request with a list of tasks in a shape of its own."""

    def __init__(self) -> None:
        self.page: object = {}

    async def __call__(self, scope, receive, send) -> None:
        asked = json.loads((await receive())["body"])
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": self.page}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})


def test_a_list_in_an_unknown_shape_shows_nothing(make_line):
    lists, foreign = Lists(), {"id": "t-foreign", "contextId": "c-foreign", "status": {}}
    with serve(lists) as served:
        caller, *_ = make_callers(make_line(served.url))
        shapes = ([foreign], {"items": [foreign]}, {"tasks": {"t-foreign": foreign}}, {"tasks": [[foreign]]})
        shapes += ({"tasks": [{"task": foreign}]}, {"tasks": [], "more": {"tasks": [foreign]}}, "t-foreign")
        for lists.page in shapes:
            assert "t-foreign" not in caller.ask(spelled(RPC, "ListTasks", {})).text, lists.page


@every_spelling
def test_an_endpoint_that_hands_out_somebody_elses_ids_is_not_passed_on(hostile, make_line, spelling):
    line = make_line(hostile.url("same-ids"), interfaces=_both(hostile.url("same-ids"), spelling))
    owner, *others = make_callers(line)
    assert result_of(owner.ask(message(spelling)))["id"] == "task-1"

    for other in others:
        answer = other.ask(message(spelling))
        assert "everybody" not in answer.text
        assert "task-1" not in answer.text
        assert NO_SUCH_TASK in answer.text
        assert NO_SUCH_TASK in other.ask(spelled(spelling, "GetTask", {"id": "task-1"})).text
    assert result_of(owner.ask(spelled(spelling, "GetTask", {"id": "task-1"})))["id"] == "task-1"


def _both(url: str, spelling) -> list[dict]:
    return [{"url": url, "binding": spelling[0], "version": spelling[1]}]


@every_spelling
def test_a_context_chosen_by_the_client_is_kept_and_is_its_own(line, spelling):
    owner, other, *_ = make_callers(line)

    first = result_of(owner.ask(message(spelling, contextId="my-own-context")))
    again = result_of(owner.ask(message(spelling, contextId="my-own-context")))

    assert first["contextId"] == again["contextId"] == "my-own-context"
    assert NO_SUCH_TASK in other.ask(message(spelling, contextId="my-own-context")).text


def test_ids_that_can_not_be_kept_are_nobodys(line):
    owner, *_ = make_callers(line)
    before = len(line.endpoint.calls())

    for strange in ("x" * 257, "nul\0inside", "half\ud800"):
        body = json.dumps({"jsonrpc": "2.0", "id": 7, "method": "GetTask", "params": {"id": strange}})
        answer = httpx.post(line.url, content=body, headers=owner.headers)
        assert answer.json()["error"]["code"] in (-32001, -32600)
        body = json.dumps(message(RPC, contextId="x").body).replace('"x"', json.dumps(strange))
        answer = httpx.post(line.url, content=body, headers=owner.headers)
        assert answer.json()["error"]["code"] in (-32001, -32600)
    for made_up in ("gh-made-up", "GH-made-up"):
        answer = owner.ask(message(RPC, taskId=made_up))
        assert answer.json()["error"]["code"] == -32001
    assert owner.ask(message(RPC, contextId="gh-made-up")).json()["error"]["code"] == -32001

    assert len(line.endpoint.calls()) == before


@every_spelling
def test_a_tasks_row_is_there_before_the_bytes_that_name_it(line, spelling):
    owner, *_ = make_callers(line)
    request = message(spelling, "stream 3", streams=True)

    with httpx.stream(
        request.http_method,
        f"{line.url}{request.path}",
        json=request.body,
        headers=owner.headers | {"a2a-version": request.version},
        timeout=10,
    ) as answer:
        first = next(line for line in answer.iter_lines() if line.startswith("data:"))
        rows = set(TaskOwner.objects.filter(connection=line.connection).exclude(task="").values_list("task", flat=True))

    assert len(rows) == 1
    assert rows.pop() in first


def test_recording_a_new_task_takes_one_round_trip_and_does_not_wait_for_the_disk(line, django_assert_num_queries):
    owner = owners.Owner(line.connection.id, line.agent.id, None)

    with django_assert_num_queries(1):
        owners.record(owner, [Named("t1", "c1")])
    with django_assert_num_queries(2):
        owners.record(owner, [Named("t2", "c1"), Named("t1", "c1")])
    with pytest.raises(owners.ForeignTask):
        owners.record(owners.Owner(line.connection.id, line.agent.id, factories.make_user().id), [Named("t3", "c1")])
    with transaction.atomic(), database.cursor() as cursor:
        owners.record(owner, [Named("t4", "c4")])
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("off",)
    with database.cursor() as cursor:
        cursor.execute("SHOW synchronous_commit")
        assert cursor.fetchone() == ("on",)


def test_of_many_who_claim_a_context_at_once_one_gets_it(line):
    callers = make_callers(line)
    claims = [owners.Owner(c.connection.id, c.agent.id, c.user.id if c.user else None) for c in callers] * 4

    def claim(owner: owners.Owner) -> owners.Owner | None:
        try:
            owners.check(owner, (), ("contested",), begins=True)
            return owner
        except owners.ForeignTask:
            return None
        finally:
            database.close()

    with ThreadPoolExecutor(8) as pool:
        winners = {owner for owner in pool.map(claim, claims) if owner}

    assert len(winners) == 1
    assert TaskOwner.objects.filter(connection=line.connection, context="contested").count() == 1


class Subject:
    """An endpoint that answers everybody with a new task."""

    async def __call__(self, scope, receive, send) -> None:
        asked = json.loads((await receive())["body"])
        status = {"state": "TASK_STATE_COMPLETED"}
        task = {"id": str(uuid.uuid4()), "contextId": str(uuid.uuid4()), "status": status}
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {"task": task}}).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})


def test_a_thousand_interleaved_calls_each_carry_their_own_callers_credential(make_line, settings):
    settings.AUTH_METHODS = [*settings.AUTH_METHODS, "tests.gateway.methods.PerCaller"]
    received = []
    with serve(Recorder(Subject(), received)) as served:
        line = make_line(served.url, credential=None, auth_method="per-caller", calls_per_minute=100_000)
        callers = make_callers(line)
        answers = asyncio.run(_interleaved(callers, 1000))

    assert answers == {200: 1000}
    carried = [
        (call.header("authorization"), call.json()["params"]["message"]["parts"][0]["text"]) for call in received
    ]
    assert len(carried) == 1000
    assert all(bearer == [f"Bearer {said}"] for bearer, said in carried)
    assert {said for _, said in carried} == {bearer_of(caller.agent, caller.user) for caller in callers}
    assert TaskOwner.objects.filter(connection=line.connection).exclude(task="").count() == 1000


async def _interleaved(callers, count: int) -> dict[int, int]:
    seen: dict[int, int] = {}
    numbers = iter(range(count))

    async def call_on(http: httpx.AsyncClient) -> None:
        for number in numbers:
            caller = callers[number % len(callers)]
            request = message(RPC, bearer_of(caller.agent, caller.user))
            headers = caller.headers | {"a2a-version": "1.0"}
            answer = await http.post(caller.connection.gateway_url, json=request.body, headers=headers)
            assert "result" in answer.json(), answer.text
            seen[answer.status_code] = seen.get(answer.status_code, 0) + 1

    async with httpx.AsyncClient(timeout=30) as http:
        await asyncio.gather(*(call_on(http) for _ in range(40)))
    return seen


def test_a_refusal_for_a_foreign_task_is_in_the_log_with_who_asked(line):
    owner, other, *_ = make_callers(line)
    task = result_of(owner.ask(message(RPC, "input")))["id"]

    answer = other.ask(spelled(RPC, "GetTask", {"id": task}))

    [row] = rows_of(answer.headers["x-request-id"], count=1)
    assert (row.outcome, row.reason, row.method) == ("failed", "task_not_found", "GetTask")
    assert (row.agent_id, row.on_behalf_of_id) == (other.agent.id, other.user.id)
