"""The asynchronous client: the gateway's way to the endpoints. One `Client` per process and event loop."""

from collections.abc import AsyncIterator, Iterable
from functools import lru_cache

import aiohttp
from aiohttp import hdrs
from aiohttp.http_exceptions import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from portal.outbound import tls
from portal.outbound.body import Body
from portal.outbound.dialling import CheckedResolver, checked_socket_factory
from portal.outbound.errors import (
    AnswerTooLarge,
    BadAnswer,
    EncodingRefused,
    OutboundError,
    RedirectRefused,
)
from portal.outbound.headers import check_headers
from portal.outbound.translation import translated
from portal.outbound.urls import Target, check_url

_LARGEST_HEADER_BLOCK = 32_768
_FAILURES = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)
_NOT_OURS_TO_ADD = (hdrs.USER_AGENT, hdrs.ACCEPT, hdrs.CONTENT_TYPE)
# Shorter than the 5 seconds after which uvicorn and Node close an idle connection: a request that is written
# to a connection just being closed is lost, and a POST can't be sent again (RFC 9110, 9.2.2).
_KEEP_ALIVE = 4.0


class Client:
    """A pool of kept-alive connections, checked when they are made.

    `async with client.stream(...) as answer` opens the answer; leaving the block early, or cancelling it,
    closes the connection to the endpoint. Nothing is added to the headers but `Host`, `Content-Length` and
    `Accept-Encoding: identity`; redirects are refused.
    """

    def __init__(self, connections: int = 1000):
        self._connections = connections
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    def stream(
        self,
        method: str,
        url: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes | None = None,
        *,
        connect_deadline: float = 5.0,
        total_deadline: float = 60.0,
        idle_deadline: float = 30.0,
        limit: int | None = None,
    ) -> "_Exchange":
        """Deadlines in seconds: until connected, until the last byte, between two reads; `limit` in bytes.

        Entering and reading raise OutboundError, whose `sent` is False where asking again is safe.
        When a kept-alive connection turns out dead, a GET (any idempotent method) is sent again; a POST never.
        """
        timeout = _timeout(connect_deadline, total_deadline, idle_deadline)
        return _Exchange(self, method, url, headers, body, timeout, limit)

    async def close(self) -> None:
        sessions, self._sessions = self._sessions, {}
        for session in sessions.values():
            await session.close()

    def _session(self, plain: bool) -> aiohttp.ClientSession:
        """One for https and one for plain http, because the policy of an address depends on it."""
        session = self._sessions.get(plain)
        if session is None:
            session = self._sessions[plain] = self._new_session(plain)
        return session

    def _new_session(self, plain: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=CheckedResolver(plain),
            socket_factory=checked_socket_factory(plain),  # IP literals never reach the resolver
            ttl_dns_cache=3,
            ssl=tls.context(),
            limit=self._connections,
            keepalive_timeout=_KEEP_ALIVE,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=_NOT_OURS_TO_ADD,
            max_headers=128,
        )


class Answer:
    """An answer whose body is still coming."""

    __slots__ = ("_limit", "_response", "status")

    def __init__(self, response: aiohttp.ClientResponse, limit: int | None):
        self.status = response.status
        self._response = response
        self._limit = limit

    @property
    def raw_headers(self) -> tuple[tuple[bytes, bytes], ...]:
        """Names and values as they came: what an ASGI answer wants."""
        return self._response.raw_headers

    @property
    def headers(self) -> list[tuple[str, str]]:
        return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in self.raw_headers]

    def header(self, name: str) -> str:
        """The header's first value, "" if there is none."""
        return self._response.headers.get(name, "")

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives. Raises AnswerTooLarge before it yields a byte beyond the limit."""
        size = 0
        while chunk := await self._read():
            size += len(chunk)
            if self._limit is not None and size > self._limit:
                raise AnswerTooLarge
            yield chunk

    async def read(self) -> bytes:
        """The whole body."""
        return b"".join([chunk async for chunk in self.chunks()])

    async def _read(self) -> bytes:
        try:
            return await self._response.content.readany()
        except _FAILURES as error:
            failure = translated(error, sent=True, answering=True)
        # Outside of the handler: the library's error holds the request's headers, and must not hang on ours.
        raise failure


class _Exchange:
    __slots__ = ("_arguments", "_response")

    def __init__(self, *arguments: object):
        self._arguments = arguments
        self._response: aiohttp.ClientResponse | None = None

    async def __aenter__(self) -> Answer:
        client, method, url, headers, body, timeout, limit = self._arguments
        target, parsed = _read(url)
        response = await _send(client._session(target.plain), method, parsed, _fields(headers), body, timeout)
        try:
            _judge(response, method, limit)
        except OutboundError:
            response.close()
            raise
        self._response = response
        return Answer(response, limit)

    async def __aexit__(self, *_: object) -> None:
        # An answer that was read to its end has given its connection back already.
        if self._response is not None and not self._response.closed:
            self._response.close()


def _read(url: str) -> tuple[Target, URL]:
    target = check_url(url)
    return target, _parsed(target.url)


@lru_cache(maxsize=1024)
def _parsed(url: str) -> URL:
    return URL(url, encoded=True)


@lru_cache(maxsize=64)
def _timeout(connect: float, total: float, idle: float) -> aiohttp.ClientTimeout:
    # aiohttp rounds long deadlines up to whole seconds unless told otherwise.
    return aiohttp.ClientTimeout(total=total, connect=connect, sock_read=idle, ceil_threshold=86_400)


def _fields(headers: Iterable[tuple[str, str]]) -> CIMultiDict[str]:
    fields = CIMultiDict(headers)
    check_headers(fields.items())
    # aiohttp keeps both of two "X-A", but of "X-A" and "x-a" only the last one.
    if len({name.lower() for name, _ in fields.items()}) != len(fields):
        fields = CIMultiDict((name.lower(), value) for name, value in fields.items())
    fields[hdrs.ACCEPT_ENCODING] = "identity"
    return fields


async def _send(
    session: aiohttp.ClientSession,
    method: str,
    url: URL,
    fields: CIMultiDict[str],
    body: bytes | None,
    timeout: aiohttp.ClientTimeout,
) -> aiohttp.ClientResponse:
    data = Body(body) if body else None
    try:
        return await session.request(method, url, data=data, headers=fields, timeout=timeout, allow_redirects=False)
    except OutboundError as error:
        failure = error
    except _FAILURES as error:
        failure = translated(error, sent=data is None or data.written)
    raise failure


def _judge(response: aiohttp.ClientResponse, method: str, limit: int | None) -> None:
    status = response.status
    block = sum(len(name) + len(value) for name, value in response.raw_headers)
    if status < 200 or block > _LARGEST_HEADER_BLOCK:
        raise BadAnswer
    if 300 <= status < 400:
        raise RedirectRefused
    if response.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower() not in ("", "identity"):
        raise EncodingRefused
    if limit is not None and method != "HEAD" and (response.content_length or 0) > limit:
        raise AnswerTooLarge
