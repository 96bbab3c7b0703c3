"""Which IP addresses may be dialled.

`ip.is_private` and `ip.is_global` are not enough (168.63.129.16 is "global"), so the ranges stand here as
data: IANA's special-purpose registries (RFC 6890), the list of Microsoft's anti-SSRF library, and `::/96`.
"""

import ipaddress
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

from portal.outbound.errors import AddressBlocked, HttpsNeeded, PortBlocked
from portal.outbound.networks import allowed_networks

_NEVER_SENTENCE = "This address belongs to the network or the cloud itself. It can't be used, nor be allowed."

# Not even an allow-list that covers them opens these.
NEVER = (
    "0.0.0.0/8",  # "this host": Linux dials loopback
    "169.254.0.0/16",  # link-local: metadata of AWS, Azure and Google, of ECS and EKS (170.2, 170.23)
    "168.63.129.16/32",  # Azure WireServer
    "100.100.100.200/32",  # Alibaba metadata
    "192.0.0.192/32",  # Oracle metadata
    "224.0.0.0/4",  # multicast
    "255.255.255.255/32",
    "::/128",
    "64:ff9b:1::/48",  # local-use NAT64: which IPv4 address it carries depends on the prefix length
    "2001::/32",  # Teredo: carries two addresses, one of them obscured
    "fd00:ec2::/32",  # AWS metadata (::254) and EKS pod identity (::23)
    "fd20:ce::254/128",  # Google metadata
    "fd00:42::42/128",  # Scaleway metadata
    "fe80::/10",  # link-local
    "ff00::/8",  # multicast
)

# Open only to an allow-list.
BLOCKED = (
    "10.0.0.0/8",
    "100.64.0.0/10",  # carrier-grade NAT
    "127.0.0.0/8",
    "172.16.0.0/12",
    "192.0.0.0/24",  # IETF protocol assignments
    "192.0.2.0/24",  # documentation
    "192.31.196.0/24",  # AS112
    "192.52.193.0/24",  # AMT
    "192.88.99.0/24",  # 6to4 relay
    "192.168.0.0/16",
    "192.175.48.0/24",  # AS112
    "198.18.0.0/15",  # benchmarking
    "198.51.100.0/24",  # documentation
    "203.0.113.0/24",  # documentation
    "240.0.0.0/4",  # reserved
    "::/96",  # loopback and the IPv4-compatible form, ::127.0.0.1
    "::ffff:0:0/96",  # IPv4-mapped
    "::ffff:0:0:0/96",  # IPv4-translated
    "64:ff9b::/96",  # NAT64
    "100::/64",  # discard
    "2001::/23",  # IETF protocol assignments: ORCHID, benchmarking, AMT
    "2001:db8::/32",  # documentation
    "2002::/16",  # 6to4
    "2620:4f:8000::/48",  # AS112
    "3fff::/20",  # documentation
    "5f00::/16",  # segment routing
    "fc00::/7",  # unique local
    "fec0::/10",  # site-local
    # Whatever else is not global unicast, 2000::/3, today.
    "::/3",
    "4000::/2",
    "8000::/1",
)

# Where an IPv6 address carries an IPv4 one, and at which byte.
_CARRIERS = {
    "::ffff:0:0/96": 12,
    "::ffff:0:0:0/96": 12,
    "64:ff9b::/96": 12,
    "::/96": 12,
    "2002::/16": 2,
}

_never = tuple(map(ipaddress.ip_network, NEVER))
_blocked = tuple(map(ipaddress.ip_network, BLOCKED))
_carriers = tuple((IPv6Network(prefix), start) for prefix, start in _CARRIERS.items())


def check_address(ip: str | IPv4Address | IPv6Address, port: int, plain: bool = False) -> None:
    """Raises AddressBlocked (or PortBlocked, HttpsNeeded) unless this address may be dialled on this port.

    `plain` says that the request would go without TLS. An IPv4 address inside an IPv6 one must pass as well,
    so that a mapped, NAT64 or 6to4 spelling is no way round the ranges, nor round the allow-list.
    """
    _check(str(ip), port, plain, allowed_networks())


@lru_cache(maxsize=4096)
def _check(ip: str, port: int, plain: bool, networks: tuple) -> None:
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        raise AddressBlocked from None
    if _within(address, _never):
        raise AddressBlocked(_NEVER_SENTENCE)
    carried = _carried(address)
    if carried is not None:
        _check(str(carried), port, plain, networks)
    around = [network for network in networks if network.holds(address)]
    if not around:
        _check_public(address, port, plain)
    elif not any(network.admits(port) for network in around):
        raise PortBlocked


def _check_public(address: IPv4Address | IPv6Address, port: int, plain: bool) -> None:
    if _within(address, _blocked):
        raise AddressBlocked
    if plain:
        raise HttpsNeeded
    if port != 443:
        raise PortBlocked


def _carried(address: IPv4Address | IPv6Address) -> IPv4Address | None:
    if address.version == 4 or address == IPv6Address("::1"):
        return None
    for prefix, start in _carriers:
        if address in prefix:
            return IPv4Address(address.packed[start : start + 4])
    return None


def _within(address: IPv4Address | IPv6Address, ranges: tuple[IPv4Network | IPv6Network, ...]) -> bool:
    return any(address in network for network in ranges)
