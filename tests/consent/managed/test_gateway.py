"""The whole story: an owner registers an app, a project chooses it, a user consents, an agent calls as the user."""

import json
import time
from datetime import timedelta

import pytest

from connections import agent_card
from connections.methods import method_of
from connections.methods.base import Caller
from connections.models import Connection
from consent.managed import listing
from consent.models import ConsentRequest, Grant, PublisherApp
from portal.audit import changes
from portal.identities.audiences import origin_of
from portal.projects.roles import Role
from portal.users import User
from tests import factories
from tests.consent import making
from tests.consent.given import again, expire, give
from tests.consent.managed import publishing
from tests.consent.managed.publishing import READ, SECRET, SLUG
from tests.consent.test_gateway_oauth import World, ask, asked, refusal_of, said
from tests.gateway.callers import make_callers
from tests.gateway.conftest import (  # noqa: F401 -- fixtures
    Line,
    rows_of,
    shared_database,
    shared_gateway,
)


@pytest.fixture
def owner(shared_gateway) -> User:  # noqa: F811
    return factories.make_member(None, Role.OWNER, name="Ana Ruiz")


@pytest.fixture
def world(shared_gateway, owner, provider, resource_of, monkeypatch) -> World:  # noqa: F811
    octo = provider(grace_seconds=0)
    endpoint = resource_of(octo)
    PublisherApp.objects.all().delete()
    publishing.register(octo, publishing.know(monkeypatch, publishing.record(octo)), owner, endpoint.url)
    project = factories.make_project()
    agent = factories.make_agent(project)
    fetched = agent_card.fetch([f"{endpoint.url}/.well-known/agent-card.json"])
    interfaces = agent_card.Card.of(fetched.card).interfaces(endpoint.url)
    connection = publishing.connect(project, agent, endpoint.url, card=fetched.card, interfaces=interfaces)
    return World(octo, endpoint, connection, *make_callers(Line(agent, factories.make_key(agent), connection)))


def let_gateways_know() -> None:
    time.sleep(changes.FRESH_SECONDS + 0.1)


def change_origins(owner: User, *origins: str) -> None:
    app = PublisherApp.objects.get(publisher=SLUG)
    listing.change(app, app.client_id, app.variables, origins, owner)


def test_a_user_is_asked_consents_and_the_agent_calls_as_them(world):
    link = asked(ask(world.ben))
    assert link["scopes"] == [READ]
    world.give(world.ben)
    assert said(ask(world.ben)).startswith("octo-ben through ")
    app = PublisherApp.objects.get()
    assert [visit.client_id for visit in world.endpoint.visits] == [app.client_id]
    [exchange] = world.octo.codes()
    assert exchange.basic == (app.client_id, SECRET)
    assert exchange.form["redirect_uri"].endswith("/consent/callback/p/octo")
    # At the gateway nothing of the app comes to the endpoint but the user's token.
    assert SECRET not in "".join(str(call.headers) + str(call.body) for call in world.endpoint.agent.received)


def test_it_is_refreshed_with_the_apps_secret_on_the_way_of_a_call(world):
    expire(world.give(world.ben))
    assert said(ask(world.ben)).startswith("octo-ben")
    [refresh] = world.octo.refreshes()
    assert refresh.basic[1] == SECRET


def test_a_new_secret_is_used_at_once_and_the_former_one_where_the_publisher_lags(world, owner):
    app = PublisherApp.objects.get()
    grant = world.give(world.ben)
    listing.replace_secret(app, "not-known-there-yet", owner, keep_former=timedelta(days=1))
    expire(grant)
    assert said(ask(world.ben)).startswith("octo-ben")
    assert [call.basic[1] for call in world.octo.refreshes()] == ["not-known-there-yet", SECRET]
    listing.replace_secret(PublisherApp.objects.get(), "wrong", owner)
    expire(again(grant))
    assert refusal_of(ask(world.ben))[1] == "OAUTH_CLIENT_REFUSED"


