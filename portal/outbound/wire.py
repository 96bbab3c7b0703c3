"""Connections for the synchronous client: to the checked address, under one deadline and one budget.

`requests`' timeout counts from read to read, so that a byte a second holds it for ever (T26). Here every read
and write gets only what is left of the whole call.
"""

import socket
import ssl
import time
from datetime import UTC, datetime
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from portal.outbound import names, tls
from portal.outbound.addresses import check_address
from portal.outbound.errors import AnswerTooLarge, BadAnswer, NotReachable, TimedOut, TlsFailed
from portal.outbound.urls import Target

# 32 KB of headers, and what the buffered reader may read ahead.
_HEADER_BUDGET = 32_768 + 8_192


class Line:
    """One call's way to one target: when it must end, and how many more bytes may come in."""

    def __init__(self, target: Target, seconds: float):
        self.target = target
        self.ends = time.monotonic() + seconds
        self.budget = _HEADER_BUDGET
        self.in_body = False
        self.certificate_ends: datetime | None = None

    def left(self) -> float:
        """Seconds that remain; raises TimedOut when there are none."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise TimedOut
        return left

    def expect_body(self, limit: int) -> None:
        """The body comes now. A chunk of one byte costs six, so the wire may carry more than `limit`."""
        self.in_body = True
        self.budget = 8 * limit + 65_536

    def received(self, count: int) -> None:
        self.budget -= count
        if self.budget < 0:
            raise AnswerTooLarge if self.in_body else BadAnswer

    def dial(self) -> "_PlainSocket":
        """A connection to the first address that answers; NotReachable if none does."""
        target = self.target
        addresses = names.resolve(target.host, target.port, target.plain, timeout=self.left())
        for position, address in enumerate(addresses):
            share = self.left() / (len(addresses) - position)
            connected = self._connect(address, share)
            if connected is not None:
                return connected
        raise NotReachable

    def _connect(self, address: str, seconds: float) -> "_PlainSocket | None":
        # Again, right before the dialling: no caller of this line can forget it.
        check_address(address, self.target.port, self.target.plain)
        plain = _PlainSocket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        plain.line = self
        plain.settimeout(seconds)
        try:
            plain.connect((address, self.target.port))
        except OSError:
            plain.close()
            return None
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return plain

    def secure(self, plain: "_PlainSocket") -> "_TlsSocket":
        """TLS over `plain`, for the name and not for the address; TlsFailed closes the connection."""
        try:
            # The handshake as a whole is bounded by the socket's timeout.
            plain.settimeout(self.left())
            wrapped = _TlsSocket.over(plain, self.target.host)
        except (OSError, ValueError) as error:
            plain.close()
            refused = NotReachable() if isinstance(error, TimeoutError) else TlsFailed()
        else:
            wrapped.line = self
            self.certificate_ends = _end_of(wrapped.getpeercert())
            return wrapped
        raise refused


def _end_of(certificate: dict[str, Any] | None) -> datetime | None:
    """The last moment of the server's own certificate, which was verified. No other word of it is kept."""
    try:
        return datetime.fromtimestamp(ssl.cert_time_to_seconds((certificate or {})["notAfter"]), UTC)
    except (KeyError, ValueError, OverflowError, OSError):
        return None


class _Timed:
    """Gives every read and write what is left of the call, and counts what comes in."""

    line: Line

    def recv_into(self, *arguments: Any) -> int:
        self.settimeout(self.line.left())
        try:
            count = super().recv_into(*arguments)
        except TimeoutError:
            count = -1
        if count < 0:
            raise TimedOut
        self.line.received(count)
        return count

    def send(self, *arguments: Any) -> int:
        self.settimeout(self.line.left())
        return super().send(*arguments)

    def sendall(self, *arguments: Any) -> None:
        self.settimeout(self.line.left())
        return super().sendall(*arguments)


class _PlainSocket(_Timed, socket.socket):
    pass


class _TlsSocket(_Timed, ssl.SSLSocket):
    @classmethod
    def over(cls, plain: _PlainSocket, host: str) -> "_TlsSocket":
        return cls._create(sock=plain, server_hostname=host, context=tls.context())


class _PlainConnection(HTTPConnection):
    def __init__(self, *arguments: Any, line: Line, **options: Any):
        super().__init__(*arguments, **options)
        self.line = line

    def connect(self) -> None:
        self.sock = self.line.dial()


class _TlsConnection(HTTPSConnection):
    def __init__(self, *arguments: Any, line: Line, **options: Any):
        super().__init__(*arguments, **options)
        self.line = line

    def connect(self) -> None:
        self.sock = self.line.secure(self.line.dial())
        self.is_verified = True


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


def pool(line: Line) -> HTTPConnectionPool:
    """A pool of one connection, which goes where `line` goes, whatever the request says."""
    kind = _PlainPool if line.target.plain else _TlsPool
    return kind(line.target.host, line.target.port, maxsize=1, line=line)
