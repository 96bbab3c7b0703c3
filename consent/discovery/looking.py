"""Where settings are looked for, in order: the card, the endpoint's own answer, then the authorization server."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from connections.agent_card import Card, Interface
from connections.agent_card.text import shown
from consent.discovery import addresses, challenge, on_the_card, resource, server
from consent.discovery.asking import Asking, Tried
from consent.discovery.ways import CARD, Way

# The card was read before, for which there are ten more.
SECONDS = 10.0


@dataclass
class Seen:
    """`ways` in the order of their sources, the one that was looked into first; `others` in sentences."""

    ways: list[Way]
    others: list[str]
    tried: list[Tried] = field(default_factory=list)

    @property
    def first(self) -> Way | None:
        return self.ways[0] if self.ways and self.ways[0].values else None

    @property
    def rest(self) -> list[Way]:
        return self.ways[1:]


def look(endpoint: str, card: Card | None, typed: Mapping[str, Any], choice: str = "") -> Seen:
    """Asks, for at most SECONDS. `choice` is the key of a way that an earlier press listed."""
    asking = Asking(time.monotonic() + SECONDS)
    declared, others = on_the_card.ways_of(card.raw) if card else ([], [])
    asked = challenge.challenge_of(asking, _interface(endpoint, card))
    trusted = resource.ways_of(asking, endpoint, asked)
    ways = [*declared, *trusted] or [Way("The endpoint's own host", issuer=addresses.near(endpoint)[-1])]
    ways = _with_entered(ways, typed)
    chosen = _chosen(ways, typed, choice)
    _explore(asking, chosen, [way for way in trusted if way is not chosen])
    apart = declared if chosen in declared else []
    kept = [way for way in ways if way is not chosen and (way in apart or not _is_same(chosen, way))]
    return Seen([chosen, *kept], others, asking.tried)


def _interface(endpoint: str, card: Card | None) -> Interface:
    found = card.interfaces(endpoint) if card else []
    return found[0] if found else {"url": endpoint, "binding": "JSONRPC", "version": "1.0"}


def _with_entered(ways: list[Way], typed: Mapping[str, Any]) -> list[Way]:
    """An issuer that a person entered is asked too, unless the endpoint named it as well."""
    issuer = typed.get("issuer") or ""
    if not addresses.is_issuer(issuer) or any(way.issuer == issuer or way.lead for way in ways):
        return ways
    return [Way(f"The issuer that was entered, {shown(issuer, 120)}", issuer=issuer), *ways]


def _chosen(ways: list[Way], typed: Mapping[str, Any], choice: str) -> Way:
    """What somebody chose, else what fits to what they entered, else the first."""
    fitting = (
        [way for way in ways if choice and way.key == choice],
        [way for way in ways if way.issuer and way.issuer == typed.get("issuer")],
        [way for way in ways if way.get("token_url") and way.get("token_url") == typed.get("token_url")],
    )
    return next((found[0] for found in fitting if found), ways[0])


def _explore(asking: Asking, way: Way, trusted: list[Way]) -> None:
    """Reads the way's metadata. Of a way whose addresses the card spells out, only such as names the same ones."""
    if way.lead:
        if found := server.at_address(asking, way.lead):
            _prefer(way, server.way_of(found, way.title))
    elif way.issuer:
        if found := server.of_issuer(asking, way.issuer):
            way.fold(server.way_of(found, way.title))
    else:
        _supplement(asking, way, trusted)
    _add_offline(way)


def _prefer(way: Way, told: Way) -> None:
    """The server's own metadata goes before what the card says of it; a difference is said."""
    for name, value in told.values.items():
        ours = way.values.get(name)
        if ours and ours.value != value.value and name != "scopes":
            way.notes.append(f"The agent card says otherwise for {value.label}: {shown(str(ours.value), 160)}")
            del way.values[name]
    way.fold(told)
    way.issuer = told.issuer


def _supplement(asking: Asking, way: Way, trusted: list[Way]) -> None:
    """The endpoint's own servers are asked, then whoever may stand behind the token URL."""
    named = [one.issuer for one in trusted]
    guesses = addresses.near(way.get("token_url")) if way.get("token_url") else []
    for issuer in dict.fromkeys([*named, *guesses]):
        found = server.of_issuer(asking, issuer, 4 if issuer in named else 2)
        told = server.way_of(found, way.title) if found else None
        if told and way.agrees(told):
            way.fold(told)
            way.issuer = told.issuer
            return


def _is_same(chosen: Way, way: Way) -> bool:
    """Another source of what was looked into; what it adds, such as the resource, is taken over."""
    if not chosen.agrees(way) and not (way.issuer and way.issuer == chosen.issuer):
        return False
    chosen.fold(way)
    return True


def _add_offline(way: Way) -> None:
    """Without it many servers give no refresh token. Only where the server knows it, and where scopes are asked for."""
    scopes = way.values.get("scopes")
    if scopes and "offline_access" in way.known_scopes and "offline_access" not in scopes.value:
        source = scopes.source if scopes.source != CARD else f"{CARD}, and offline_access from the metadata"
        del way.values["scopes"]
        way.put("scopes", [*scopes.value, "offline_access"], source)
