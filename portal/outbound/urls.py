"""Reads an address once, strictly, so that no later reader can understand it differently."""

import re
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from urllib.parse import SplitResult, quote, urlsplit

import idna

from portal.outbound.addresses import check_address
from portal.outbound.errors import HttpsNeeded, InvalidUrl, PortBlocked
from portal.outbound.names import is_loopback_name
from portal.outbound.networks import AllowedNetwork, allowed_networks

_DEFAULT_PORTS = {"https": 443, "http": 80}
_LONGEST = 4096
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\x9f\\]|\s")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_BRACKETED = re.compile(r"\[[^]]*\](?::\d*)?")  # urlsplit overlooks what else stands around the brackets
_DOT_SEGMENT = re.compile(r"(?:^|/)(?:\.|%2e){1,2}(?:/|$)", re.IGNORECASE)
_PATH_CHARACTERS = "/%:@!$&'()*+,;=~"


@dataclass(frozen=True, slots=True)
class Target:
    """An address, read once. `host`: ASCII, lower case, no brackets, no trailing dot; `path` includes the query."""

    scheme: str
    host: str
    port: int
    path: str
    url: str
    literal: bool

    @property
    def plain(self) -> bool:
        return self.scheme == "http"

    @property
    def origin(self) -> str:
        """Scheme, host and port, without a default port: what a credential is bound to."""
        return self.url[: len(self.url) - len(self.path)]


def check_url(url: str) -> Target:
    """Everything about an address that can be said without asking the DNS; forms may call it.

    Raises InvalidUrl, or AddressBlocked (PortBlocked, HttpsNeeded) where already the spelling decides.
    """
    return _check_url(url, allowed_networks())


@lru_cache(maxsize=1024)
def _check_url(url: str, networks: tuple[AllowedNetwork, ...]) -> Target:
    parts = _split(url)
    host, literal = _host(parts)
    port = _port(parts)
    _check_spelled(parts.scheme, host, port, literal, networks)
    path = _path(parts)
    shown = f"[{host}]" if ":" in host else host
    suffix = "" if port == _DEFAULT_PORTS[parts.scheme] else f":{port}"
    return Target(parts.scheme, host, port, path, f"{parts.scheme}://{shown}{suffix}{path}", literal)


def _split(url: str) -> SplitResult:
    if not isinstance(url, str) or not url or len(url) > _LONGEST:
        raise InvalidUrl
    # Before urlsplit, which silently drops line breaks and tabs.
    if _FORBIDDEN.search(url):
        raise InvalidUrl("The address holds a space, a backslash or an invisible character. Remove it.")
    if "#" in url:
        raise InvalidUrl("The address has a part after #, which is never sent. Remove it.")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidUrl from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise InvalidUrl("The address must begin with https://.")
    if "@" in parts.netloc:
        raise InvalidUrl("The address holds a user name or password. Remove it, and use a credential instead.")
    return parts


def _port(parts: SplitResult) -> int:
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port is None:
        return _DEFAULT_PORTS[parts.scheme]
    if port == 0:
        raise InvalidUrl("The port in the address is not a number from 1 to 65535.")
    return port


def _host(parts: SplitResult) -> tuple[str, bool]:
    host = parts.hostname or ""
    if "[" in parts.netloc:
        return _ipv6(host if _BRACKETED.fullmatch(parts.netloc) else ""), True
    # UTS 46 maps full-width digits and dots to plain ones; what comes out is judged, not what went in.
    if not host.isascii():
        try:
            host = idna.encode(host[:253], uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            raise InvalidUrl("The host name in the address is not valid. Check the spelling.") from None
    host = host.removesuffix(".")
    labels = host.split(".")
    if _is_number(labels[-1]):
        return _ipv4(host), True
    if len(host) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise InvalidUrl("The host name in the address is not valid. Check the spelling.")
    return host, False


def _is_number(label: str) -> bool:
    """WHATWG URL, "ends in a number": resolvers read 127.1, 0x7f.1 and 2130706433 as IPv4 addresses."""
    return label.isdigit() or re.fullmatch(r"0x[0-9a-f]*", label) is not None


def _ipv4(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except AddressValueError:
        raise InvalidUrl("Write the IP address as four decimal numbers, without leading zeros.") from None


def _ipv6(host: str) -> str:
    try:
        address = IPv6Address(host)
    except AddressValueError:
        raise InvalidUrl("The address in brackets is not a valid IPv6 address.") from None
    if address.scope_id is not None:
        raise InvalidUrl("The address in brackets must not name a network interface.")
    return address.compressed


def _path(parts: SplitResult) -> str:
    # Some libraries resolve dot segments and some send them: a credential is bound to one path, not to two.
    if _DOT_SEGMENT.search(parts.path):
        raise InvalidUrl("The path in the address must not hold . or .. as a part.")
    path = quote(parts.path or "/", safe=_PATH_CHARACTERS)
    return f"{path}?{quote(parts.query, safe=_PATH_CHARACTERS + '?')}" if parts.query else path


def _check_spelled(scheme: str, host: str, port: int, literal: bool, networks: tuple[AllowedNetwork, ...]) -> None:
    plain = scheme == "http"
    if literal or is_loopback_name(host):
        check_address(host if literal else "127.0.0.1", port, plain)
    elif plain and not networks:
        raise HttpsNeeded
    elif (plain or port != 443) and not any(network.admits(port) for network in networks):
        raise PortBlocked
