"""Two projects with a user, an agent and a connection each: nothing of one reaches anything of the other (T02)."""

import time
from dataclasses import dataclass

import httpx
import pytest

from connections import offering
from connections.models import Connection, Given
from portal.agents.models import SpeakingPermission
from portal.audit.models import LastUse, LogRow
from portal.projects.roles import Role
from tests import factories
from tests.fakes.stock_client import TLS
from tests.gateway.callers import SPELLINGS, Caller, Request, everything_in, message, namings, result_of, spelled
from tests.gateway.conftest import Line, line_to

RPC = SPELLINGS[0]
KEY = ("x-api-key", "ledger-secret-value")


@dataclass
class Side:
    line: Line
    caller: Caller
    task: str
    context: str

    def requests(self, spelling) -> dict:
        """Everything that the gateway answers, in one spelling, with ids of this side."""
        named = {way: make(self.task) for way, make in namings(spelling).items()}
        if spelling == SPELLINGS[0]:
            named |= {
                "card": _get("/.well-known/agent-card.json"),
                "consent status": _get("/consent-status"),
                "extended card": _get("/extendedAgentCard"),
            }
        return named | {
            "send": message(spelling),
            "stream": message(spelling, streams=True),
            "context": message(spelling, contextId=self.context),
            "list": spelled(spelling, "ListTasks", {}),
            "list of a context": spelled(spelling, "ListTasks", {"contextId": self.context}),
        }


def _get(path: str):
    return Request("GET", path, None, "1.0")


def make_side(endpoint, name: str) -> Side:
    project = factories.make_project(f"project-of-{name}-{time.monotonic_ns()}")
    line = line_to(endpoint, project=project)
    user = factories.make_member(project, Role.AI_USER, name=f"User Of {name}")
    SpeakingPermission.objects.create(agent=line.agent, everyone=True)
    caller = Caller(line.agent, line.key, user, line.connection)
    begun = result_of(caller.ask(message(RPC, "input")))
    return Side(line, caller, begun["id"], begun["contextId"])


@pytest.fixture
def sides(shared_gateway, fake_agent) -> tuple[Side, Side]:
    """Both behind one endpoint, so that the endpoint itself would tell everything to anybody."""
    endpoint = fake_agent(required_header=KEY)
    return make_side(endpoint, "here"), make_side(endpoint, "there")


def unknown_to(here: Side) -> Connection:
    """A connection of that name was never there."""
    return Connection(project=here.caller.agent.project, name="never-was", endpoint="https://nowhere.example")


@pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
def test_no_path_or_method_reaches_the_other_projects_connection(sides, spelling):
    here, there = sides
    endpoint = here.line.endpoint
    before = len(endpoint.received), LastUse.objects.count()
    stranger = Caller(here.caller.agent, here.caller.key, None, there.caller.connection)
    user_along = Caller(here.caller.agent, here.caller.key, here.caller.user, there.caller.connection)
    nowhere = Caller(here.caller.agent, here.caller.key, None, unknown_to(here))

    for way, request in there.requests(spelling).items():
        answer = stranger.ask(request)
        assert everything_in(answer) == everything_in(nowhere.ask(request)), way
        assert everything_in(answer) == everything_in(user_along.ask(request)), way
        assert "CONNECTION_UNKNOWN" in answer.text, way
    assert (len(endpoint.received), LastUse.objects.count()) == before


@pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
def test_the_other_projects_tasks_are_none_through_the_own_connection(sides, spelling):
    here, there = sides
    for way, request in there.requests(spelling).items():
        if way in namings(spelling) or "context" in way:
            answer = here.caller.ask(request)
            assert there.task not in answer.text, way
            assert "input-required" not in answer.text.lower().replace("_", "-"), way


def test_the_other_projects_user_can_not_be_named(sides):
    here, there = sides
    for identity in (there.caller.user.email, str(there.caller.user.id)):
        headers = here.caller.headers | {"x-ms-user-identity": identity}
        answer = httpx.post(here.line.url, json=message(RPC).body, headers=headers, verify=TLS)
        assert answer.json()["error"]["data"][1]["reason"] == "USER_UNKNOWN"


