"""Calls of agents through a running gateway to an endpoint that takes only the tokens of a real provider."""

import asyncio
import json
import random
import threading
import time
from collections import defaultdict
from dataclasses import dataclass

import httpx
import pytest
from a2a.types import TaskState
from django.db import connection as database

from connections import agent_card
from connections.gateway.patience import FOR_ONE_CONNECTION
from connections.models import Connection, Given, Health
from consent import flow, grants
from consent.models import ConsentRequest, Grant
from portal.agents.models import SpeakingPermission
from portal.audit import changes
from portal.audit.models import LogRow
from portal.projects import assignments
from portal.projects.models import RoleAssignment
from portal.projects.roles import Role
from tests import factories
from tests.consent import making
from tests.consent.given import again, expire, give
from tests.fakes import misbehaviour as bad
from tests.fakes.authorization_server import FakeProvider
from tests.fakes.resource import Resource
from tests.fakes.stock_client import TLS, user_message, with_client
from tests.gateway.callers import SPELLINGS, Caller, make_callers, message, result_of, spelled
from tests.gateway.conftest import (  # noqa: F401 -- fixtures
    Line,
    new_line,
    rows_of,
    shared_database,
    shared_gateway,
)

RPC = SPELLINGS[0]
every_spelling = pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
both_ways = pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
ACCOUNTS = ("octo-ben", "octo-chloe")


@dataclass
class World:
    """An agent that speaks for Ben and Chloe, another for Ben; the provider, and the endpoint behind its tokens."""

    octo: FakeProvider
    endpoint: Resource
    connection: Connection
    ben: Caller
    chloe: Caller
    nobody: Caller
    other_agent: Caller

    def give(self, caller: Caller, account: str = "octo-ben") -> Grant:
        return again(give(self.connection, caller.agent, caller.user, account))


@pytest.fixture
def world(shared_gateway, provider, resource_of) -> World:  # noqa: F811
    octo = provider(grace_seconds=0)
    endpoint = resource_of(octo)
    fetched = agent_card.fetch([f"{endpoint.url}/.well-known/agent-card.json"])
    project = factories.make_project()
    agent = factories.make_agent(project)
    connection = making.connection_to(
        octo,
        project,
        agent,
        endpoint=endpoint.url,
        card=fetched.card,
        interfaces=agent_card.Card.of(fetched.card).interfaces(endpoint.url),
        calls_per_minute=100_000,
        calls_at_once=1000,
    )
    callers = make_callers(Line(agent, factories.make_key(agent), connection))
    return World(octo, endpoint, connection, *callers)


def ask(caller: Caller, text: str = "whoami", **ids) -> httpx.Response:
    return caller.ask(message(RPC, text, **ids))


def said(answer: httpx.Response) -> str:
    """What the endpoint's message says."""
    [part] = json.loads(answer.text)["result"]["message"]["parts"]
    return part["text"]


def refusal_of(answer: httpx.Response) -> tuple[int, str]:
    """(code, reason of our own)."""
    error = json.loads(answer.text)["error"]
    return error["code"], error["data"][-1]["reason"]


def asked(answer: httpx.Response) -> dict:
    """The data of an answer that asks for consent."""
    status = result_of(answer)["status"]
    assert status["state"] == "TASK_STATE_AUTH_REQUIRED"
    return status["message"]["parts"][1]["data"] | {"text": status["message"]["parts"][0]["text"]}


# Asked, allowed, done


@every_spelling
@both_ways
def test_a_stock_client_is_asked_and_after_consent_the_same_message_arrives_as_the_user(world, spelling, streaming):
    caller = world.ben

    async def talk(client):
        async def say(**ids):
            return [event async for event in client.send_message(user_message("whoami", **ids))]

        [first] = await say()
        await _in_thread(world.give, caller)
        with_ids = await say(task_id=first.task.id, context_id=first.task.context_id)
        return first.task, with_ids, await say()

    task, with_ids, without_ids = with_client(
        caller.connection.gateway_url, spelling, talk, streaming=streaming, headers=caller.headers
    )

    assert task.status.state == TaskState.TASK_STATE_AUTH_REQUIRED
    request = ConsentRequest.objects.get(connection=world.connection)
    text, data = task.status.message.parts
    assert flow.link_of(request) in text.text
    shown = dict(data.data.struct_value.items())
    assert (shown["id"], shown["consent_link"]) == (str(request.id), flow.link_of(request))
    assert list(shown["scopes"]) == world.connection.settings["scopes"]
    for [event] in (with_ids, without_ids):
        assert event.message.parts[0].text.startswith("octo-ben through ")
    assert world.endpoint.subjects() == ["octo-ben", "octo-ben"]
    token = grants.fresh_token(Grant.objects.get(connection=world.connection)).value.reveal()
    assert {visit.token for visit in world.endpoint.visits} == {token}


