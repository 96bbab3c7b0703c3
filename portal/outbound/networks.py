"""The networks that the owner of this portal has opened: ALLOWED_OUTBOUND_NETWORKS, a list of strings.

    10.20.0.0/16                any port
    10.20.0.0/16:443,8443       these ports
    10.20.0.0/16:8000-8099      a range of ports
    192.168.7.9                 one address
    [fd12:3456::]/48:443        IPv6 stands in brackets; [fd12:3456::/48]:443 is the same

In an environment variable, entries are separated by white space.
"""

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from django.conf import settings

_ENTRY = re.compile(r"(?:\[([0-9a-f:.]+)(/\d+)?\](/\d+)?|([0-9.]+)(/\d+)?)(?::([\d,-]+))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class AllowedNetwork:
    """`ports` are inclusive ranges; an empty tuple means any port. Compared by identity: a key of hot caches."""

    network: IPv4Network | IPv6Network
    ports: tuple[tuple[int, int], ...]

    def holds(self, address: IPv4Address | IPv6Address) -> bool:
        return address in self.network

    def admits(self, port: int) -> bool:
        return not self.ports or any(first <= port <= last for first, last in self.ports)


def allowed_networks() -> tuple[AllowedNetwork, ...]:
    """The networks of the settings, parsed once."""
    return parse_networks(tuple(getattr(settings, "ALLOWED_OUTBOUND_NETWORKS", ())))


def parse_networks(entries: Iterable[str]) -> tuple[AllowedNetwork, ...]:
    """Raises ValueError with a sentence that names the entry and what is wrong with it."""
    if isinstance(entries, str):
        raise ValueError("ALLOWED_OUTBOUND_NETWORKS must be a list of networks.")
    return _parse_all(tuple(entries))


@lru_cache(maxsize=16)
def _parse_all(entries: tuple[str, ...]) -> tuple[AllowedNetwork, ...]:
    return tuple(_parse(entry) for entry in entries)


def _parse(entry: str) -> AllowedNetwork:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise ValueError(
            f"{entry!r} in ALLOWED_OUTBOUND_NETWORKS is not a network. Write 10.20.0.0/16:443,8443 or "
            "[fd12:3456::]/48:443."
        )
    six, inner, outer, four, length, ports = match.groups()
    if inner and outer:
        raise ValueError(f"{entry!r} in ALLOWED_OUTBOUND_NETWORKS has two lengths.")
    return AllowedNetwork(_network(entry, (six or four) + (inner or outer or length or "")), _ports(entry, ports))


def _network(entry: str, text: str) -> IPv4Network | IPv6Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise ValueError(f"{entry!r} in ALLOWED_OUTBOUND_NETWORKS is not a network: {error}.") from None


def _ports(entry: str, text: str | None) -> tuple[tuple[int, int], ...]:
    return tuple(_port_range(entry, item) for item in text.split(",")) if text else ()


def _port_range(entry: str, item: str) -> tuple[int, int]:
    first, _, last = item.partition("-")
    try:
        low, high = int(first), int(last or first)
    except ValueError:
        low, high = 0, 0
    if not 1 <= low <= high <= 65535:
        raise ValueError(f"{entry!r} in ALLOWED_OUTBOUND_NETWORKS: {item!r} is not a port or a range of ports.")
    return low, high