def test_an_origin_that_is_taken_away_stops_the_next_call_also_of_a_gateway_that_has_the_token_at_hand(world, owner):
    grant = world.give(world.ben)
    assert [said(ask(world.ben)) for _ in range(2)]
    visits = len(world.endpoint.visits)
    change_origins(owner, "https://elsewhere.example")
    let_gateways_know()
    assert refusal_of(ask(world.ben)) == (-32050, "MANAGED_ENDPOINT_NOT_LISTED")
    assert refusal_of(ask(world.chloe))[1] == "MANAGED_ENDPOINT_NOT_LISTED", "nor is anybody else asked"
    assert len(world.endpoint.visits) == visits
    assert again(grant).reason == "managed_app_withdrawn"


def test_edited_in_the_database_and_announced_it_stops_as_well(world):
    """The list is asked at each use, not only where the pages change it."""
    grant = world.give(world.ben)
    assert said(ask(world.ben))
    with changes.announced():
        PublisherApp.objects.update(origins=["https://elsewhere.example"])
    let_gateways_know()
    assert refusal_of(ask(world.ben))[1] == "MANAGED_ENDPOINT_NOT_LISTED"
    assert again(grant).state == Grant.State.ACTIVE
    with changes.announced():
        PublisherApp.objects.update(origins=[origin_of(world.endpoint.url)])
    let_gateways_know()
    assert said(ask(world.ben)).startswith("octo-ben")


def test_a_removed_app_stops_everything_and_says_who_must_act(world, owner):
    world.give(world.ben)
    asked(ask(world.chloe))
    listing.remove(PublisherApp.objects.get(), owner)
    let_gateways_know()
    answer = ask(world.ben)
    assert refusal_of(answer)[1] == "MANAGED_APP_MISSING"
    told = json.loads(answer.text)["error"]["data"][-1]["metadata"]
    assert told["who_must_act"] == "portal_owner"
    assert not ConsentRequest.objects.filter(connection=world.connection, state="waiting").exists()
    assert rows_of(answer.headers["x-request-id"])[1].reason == "managed_app_missing"


def test_an_endpoint_at_a_listed_origin_that_redirects_elsewhere_gets_nothing_there(
    world,
    owner,
    hostile,
    fake_agent,
    shared_gateway,  # noqa: F811
):
    """The owner has listed the origin; what its endpoint says of other hosts does not count."""
    url = hostile.url("redirect-307")
    change_origins(owner, origin_of(url))
    connection = publishing.connect(world.connection.project, world.ben.agent, url)
    give(connection, world.ben.agent, world.ben.user)
    let_gateways_know()
    caller = type(world.ben)(world.ben.agent, world.ben.key, world.ben.user, connection)
    assert refusal_of(ask(caller))[1] == "ENDPOINT_REDIRECTS"
    elsewhere = [sent for sent in hostile.received if "redirect" not in sent.path]
    assert not any(sent.header("authorization") for sent in elsewhere)


def test_a_stream_ends_when_the_app_is_taken_away(world, owner):
    grant = world.give(world.ben)
    assert said(ask(world.ben))
    listing.remove(PublisherApp.objects.get(), owner)
    let_gateways_know()
    found = Connection.objects.get(pk=world.connection.pk)
    assert not method_of(found).stands(found, Caller(grant.agent, grant.user))


def test_custom_connections_beside_it_go_on_as_before(world, owner):
    project = world.connection.project
    custom = making.connection_to(world.octo, project, world.ben.agent, endpoint=world.endpoint.url)
    caller = type(world.ben)(world.ben.agent, world.ben.key, world.ben.user, custom)
    give(custom, world.ben.agent, world.ben.user)
    let_gateways_know()
    listing.remove(PublisherApp.objects.get(), owner)
    let_gateways_know()
    assert said(ask(caller)).startswith("octo-ben")
