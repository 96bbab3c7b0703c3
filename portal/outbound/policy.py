"""Where a request may go: the one policy for every address that a person, an agent card or a server can name.

The syntax of ALLOWED_OUTBOUND_NETWORKS stands in `networks`, the blocked ranges in `addresses`.
"""

from portal.outbound.addresses import BLOCKED, NEVER, check_address
from portal.outbound.headers import check_headers
from portal.outbound.names import resolve
from portal.outbound.networks import AllowedNetwork, allowed_networks, parse_networks
from portal.outbound.urls import Target, check_url

__all__ = [
    "BLOCKED",
    "NEVER",
    "AllowedNetwork",
    "Target",
    "allowed_networks",
    "check_address",
    "check_headers",
    "check_url",
    "parse_networks",
    "resolve",
]
