"""Failures of publishers' apps on the way of a call: how each is really produced, by its code."""

import httpx

from consent.managed import listing
from consent.models import Grant, PublisherApp
from consent.terms import publishers_redirect_uri
from tests import factories
from tests.consent.managed.publishing import SLUG
from tests.consent.test_gateway_oauth import World, ask
from tests.troubleshooting.endpoints import Get, Produce


def is_removed(get: Get) -> httpx.Response:
    world: World = get("managed_world")
    listing.remove(PublisherApp.objects.get(), factories.make_user())
    return ask(world.ben)


def does_not_serve_the_endpoint(get: Get) -> httpx.Response:
    world: World = get("managed_world")
    changed(origins=["https://elsewhere.example"])
    return ask(world.ben)


def has_no_secret_yet(get: Get) -> httpx.Response:
    world: World = get("managed_world")
    changed(client_id="another")
    return ask(world.ben)


def changed(**what) -> PublisherApp:
    app = PublisherApp.objects.get()
    now = {name: getattr(app, name) for name in ("client_id", "variables", "origins")}
    return listing.change(app, by=factories.make_user(), **(now | what))


MANAGED: dict[str, Produce] = {
    "managed_app_missing": is_removed,
    "managed_endpoint_not_listed": does_not_serve_the_endpoint,
    "managed_app_unfinished": has_no_secret_yet,
}

# What the user gave no longer serves: the agent is given a link, and the reason stands beside it.


def was_taken_away_and_given_back(world: World, grant: Grant) -> None:
    listed = PublisherApp.objects.get().origins
    changed(origins=["https://elsewhere.example"])
    changed(origins=listed)


def is_another_app_now(world: World, grant: Grant) -> None:
    client = world.octo.register(publishers_redirect_uri(SLUG))
    app = changed(client_id=client.client_id)
    listing.replace_secret(app, client.client_secret, factories.make_user())


ENDED_BY_OWNER = {
    "managed_app_withdrawn": was_taken_away_and_given_back,
    "managed_app_changed": is_another_app_now,
}