async def _in_thread(work, *arguments):
    def done():
        try:
            return work(*arguments)
        finally:
            database.close()

    return await asyncio.to_thread(done)


def test_each_user_and_each_agent_has_a_link_of_its_own_and_a_live_one_is_used_again(world):
    links = [asked(ask(caller))["id"] for caller in (world.ben, world.chloe, world.other_agent) for _ in range(2)]

    assert len(set(links)) == 3
    assert ConsentRequest.objects.filter(connection=world.connection).count() == 3
    world.give(world.ben)
    assert said(ask(world.ben)).startswith("octo-ben")
    for caller in (world.chloe, world.other_agent):
        assert asked(ask(caller))["id"] in links, "what Ben gave to one agent serves nobody else"


def test_many_calls_at_once_without_a_grant_get_one_link(world):
    async def all_at_once():
        async with httpx.AsyncClient(verify=TLS, timeout=20) as http:
            return await asyncio.gather(*(_send(http, world.ben, "whoami") for _ in range(40)))

    links = {asked(answer)["consent_link"] for answer in asyncio.run(all_at_once())}

    assert links == {flow.link_of(ConsentRequest.objects.get(connection=world.connection))}


async def _send(http: httpx.AsyncClient, caller: Caller, text: str) -> httpx.Response:
    request = message(RPC, text)
    headers = caller.headers | {"a2a-version": "1.0"}
    return await http.post(caller.connection.gateway_url, json=request.body, headers=headers)


def test_a_thousand_interleaved_calls_each_carry_the_token_of_their_own_user_and_agent(world):
    """Also while the tokens of all four are refreshed in the middle of it (T10)."""
    fourth = Caller(world.other_agent.agent, world.other_agent.key, world.chloe.user, world.connection)
    four = {world.ben: "octo-ben", world.chloe: "octo-chloe", world.other_agent: "octo-ben", fourth: "octo-chloe"}
    given = {caller: world.give(caller, account) for caller, account in four.items()}
    order = [(number, random.choice(list(four))) for number in range(1000)]
    answers = asyncio.run(_in_between(order, lambda: expire(*given.values())))

    for (number, caller), answer in zip(order, answers, strict=True):
        assert answer.startswith(f"{four[caller]} through"), number
    seen = defaultdict(set)
    for call in world.endpoint.agent.calls():
        number = int(call.json()["params"]["message"]["parts"][0]["text"].split()[1])
        [header] = call.header("authorization")
        approval = world.octo.server.store.access_token(header.removeprefix("Bearer ")).approval
        seen[approval.id].add(order[number][1])
    # Each approval at the provider was used for exactly one pair of user and agent.
    assert sorted(map(len, seen.values())) == [1, 1, 1, 1]
    assert len(world.endpoint.visits) == 1000
    assert len(world.octo.refreshes()) == 4
    assert world.octo.reused() == set()


async def _in_between(order, do) -> list[str]:
    """What each call was told; `do` is done in the middle."""
    tickets = asyncio.Semaphore(40)
    middle = len(order) // 2

    async def one(http, number, caller):
        async with tickets:
            if number == middle:
                await _in_thread(do)
            return said(await _send(http, caller, f"whoami {number}"))

    async with httpx.AsyncClient(verify=TLS, timeout=30) as http:
        return await asyncio.gather(*(one(http, number, caller) for number, caller in order))


