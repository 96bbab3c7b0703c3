"""For whom an agent speaks: only with an owner's permission, and never for somebody who may not use agents (T03)."""

import time
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from portal.agents import speaking
from portal.agents.models import SpeakingPermission
from portal.projects.models import RoleAssignment
from portal.projects.roles import PERMISSIONS, Permission, Role
from tests import factories
from tests.fakes.stock_client import TLS
from tests.gateway.callers import SPELLINGS, Caller, everything_in, message
from tests.gateway.conftest import rows_of

RPC = SPELLINGS[0]
MAY_NOT, UNKNOWN = "MAY_NOT_SPEAK", "USER_UNKNOWN"


@pytest.fixture
def ben(shared_line):
    return factories.make_member(shared_line.agent.project, Role.AI_USER, name="Ben Okafor")


def named(line, identity) -> httpx.Response:
    return line.post(message(RPC).body, headers={"x-ms-user-identity": identity, "a2a-version": "1.0"})


def reason_of(answer: httpx.Response) -> str:
    """ "" for an answer of the endpoint's."""
    error = answer.json().get("error")
    if error is None:
        return ""
    assert error["code"] == -32052
    return error["data"][1]["reason"]


def allow(line, people=None, until=None) -> None:
    speaking.allow(line.agent, factories.make_user("Olive Owner"), people=people, until=until)


def test_an_agent_that_may_not_speak_is_refused_and_not_ignored(shared_line, ben):
    for identity in (ben.email, str(ben.id), "nobody@contoso.example", ""):
        answer = named(shared_line, identity)
        assert reason_of(answer) == MAY_NOT, repr(identity)
    assert not shared_line.endpoint.calls()


@pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
def test_in_every_spelling_and_on_every_path(shared_line, ben, spelling):
    caller = Caller(shared_line.agent, shared_line.key, ben, shared_line.connection)
    for request in (message(spelling), message(spelling, streams=True)):
        assert MAY_NOT in caller.ask(request).text
    for path in ("/.well-known/agent-card.json", "/consent-status"):
        answer = shared_line.get(path, headers=caller.headers)
        assert answer.status_code == 403
        assert MAY_NOT in answer.text
    assert not shared_line.endpoint.calls()


def test_it_may_speak_for_everyone_in_the_project(shared_line, ben):
    allow(shared_line)

    answer = named(shared_line, ben.email)

    assert reason_of(answer) == ""
    attempt, outcome = rows_of(answer.headers["x-request-id"])
    assert attempt.on_behalf_of_id == outcome.on_behalf_of_id == ben.id
    assert attempt.on_behalf_of_name == "Ben Okafor"


def test_the_user_is_named_by_address_in_any_case_or_by_id(shared_line, ben):
    allow(shared_line)
    ids = (ben.email, ben.email.upper(), ben.email.title(), str(ben.id), str(ben.id).upper(), ben.id.hex)

    for identity in ids:
        answer = named(shared_line, identity)
        assert reason_of(answer) == "", identity
        assert rows_of(answer.headers["x-request-id"])[0].on_behalf_of_id == ben.id


def test_the_endpoint_is_not_told_who_the_user_is(shared_line, ben):
    allow(shared_line)
    named(shared_line, ben.email)

    [call] = shared_line.endpoint.calls()
    assert call.header("x-ms-user-identity") == []
    assert ben.email not in str(call.headers)


def test_all_whom_it_can_not_speak_for_get_one_answer(shared_line, ben):
    """An unknown person, one without a role, an inactive one, an owner, one who is not among the named people."""
    project = shared_line.agent.project
    allow(shared_line, people=[ben])
    RoleAssignment.objects.filter(user=ben).delete()
    inactive = factories.make_member(project, Role.AI_USER, name="Gone Person")
    inactive.is_active = False
    inactive.save()
    elsewhere = factories.make_member(factories.make_project(), Role.AI_USER, name="Else Where")
    another = factories.make_member(project, Role.AI_USER, name="Not Named")
    strange = ["nobody@contoso.example", "00000000-0000-4000-8000-000000000000", "'; DROP TABLE users", "x" * 3000]
    people = [ben, inactive, elsewhere, another]

    answers = [named(shared_line, who) for who in [*strange, *(p.email for p in people), *(str(p.id) for p in people)]]

    assert {reason_of(answer) for answer in answers} == {UNKNOWN}
    assert len({str(everything_in(answer)) for answer in answers}) == 1
    assert not shared_line.endpoint.calls()


@pytest.mark.parametrize("role", Role)
def test_the_role_decides_as_the_table_says(shared_line, role):
    person = factories.make_member(shared_line.agent.project, role, name="Some One")
    allow(shared_line)

    able = Permission.AGENT_INTERACT in PERMISSIONS[role]

    assert reason_of(named(shared_line, person.email)) == ("" if able else UNKNOWN)
    assert able == (role in (Role.AI_USER, Role.PROJECT_MANAGER, Role.AI_OWNER, Role.AGENT_CONSUMER))


def test_a_role_on_the_portal_counts_in_every_project(shared_line):
    person = factories.make_member(None, Role.AI_USER, name="Por Tal")
    allow(shared_line)

    assert reason_of(named(shared_line, person.email)) == ""


def test_a_role_that_ends_counts_until_then(shared_line):
    person = factories.make_user("Short Stay")
    end = timezone.now() + timedelta(seconds=1.5)
    factories.give(person, Role.AI_USER, shared_line.agent.project, until=end)
    allow(shared_line)

    assert reason_of(named(shared_line, person.email)) == ""
    time.sleep(max(0, (end - timezone.now()).total_seconds()))
    assert reason_of(named(shared_line, person.email)) == UNKNOWN


def test_the_permission_counts_until_its_end(shared_line, ben):
    end = timezone.now() + timedelta(seconds=1.5)
    allow(shared_line, until=end)

    assert reason_of(named(shared_line, ben.email)) == ""
    time.sleep(max(0, (end - timezone.now()).total_seconds()))
    assert reason_of(named(shared_line, ben.email)) == MAY_NOT


def test_a_withdrawn_permission_is_none(shared_line, ben):
    allow(shared_line, people=[ben])
    assert reason_of(named(shared_line, ben.email)) == ""

    speaking.withdraw(shared_line.agent, factories.make_user())

    time.sleep(1)
    assert reason_of(named(shared_line, ben.email)) == MAY_NOT


def test_the_permission_is_one_agents_alone(shared_line, ben):
    SpeakingPermission.objects.create(agent=factories.make_agent(shared_line.agent.project), everyone=True)

    assert reason_of(named(shared_line, ben.email)) == MAY_NOT


def test_two_users_at_once_are_refused(shared_line, ben):
    allow(shared_line)
    pairs = [*shared_line.headers.items(), ("x-ms-user-identity", ben.email), ("x-ms-user-identity", ben.email)]

    answer = httpx.post(shared_line.url, json=message(RPC).body, headers=pairs, timeout=10, verify=TLS)

    assert answer.json()["error"]["code"] == -32600
    assert not shared_line.endpoint.calls()


def test_a_user_named_in_the_body_or_the_query_is_nobody(shared_line, ben):
    allow(shared_line)
    said = {"x-ms-user-identity": ben.email, "user": ben.email, "userIdentity": ben.email}
    body = message(RPC, metadata=said, params_metadata=said).body

    answer = shared_line.post(body, path=f"?x-ms-user-identity={ben.email}", headers={"a2a-version": "1.0"})

    assert rows_of(answer.headers["x-request-id"])[0].on_behalf_of_id is None
