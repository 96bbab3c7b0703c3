""" "Find settings" of the form: looks, fills, and says all of it in words that may be shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from connections.agent_card import Card
from connections.methods.base import Found
from consent.discovery.filling import Filling, filling
from consent.discovery.looking import Seen, look
from consent.discovery.ways import Way
from consent.terms import shown_host

TEMPLATE = "consent/found.html"


@dataclass(frozen=True)
class Findings:
    """What the page shows of one press. `way` is None where nothing was found."""

    endpoint: str
    seen: Seen
    way: Way | None
    filling: Filling | None

    @cached_property
    def sign_in_host(self) -> str:
        return _host(self.way, "authorization_url")

    @cached_property
    def token_host(self) -> str:
        return _host(self.way, "token_url")

    @property
    def elsewhere(self) -> list[str]:
        """The hosts of the addresses that are not the endpoint's own, each once."""
        named = [_host(self.way, name) for name in ("authorization_url", "token_url", "refresh_url", "revocation_url")]
        own = shown_host(self.endpoint)
        return [host for host in dict.fromkeys([*named, _host(self.way, "userinfo_url")]) if host and host != own]

    @property
    def alternatives(self) -> list[tuple[Way, str]]:
        """The ways that were not looked into, each with the host where people would sign in, as far as it is known."""
        return [(way, _known_host(way)) for way in self.seen.rest]

    @property
    def further_scopes(self) -> list[str]:
        """Those that the server knows and nobody has said to be needed."""
        asked = self.way.get("scopes") or []
        return [name for name in self.way.known_scopes if name not in asked]


def find(endpoint: str, card: Card | None, typed: Mapping[str, Any], choice: str = "") -> Found:
    """`choice`: the key of a way that somebody chose; it goes before what was typed."""
    seen = look(endpoint, card, typed, choice)
    way = seen.first
    filled = filling(way, typed, replaces=choice == way.key) if way else None
    shown = Findings(endpoint, seen, way, filled)
    return Found(filled.settings if filled else {}, TEMPLATE, shown)


def _host(way: Way | None, name: str) -> str:
    url = way.get(name) if way else ""
    return shown_host(url) if url else ""


def _known_host(way: Way) -> str:
    known = _host(way, "authorization_url") or way.issuer or way.lead
    return shown_host(known) if urlsplit(known).netloc else known
