"""An endpoint that answers `insufficient_scope` to a call through a running gateway: the user is asked for more."""

from urllib.parse import urlsplit

import httpx
import pytest
from django.http import QueryDict

from connections.models import Connection
from consent import coming_back, flow, stepping_up
from consent.models import ConsentRequest, Grant
from portal.audit.models import LogRow
from tests.consent.given import again
from tests.consent.test_gateway_oauth import (  # noqa: F401 -- fixtures
    RPC,
    World,
    _in_thread,
    ask,
    asked,
    both_ways,
    refusal_of,
    said,
    shared_database,
    shared_gateway,
    world,
)
from tests.fakes.signing_in import sign_in
from tests.fakes.stock_client import user_message, with_client
from tests.gateway.callers import spelled
from tests.gateway.conftest import rows_of

MORE, VAIN = stepping_up.ASKS_FOR_MORE, stepping_up.ASKS_IN_VAIN


def answer_by(request: ConsentRequest, account: str = "octo-ben", scopes: set[str] | None = None) -> Grant:
    """The person opens this very link and agrees; `scopes` are what stays ticked at the provider."""
    departure = flow.begin(flow.find(request.pk, request.user))
    with httpx.Client() as http:
        back = sign_in(http, departure.address, account, scopes=scopes)
    coming_back.complete(request.connection_id, request.user, departure.browser, QueryDict(urlsplit(back).query))
    return again(Grant.objects.get(connection=request.connection, agent=request.agent, user=request.user))


@pytest.fixture
def strict(world, resource_of) -> World:  # noqa: F811
    """The endpoint wants a scope that the connection does not ask for."""
    world.endpoint = resource_of(world.octo, scope="profile")
    connection = Connection.objects.get(pk=world.connection.pk)
    connection.endpoint = world.endpoint.url
    connection.interfaces = [one | {"url": world.endpoint.url} for one in connection.interfaces[:1]]
    connection.save()
    world.connection = connection
    return world


def test_the_agent_is_told_as_at_the_first_consent_and_after_it_the_call_goes_through(strict):
    grant = strict.give(strict.ben)
    answer = ask(strict.ben)
    told = asked(answer)
    assert told["scopes"] == ["reviews:read", "reviews:comment", "profile"]
    assert "needs your permission again: The endpoint asks for more than was allowed" in told["text"]
    assert strict.endpoint.subjects() == [] and strict.endpoint.refusals == [403]

    kept = again(grant)
    assert (kept.state, kept.generation, kept.access_token) == (
        Grant.State.ACTIVE,
        grant.generation,
        grant.access_token,
    )
    [outcome] = [row for row in rows_of(answer.headers["x-request-id"], 3) if row.duration is not None]
    assert (outcome.outcome, outcome.reason, outcome.status) == ("consent_needed", MORE, 403)
    row = LogRow.objects.filter(event="consent.asked", connection_id=strict.connection.id, reason=MORE).earliest("id")
    assert "profile" in row.details

    answer_by(ConsentRequest.objects.get(pk=told["id"]))
    assert said(ask(strict.ben)).startswith("octo-ben through ")
    assert again(grant).scopes_given == ["reviews:read", "reviews:comment", "profile"]
    # From what was prepared, too: the next calls ask nobody.
    assert said(ask(strict.ben)).startswith("octo-ben through ")
    assert strict.endpoint.refusals == [403]


@both_ways
def test_a_stock_client_goes_on_with_the_same_task(strict, streaming):
    strict.give(strict.ben)

    async def talk(client):
        [first] = [event async for event in client.send_message(user_message("whoami"))]
        await _in_thread(lambda: answer_by(ConsentRequest.objects.get(connection=strict.connection, reason=MORE)))
        ids = {"task_id": first.task.id, "context_id": first.task.context_id}
        return [event async for event in client.send_message(user_message("whoami", **ids))]

    url, headers = strict.connection.gateway_url, strict.ben.headers
    [event] = with_client(url, RPC, talk, streaming=streaming, headers=headers)
    assert event.message.parts[0].text.startswith("octo-ben through ")


def test_the_task_waits_until_more_was_allowed(strict):
    strict.give(strict.ben)
    told = asked(answer := ask(strict.ben))
    task = answer.json()["result"]["task"]["id"]

    def state() -> str:
        return strict.ben.ask(spelled(RPC, "GetTask", {"id": task})).json()["result"]["status"]["state"]

    assert state() == "TASK_STATE_AUTH_REQUIRED"
    answer_by(ConsentRequest.objects.get(pk=told["id"]))
    assert state() != "TASK_STATE_AUTH_REQUIRED"


def test_other_calls_are_not_held_up_and_other_people_not_asked(strict):
    strict.give(strict.ben)
    strict.give(strict.chloe, "octo-chloe")
    ask(strict.ben)
    assert strict.connection.consent_requests.filter(reason=MORE).values_list("user").distinct().count() == 1
    status = httpx.get(f"{strict.connection.gateway_url}/consent-status", headers=strict.ben.headers)
    assert status.json()["state"] == "connected"


def test_one_whom_the_provider_never_gives_it_is_asked_three_times_and_then_refused(strict):
    """Else an endpoint could send a person round in circles."""
    strict.give(strict.ben)
    for _ in range(stepping_up.MOST_OF_A_SET):
        told = asked(ask(strict.ben))
        answer_by(ConsentRequest.objects.get(pk=told["id"]), scopes={"reviews:read", "reviews:comment"})
    before = ConsentRequest.objects.count()
    answer = ask(strict.ben)
    assert refusal_of(answer)[1] == VAIN.upper()
    assert ConsentRequest.objects.count() == before
    assert rows_of(answer.headers["x-request-id"])[-1].reason == VAIN
    assert Grant.objects.get(user=strict.ben.user).state == Grant.State.ACTIVE
