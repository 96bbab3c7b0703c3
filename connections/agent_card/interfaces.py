"""Where a card says that calls go, in either dialect, and which of it this portal carries."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from connections.agent_card.text import shown
from portal.outbound.errors import OutboundError
from portal.outbound.urls import check_url

BINDINGS = ("JSONRPC", "HTTP+JSON")
MOST = 16
# A tenant becomes one segment of a path (1.0: `/{tenant}/message:send`), so it must not be able to be two, or "..".
_TENANT = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._~-]{0,128}").fullmatch

# What a stored interface looks like: {"url", "binding", "version", "tenant"?} (connections.models.Connection).
Interface = dict[str, str]


@dataclass(frozen=True)
class Declared:
    """One address as the card names it; `version` is "1.0", "0.3" or "" for one that is not carried."""

    url: str
    binding: str
    version: str
    tenant: str = ""

    @property
    def is_carried(self) -> bool:
        return bool(self.binding in BINDINGS and self.version and _TENANT(self.tenant))


def version_of(text: Any) -> str:
    """The dialect of a protocolVersion. Patch versions do not matter; 0.2 has the method names of 0.3."""
    if text in (None, ""):
        return "1.0"  # as the SDK reads an interface without one
    number = text.split(".") if isinstance(text, str) else []
    dialect = ".".join(number[:2])
    return {"1": "1.0", "1.0": "1.0", "0.3": "0.3", "0.2": "0.3"}.get(dialect, "")


def declared(card: dict[str, Any]) -> list[Declared]:
    """Every address of the card, in its order, each once."""
    return list(dict.fromkeys([*_of_1_0(card), *_of_0_3(card)]))


def _of_1_0(card: dict[str, Any]) -> Iterator[Declared]:
    for item in dicts(card.get("supportedInterfaces")):
        yield Declared(
            text(item.get("url")),
            text(item.get("protocolBinding")),
            version_of(item.get("protocolVersion")),
            text(item.get("tenant")),
        )


def _of_0_3(card: dict[str, Any]) -> Iterator[Declared]:
    """`url` with its transport, and the additional interfaces (0.3.0, 5.6). Beside 1.0's list they are always 0.3."""
    version = "0.3" if "supportedInterfaces" in card else version_of(card.get("protocolVersion") or "0.3.0")
    if text(card.get("url")):
        yield Declared(text(card["url"]), text(card.get("preferredTransport")) or "JSONRPC", version)
    for item in dicts(card.get("additionalInterfaces")):
        yield Declared(text(item.get("url")), text(item.get("transport")), version)


def dicts(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


@dataclass(frozen=True)
class Reach:
    """What of a card's addresses calls may use: `interfaces` to be stored, `foreign` ones left out.

    `reason` is a code of connections/troubleshooting.py where no interface remains, else "".
    """

    interfaces: tuple[Interface, ...]
    foreign: tuple[Interface, ...]
    reason: str = ""


def reach(card: dict[str, Any], endpoint: str) -> Reach:
    """Only addresses on the endpoint's own origin (scheme, host, port) count: a credential goes nowhere else (T01)."""
    origin = origin_of(endpoint)
    own: dict[tuple[str, str, str], Interface] = {}
    foreign: list[Interface] = []
    addresses = declared(card)
    for item in addresses:
        if not item.is_carried:
            continue
        if origin and origin_of(item.url) == origin:
            key = (item.binding, item.version, item.tenant)
            own.setdefault(key, _stored(item))
        else:
            foreign.append({"url": shown(item.url, 200), "binding": item.binding, "version": item.version})
    kept = tuple(own.values())[:MOST]
    return Reach(kept, tuple(foreign[:MOST]), "" if kept else _why_none(addresses, foreign))


def _why_none(addresses: list[Declared], foreign: list[Interface]) -> str:
    if foreign:
        return "card_foreign"
    return "card_not_carried" if addresses else "card_without_interface"


def _stored(item: Declared) -> Interface:
    stored = {"url": check_url(item.url).url, "binding": item.binding, "version": item.version}
    return stored | ({"tenant": item.tenant} if item.tenant else {})


def origin_of(url: str) -> str:
    """ "" for what is no address that this portal may call."""
    try:
        return check_url(url).origin
    except OutboundError:
        return ""