def test_a_call_that_waits_for_its_first_token_is_not_mistaken_for_one_that_lost_it(world):
    """The watch over open streams looks once a second, also at calls that have no credential yet."""
    grant = world.give(world.ben)
    expire(grant)
    held, answers = bad.Held(), []
    world.octo.next(held, at="refresh")
    thread = threading.Thread(target=lambda: answers.append(ask(world.ben)), daemon=True)
    thread.start()
    assert held.reached.wait(5)
    grants.revoke(grant, world.ben.user)
    time.sleep(2.2)
    held.release()
    thread.join(5)

    [answer] = answers
    assert "The user has disconnected the agent." in asked(answer)["text"]


# Refreshed on the way


def test_an_expired_token_is_refreshed_once_on_the_way_of_many_calls(world):
    grant = world.give(world.ben)
    expire(grant)
    world.octo.next(bad.slow(0.3), at="refresh")

    async def all_at_once():
        async with httpx.AsyncClient(verify=TLS, timeout=20) as http:
            return await asyncio.gather(*(_send(http, world.ben, "whoami") for _ in range(64)))

    assert {said(answer).partition(" ")[0] for answer in asyncio.run(all_at_once())} == {"octo-ben"}
    assert len(world.octo.refreshes()) == 1
    assert again(grant).generation == grant.generation + 1


@both_ways
def test_a_token_that_the_endpoint_refuses_is_renewed_once_and_the_call_made_again(world, streaming):
    world.give(world.ben)
    world.octo.expire_access_tokens()

    answer = world.ben.ask(message(RPC, "whoami", streams=streaming))

    assert "octo-ben through" in answer.text
    assert world.endpoint.refusals == [401]
    assert len(world.endpoint.visits) == len(world.octo.refreshes()) == 1
    assert rows_of(answer.headers["x-request-id"])[1].outcome == "succeeded"


def test_an_endpoint_that_refuses_the_new_token_too_is_asked_no_third_time(world):
    world.give(world.ben)
    world.octo.always(bad.changed(access_token="not-one-of-mine"), at="refresh")
    world.octo.expire_access_tokens()

    assert refusal_of(ask(world.ben)) == (-32050, "USER_TOKEN_REFUSED")
    assert world.endpoint.refusals == [401, 401]
    assert len(world.octo.refreshes()) == 1


def test_a_dead_refresh_token_leads_to_a_new_link_with_the_reason_in_plain_words(world):
    grant = world.give(world.ben)
    world.octo.revoke_everything()
    expire(grant)

    answer = ask(world.ben)

    data = asked(answer)
    assert "needs your permission again: The provider has ended the access." in data["text"]
    assert ConsentRequest.objects.get(pk=data["id"]).reason == "refresh_token_ended"
    assert rows_of(answer.headers["x-request-id"])[1].outcome == "consent_needed"
    world.give(world.ben)
    assert said(ask(world.ben)).startswith("octo-ben")


def test_a_refresh_token_that_dies_between_two_calls_leads_to_a_link_also_after_a_401(world):
    world.give(world.ben)
    world.octo.revoke_everything()

    assert asked(ask(world.ben))["consent_link"]
    assert world.endpoint.refusals == [401]


def test_a_provider_that_is_down_is_told_apart_from_a_missing_consent(world):
    grant = world.give(world.ben)
    expire(grant)
    world.octo.always(bad.too_many("60"), at="refresh")

    answers = [ask(world.ben) for _ in range(2)]

    assert [refusal_of(answer) for answer in answers] == [(-32053, "PROVIDER_UNAVAILABLE")] * 2
    assert len(world.octo.refreshes()) == 1
    assert again(grant).state == Grant.State.ACTIVE


def test_a_refused_app_registration_asks_no_user_and_marks_the_connection(world):
    expire(world.give(world.ben))
    world.octo.next(bad.refuses("invalid_client", 401), at="refresh")

    assert refusal_of(ask(world.ben))[1] == "OAUTH_CLIENT_REFUSED"
    assert Health.objects.get(connection=world.connection).reason == "oauth_client_refused"