def test_the_other_projects_name_with_the_own_connections_name_and_the_reverse(sides):
    """Each name is right by itself; also in other letters, encoded, or with a way up."""
    here, there = sides
    ours, theirs = here.line.connection, there.line.connection
    base = here.line.url.split("/a2a/")[0]
    paths = [
        f"{theirs.project.name}/{ours.name}",
        f"{ours.project.name}/{theirs.name}",
        f"{ours.project.name}/../{theirs.project.name}/{theirs.name}",
        f"{ours.project.name}/%2e%2e/{theirs.project.name}/{theirs.name}",
        f"{ours.project.name}%2F{theirs.name}/{theirs.name}",
        f"{ours.project.name}/{ours.name}/../{theirs.name}",
        f"{theirs.project.id}/{theirs.id}",
        f"{ours.project.name}/{theirs.id}",
        f"{ours.project.name.upper()}/{ours.name}",
        f"{ours.project.name}/{ours.name.upper()}",
        f"{ours.project.name}/{ours.name}%20",
        f"{ours.project.name}//{ours.name}",
    ]
    before = len(here.line.endpoint.received)
    for path in paths:
        url = httpx.URL(f"{base}/a2a/").copy_with(raw_path=f"/a2a/{path}".encode())
        answer = httpx.post(url, json=message(RPC).body, headers=here.caller.headers, verify=TLS)
        assert "error" in answer.json(), path
    assert len(here.line.endpoint.received) == before


def test_a_refusal_across_projects_is_in_the_own_projects_log_only(sides):
    here, there = sides
    answer = Caller(here.caller.agent, here.caller.key, None, there.caller.connection).ask(message(RPC))

    time.sleep(0.5)
    row = LogRow.objects.get(request_id=answer.headers["x-request-id"])
    assert (row.project_id, row.connection_id) == (here.caller.agent.project_id, None)
    elsewhere = LogRow.objects.filter(project_id=there.caller.agent.project_id)
    assert not elsewhere.filter(outcome="not_permitted").exists()


def reason_of(answer: httpx.Response) -> str:
    error = answer.json().get("error")
    return error["data"][1]["reason"] if error else ""


def test_what_was_not_given_is_not_there(sides):
    """Not given, deleted, and never made are one answer; a disabled one says so to those who may use it only."""
    here, _ = sides
    by = factories.make_user()
    project, agent = here.caller.agent.project, factories.make_agent(here.caller.agent.project)
    key = factories.make_key(agent)
    answers = []

    def ask(connection: Connection) -> str:
        answers.append(Caller(agent, key, None, connection).ask(message(RPC)))
        return reason_of(answers[-1])

    secret = factories.make_connection(project, "http://127.0.0.1:9/x", name="not-given")
    assert ask(secret) == "CONNECTION_UNKNOWN"
    offering.disable(secret, by)
    assert ask(secret) == "CONNECTION_UNKNOWN"
    assert ask(unknown_to(here)) == "CONNECTION_UNKNOWN"
    deleted = factories.make_connection(project, "http://127.0.0.1:9/x", name="deleted", given_to=agent)
    offering.delete(Connection.objects.get(pk=deleted.pk), by)
    assert ask(deleted) == "CONNECTION_UNKNOWN"
    taken = factories.make_connection(project, "http://127.0.0.1:9/x", name="taken-back", given_to=agent)
    offering.take_back(taken, agent, by)
    assert ask(taken) == "CONNECTION_UNKNOWN"
    assert len({str(everything_in(answer)) for answer in answers}) == 1

    offering.give(here.line.connection, agent, by)
    time.sleep(1)
    assert ask(here.line.connection) == ""
    offering.disable(here.line.connection, by)
    time.sleep(1)
    assert ask(here.line.connection) == "CONNECTION_DISABLED"


def test_all_agents_of_the_project_are_those_of_the_project(sides):
    here, there = sides
    offering.give_to_all(here.line.connection, factories.make_user(), on=True)
    Given.objects.filter(connection=here.line.connection).delete()
    later = factories.make_agent(here.caller.agent.project)

    assert reason_of(Caller(later, factories.make_key(later), None, here.line.connection).ask(message(RPC))) == ""
    stranger = Caller(there.caller.agent, there.caller.key, None, here.line.connection)
    assert reason_of(stranger.ask(message(RPC))) == "CONNECTION_UNKNOWN"

    offering.give_to_all(here.line.connection, factories.make_user(), on=False)
    time.sleep(1)
    assert reason_of(here.caller.ask(message(RPC))) == "CONNECTION_UNKNOWN"


def test_a_row_that_gives_across_projects_gives_nothing(sides):
    """Such a row can't come from the portal; if one did, the lookup would still not find it."""
    here, there = sides
    Given.objects.create(connection=there.line.connection, agent=here.caller.agent)

    stranger = Caller(here.caller.agent, here.caller.key, None, there.line.connection)
    assert reason_of(stranger.ask(message(RPC))) == "CONNECTION_UNKNOWN"
