"""Failures of OAuth identity passthrough on the way of a call: how each is really produced, by its code."""

from datetime import timedelta
from functools import partial

import httpx

from consent import flow, grants, restoring, stepping_up
from consent.models import ConsentRequest, Grant
from consent.terms import Terms
from portal.projects import people
from portal.projects.roles import Role
from tests import factories
from tests.consent import making
from tests.consent.given import expire, past_the_pause
from tests.consent.test_gateway_oauth import World, ask, asked
from tests.fakes import misbehaviour as bad
from tests.gateway.callers import SPELLINGS, spelled
from tests.troubleshooting.endpoints import Get, Produce


def says_at_the_refresh(fault, get: Get) -> httpx.Response:
    """The user's token has expired, and the provider answers the refresh like this."""
    world: World = get("world")
    expire(world.give(world.ben))
    world.octo.always(fault, at="refresh")
    return ask(world.ben)


def asks_without_a_message(get: Get) -> httpx.Response:
    return get("world").ben.ask(spelled(SPELLINGS[0], "ListTasks", {}))


def names_no_user(get: Get) -> httpx.Response:
    return ask(get("world").nobody)


def is_blocked_by_the_user(get: Get) -> httpx.Response:
    world: World = get("world")
    flow.not_asked(ConsentRequest.objects.get(pk=asked(ask(world.ben))["id"]))
    return ask(world.ben)


def has_no_client_secret(get: Get) -> httpx.Response:
    world: World = get("world")
    world.connection.secrets.all().delete()
    return ask(world.ben)


def lets_the_user_in_nowhere(status: int, get: Get) -> httpx.Response:
    """Consent is complete, and the endpoint answers so to the user's own token, also to a renewed one."""
    world: World = get("world")
    refusing = get("hostile").url(f"html-{status}")
    world.connection.endpoint = world.connection.interfaces[0]["url"] = refusing
    world.connection.interfaces = world.connection.interfaces[:1]
    world.connection.save()
    world.give(world.ben)
    return ask(world.ben)


def wants_more(get: Get) -> World:
    """The endpoint wants a scope that the connection does not ask for, of a user who has consented."""
    world: World = get("world")
    strict = get("resource_of")(world.octo, scope="profile")
    world.connection.endpoint = strict.url
    world.connection.interfaces = [one | {"url": strict.url} for one in world.connection.interfaces[:1]]
    world.connection.save()
    world.give(world.ben)
    return world


def asks_again_for_what_the_user_declined(get: Get) -> httpx.Response:
    world = wants_more(get)
    for _ in range(stepping_up.MOST_OF_A_SET):
        flow.decline(ConsentRequest.objects.get(pk=asked(ask(world.ben))["id"]))
    return ask(world.ben)


PASSTHROUGH: dict[str, Produce] = {
    "more_access_refused": asks_again_for_what_the_user_declined,
    "consent_required": asks_without_a_message,
    "user_missing": names_no_user,
    "agent_blocked_by_user": is_blocked_by_the_user,
    "oauth_not_finished": has_no_client_secret,
    "oauth_client_refused": partial(says_at_the_refresh, bad.refuses("invalid_client", 401)),
    "provider_refused_request": partial(says_at_the_refresh, bad.refuses("invalid_scope")),
    "provider_unavailable": partial(says_at_the_refresh, bad.too_many("60")),
    "refresh_uncertain": partial(says_at_the_refresh, bad.fails(502)),
    "user_without_access": partial(lets_the_user_in_nowhere, 403),
    "user_token_refused": partial(lets_the_user_in_nowhere, 401),
}

# What the user gave no longer serves: the agent is given a link, and the reason stands beside it.


def ended_at_the_provider(world: World, grant: Grant) -> None:
    world.octo.revoke_everything()
    expire(grant)


def has_no_refresh_token(world: World, grant: Grant) -> None:
    Grant.objects.filter(pk=grant.pk).update(refresh_token="")
    expire(grant)


def is_refused_and_has_no_refresh_token(world: World, grant: Grant) -> None:
    """As of providers whose tokens have no end: that it was taken back there is seen at the endpoint."""
    Grant.objects.filter(pk=grant.pk).update(refresh_token="")
    world.octo.revoke_everything()


def was_cut_off_while_it_was_renewed(world: World, grant: Grant) -> None:
    """The provider has rotated, and its answer was lost."""
    expire(grant)
    world.octo.next(bad.drop(), at="refresh")
    ask(world.ben)
    past_the_pause(grant)


def was_disconnected(world: World, grant: Grant) -> None:
    grants.revoke(grant, world.ben.user)


def was_revoked_by_an_administrator(world: World, grant: Grant) -> None:
    grants.revoke(grant, world.ben.user, reason="disconnected_by_administrator")


def left_and_came_back(world: World, grant: Grant) -> None:
    owner = factories.make_member(None, Role.OWNER, name="Ana Ruiz")
    people.deactivate(world.ben.user, owner)
    people.reactivate(world.ben.user, owner)


def was_older_in_the_backup(world: World, grant: Grant) -> None:
    """The portal was restored, and the provider has ended what its backup still has."""
    restoring.mark(timedelta(minutes=1))
    ended_at_the_provider(world, grant)


def has_another_address_now(world: World, grant: Grant) -> None:
    """What was agreed to differs from what the connection is."""
    terms = Terms.now(world.connection).stored() | {"token_url": f"{making.NOWHERE}/token"}
    Grant.objects.filter(pk=grant.pk).update(terms=terms)


def was_moved_from_another_user(world: World, grant: Grant) -> None:
    Grant.objects.filter(pk=grant.pk).update(user=world.chloe.user)


ENDED = {
    "refresh_token_ended": ended_at_the_provider,
    "interrupted_refresh": was_cut_off_while_it_was_renewed,
    "access_token_ended": has_no_refresh_token,
    "access_token_refused": is_refused_and_has_no_refresh_token,
    "disconnected_by_user": was_disconnected,
    "disconnected_by_administrator": was_revoked_by_an_administrator,
    "user_left": left_and_came_back,
    "restored_from_backup": was_older_in_the_backup,
    "address_changed": has_another_address_now,
    "token_unreadable": was_moved_from_another_user,
}