def test_a_provider_that_does_not_answer_holds_up_nobody_else(world):
    """Neither those whose token is at hand, nor calls of other connections (I6)."""
    project = world.connection.project
    waiting = [_another(world, project) for _ in range(FOR_ONE_CONNECTION * 3)]
    world.give(world.ben)
    other = new_line(world.endpoint.agent.url, project, credential=None)
    assert ask_plainly(other) < 5, "warmed up"
    expire(*[grant for _, grant in waiting])
    world.octo.always(bad.slow(3, after_rotating=False), at="refresh")
    threads = [threading.Thread(target=ask, args=[caller], daemon=True) for caller, _ in waiting]
    for thread in threads:
        thread.start()
    time.sleep(0.5)

    began = time.monotonic()
    assert said(ask(world.ben)).startswith("octo-ben")
    took = time.monotonic() - began
    assert max(took, ask_plainly(other)) < 2
    assert any(thread.is_alive() for thread in threads)
    world.octo.behave()
    for thread in threads:
        thread.join(20)
    assert not any(thread.is_alive() for thread in threads)


def _another(world, project) -> tuple[Caller, Grant]:
    agent = factories.make_agent(project)
    Given.objects.create(connection=world.connection, agent=agent)
    SpeakingPermission.objects.create(agent=agent, everyone=True)
    caller = Caller(agent, factories.make_key(agent), world.ben.user, world.connection)
    return caller, world.give(caller)


def ask_plainly(line: Line) -> float:
    """Seconds that a call without credentials takes; that it is refused by the endpoint does not matter."""
    began = time.monotonic()
    line.post(message(RPC).body, headers={"a2a-version": "1.0"})
    return time.monotonic() - began


# Taken away


def test_a_user_who_loses_the_role_is_refused_at_the_next_call(world):
    world.give(world.ben)
    assert said(ask(world.ben))
    _take_the_role(world)

    assert refusal_of(ask(world.ben)) == (-32052, "USER_UNKNOWN")
    assert len(world.endpoint.visits) == 1


def _take_the_role(world) -> None:
    owner = factories.make_member(None, Role.OWNER, name="Ana Ruiz")
    assignments.remove(RoleAssignment.objects.get(user=world.ben.user), owner)
    time.sleep(0.9)  # what was looked up may serve for that long


def test_a_user_without_the_role_costs_no_refresh(world):
    expire(world.give(world.ben))
    _take_the_role(world)

    assert refusal_of(ask(world.ben)) == (-32052, "USER_UNKNOWN")
    assert world.octo.refreshes() == []


def test_a_blocked_agent_gets_neither_a_link_nor_a_token(world):
    request = ConsentRequest.objects.get(pk=asked(ask(world.ben))["id"])
    flow.not_asked(request)

    assert refusal_of(ask(world.ben)) == (-32052, "AGENT_BLOCKED_BY_USER")
    assert status_of(world.ben) == {"state": "consent_required", "consent_link": None, "expires_at": None}
    assert asked(ask(world.other_agent))["consent_link"], "only that agent"
    flow.unblock(world.ben.user.blocks.get())
    assert asked(ask(world.ben))["id"] != str(request.id)


def test_without_a_user_there_is_nobody_to_ask(world):
    code, reason = refusal_of(ask(world.nobody))

    assert (code, reason) == (-32052, "USER_MISSING")
    assert not ConsentRequest.objects.filter(connection=world.connection).exists()


def test_what_was_disconnected_is_asked_for_again_at_the_next_call(world):
    grant = world.give(world.ben)
    assert said(ask(world.ben))
    grants.revoke(grant, world.ben.user)
    # A worker tells the provider later, so only the counter can end what the gateway keeps.
    time.sleep(changes.FRESH_SECONDS)

    data = asked(ask(world.ben))

    assert "The user has disconnected the agent." in data["text"]
    assert len(world.endpoint.visits) == 1
    assert status_of(world.ben)["state"] == "consent_required"


