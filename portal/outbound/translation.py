"""aiohttp's errors in our words. Theirs hold addresses, error numbers and the request's headers."""

import aiohttp

from portal.outbound.dialling import RefusedToDial
from portal.outbound.errors import (
    BadAnswer,
    Disconnected,
    InvalidUrl,
    NotReachable,
    OutboundError,
    TimedOut,
    TlsFailed,
)


def translated(error: Exception, *, sent: bool, answering: bool = False) -> OutboundError:
    """`sent`: bytes of the request may have been read; `answering`: the answer's headers have come."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return NotReachable()
    if isinstance(error, TimeoutError):
        return TimedOut(sent=sent)
    if isinstance(error, aiohttp.ClientSSLError):
        return TlsFailed()
    if isinstance(error, aiohttp.ClientConnectorError):
        return _unconnected(error)
    if isinstance(error, aiohttp.InvalidURL):
        return InvalidUrl()
    if isinstance(error, aiohttp.ClientConnectionError) and not answering:
        return Disconnected(sent=sent)
    return BadAnswer(sent=sent)


def _unconnected(error: aiohttp.ClientConnectorError) -> OutboundError:
    return error.os_error.reason if isinstance(error.os_error, RefusedToDial) else NotReachable()
