"""Protected resource metadata (RFC 9728): which authorization servers an endpoint trusts."""

from typing import Any

from connections.agent_card.text import shown
from consent.discovery import addresses
from consent.discovery.asking import Asking
from consent.discovery.challenge import Challenge
from consent.discovery.ways import Way, scopes_of

WHAT = "resource metadata"
MOST_SERVERS = 4


def ways_of(asking: Asking, endpoint: str, challenge: Challenge) -> list[Way]:
    """One for each authorization server that the endpoint's metadata names."""
    named = addresses.usable(challenge.resource_metadata)
    if challenge.resource_metadata and not named:
        asking.note(endpoint, "The address of the resource metadata in the endpoint's answer can't be used.")
    for url in [named] if named else addresses.resource_urls(endpoint):
        members = asking.document(url, WHAT)
        if members is None:
            continue
        if members.get("resource") not in addresses.resources_at(url, endpoint):
            asking.note(url, "The resource metadata is not about this endpoint, so it was not used.")
            continue
        if found := _read(members, url, challenge):
            asking.note(url, f"Resource metadata read: {_counted(len(found))}.")
            return found
        asking.note(url, "The resource metadata names no authorization server that can be asked.")
    return []


def _read(members: dict[str, Any], url: str, challenge: Challenge) -> list[Way]:
    listed = members.get("authorization_servers")
    issuers = [one for one in listed if addresses.is_issuer(one)] if isinstance(listed, list) else []
    return [_way(issuer, members, url, challenge) for issuer in list(dict.fromkeys(issuers))[:MOST_SERVERS]]


def _way(issuer: str, members: dict[str, Any], url: str, challenge: Challenge) -> Way:
    way = Way(f"Authorization server {shown(issuer, 120)}", issuer=issuer)
    way.put("scopes", list(scopes_of(challenge.scope.split())), "the endpoint's answer to a call without a token")
    way.put("scopes", list(scopes_of(members.get("scopes_supported"))), url)
    way.put("resource", members["resource"], url)
    return way


def _counted(number: int) -> str:
    return "it names one authorization server" if number == 1 else f"it names {number} authorization servers"
