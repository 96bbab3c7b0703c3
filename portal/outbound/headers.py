"""Which request headers may be sent. A value is a credential more often than not: no error repeats it."""

import re
from collections.abc import Iterable

from portal.outbound.errors import HeaderRefused

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+").fullmatch  # RFC 9110, 5.6.2
_VALUE = re.compile(r"[\t\x20-\x7e]*").fullmatch

# Framing and hop-by-hop headers (RFC 9110, 7.6.1) belong to the client that makes the connection.
OURS = frozenset(
    [
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ]
)


def check_headers(headers: Iterable[tuple[str, str]]) -> None:
    """Raises HeaderRefused for a name that is no token or not the caller's to set, or an unsendable value."""
    for name, value in headers:
        if not _NAME(name):
            raise HeaderRefused
        if name.lower() in OURS:
            raise HeaderRefused(f"The header {name} is set by this portal itself. Use another header.")
        if not _VALUE(value):
            raise HeaderRefused(
                f"The value of the header {name} holds a line break or another character that can't be sent. "
                "Enter it again without that character."
            )