@pytest.mark.parametrize("how", ["disconnected", "blocked"])
def test_an_open_stream_ends_within_five_seconds_after_it_was_taken_away(world, how):
    link = ConsentRequest.objects.get(pk=asked(ask(world.ben))["id"])
    grant = world.give(world.ben)
    request = message(RPC, "forever", streams=True)
    headers = world.ben.headers | {"a2a-version": "1.0"}
    with (
        httpx.Client(verify=TLS, timeout=10) as http,
        http.stream("POST", world.connection.gateway_url, json=request.body, headers=headers) as answer,
    ):
        events = (line for line in answer.iter_lines() if line.startswith("data:"))
        assert "error" not in json.loads(next(events)[5:])
        began = time.monotonic()
        if how == "disconnected":
            grants.revoke(grant, world.ben.user)
        else:
            ConsentRequest.objects.filter(pk=link.pk).update(state="waiting")
            flow.not_asked(link)
        *_, last = events
    assert time.monotonic() - began < 5
    assert json.loads(last[5:])["error"]["data"][-1]["reason"] == "CREDENTIAL_WITHDRAWN"


def test_a_moved_endpoint_gets_no_token_and_the_user_is_asked_again(world, fake_agent):
    world.give(world.ben)
    assert said(ask(world.ben))
    elsewhere = fake_agent()
    moved = Connection.objects.get(pk=world.connection.pk)
    moved.endpoint = elsewhere.url
    moved.interfaces = [{"url": elsewhere.url, "binding": "JSONRPC", "version": "1.0"}]
    _save(moved)

    assert "The connection has changed since it was allowed." in asked(ask(world.ben))["text"]
    assert elsewhere.calls() == []


def _save(connection: Connection) -> None:
    with changes.announced():
        connection.save()
    time.sleep(0.9)


# Is this user connected?


def status_of(caller: Caller) -> dict:
    url = f"{caller.connection.gateway_url}/consent-status"
    return httpx.get(url, headers=caller.headers, timeout=10, verify=TLS).json()


def test_the_status_says_what_the_next_call_would(world):
    needed = status_of(world.ben)
    assert needed["state"] == "consent_required"
    assert needed["consent_link"] == asked(ask(world.ben))["consent_link"]
    assert needed["expires_at"] == asked(ask(world.ben))["expires_at"]

    grant = world.give(world.ben)
    assert status_of(world.ben) == {"state": "connected", "consent_link": None, "expires_at": None}
    expire(grant)
    assert status_of(world.ben)["state"] == "connected", "it is refreshed on the way"
    Grant.objects.filter(pk=grant.pk).update(refresh_token="")
    assert status_of(world.ben)["state"] == "consent_required"
    assert status_of(world.chloe)["state"] == "consent_required"
    assert world.octo.refreshes() == []


def test_a_connection_that_is_not_finished_says_so_in_every_way(world):
    world.connection.secrets.all().delete()
    _save(world.connection)

    assert refusal_of(ask(world.ben))[1] == "OAUTH_NOT_FINISHED"
    assert "OAUTH_NOT_FINISHED" in json.dumps(status_of(world.ben))
    assert not ConsentRequest.objects.filter(connection=world.connection).exists()


def test_the_task_that_waits_says_when_it_can_go_on(world):
    task = result_of(ask(world.ben))["id"]
    get = spelled(RPC, "GetTask", {"id": task})
    assert result_of(world.ben.ask(get))["status"]["state"] == "TASK_STATE_AUTH_REQUIRED"

    world.give(world.ben)

    assert result_of(world.ben.ask(get))["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
    assert world.endpoint.agent.calls() == []


def test_a_call_that_is_no_message_gets_the_link_as_an_error(world):
    answer = world.ben.ask(spelled(RPC, "ListTasks", {}))

    assert refusal_of(answer) == (-32051, "CONSENT_REQUIRED")
    assert flow.link_of(ConsentRequest.objects.get(connection=world.connection)) in answer.text


def test_no_token_and_no_client_secret_is_in_any_answer_or_row(world):
    grant = world.give(world.ben)
    expire(grant)
    answers = [ask(world.ben), ask(world.chloe), ask(world.nobody)]
    token = grants.fresh_token(again(grant)).value.reveal()

    rows = str(list(LogRow.objects.filter(connection_id=world.connection.id).values()))
    for secret in (token, *[call.form["refresh_token"] for call in world.octo.refreshes()]):
        assert secret not in rows
        assert all(secret not in answer.text for answer in answers)
