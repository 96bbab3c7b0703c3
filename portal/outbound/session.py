"""The synchronous client, for cards, probes and OAuth: `fetch`."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from http.client import HTTPException, RemoteDisconnected
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import HTTPError

from portal.outbound import wire
from portal.outbound.errors import (
    AnswerTooLarge,
    BadAnswer,
    Disconnected,
    EncodingRefused,
    OutboundError,
    RedirectRefused,
    TimedOut,
)
from portal.outbound.headers import check_headers
from portal.outbound.urls import check_url

_AGENT = "Gatehouse"
_HIDDEN_FAILURES = (requests.RequestException, HTTPError, HTTPException, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` in the order and spelling they came in; `body` as it came; `took_ms` of the whole call.

    `certificate_ends`: when the server's certificate does, None over plain http.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    took_ms: int
    certificate_ends: datetime | None = None

    def header(self, name: str) -> str:
        """The header's first value, "" if there is none."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


def fetch(
    method: str,
    url: str,
    *,
    headers: Iterable[tuple[str, str]] = (),
    data: bytes | str | Mapping[str, str] | None = None,
    limit: int = 262_144,
    deadline: float = 10.0,
) -> Answer:
    """One request, one answer. A mapping as `data` is sent as a form; `limit` in bytes, `deadline` in seconds.

    The deadline holds for the whole call, from the host name to the last byte. Redirects are not followed,
    nothing is sent twice, no proxy and no .netrc of the environment is used. Raises OutboundError.
    """
    started = time.monotonic()
    pairs = list(headers)
    check_headers(pairs)
    target = check_url(url)
    line = wire.Line(target, deadline)
    prepared = requests.Request(method, target.url, headers=_joined(pairs), data=data).prepare()
    failure: OutboundError
    with _Session(line) as session:
        try:
            with session.send(prepared, stream=True, allow_redirects=False, proxies={}) as response:
                _judge(response, limit)
                line.expect_body(limit)
                body = _body(response, limit)
        except OutboundError as error:
            failure = error
        except _HIDDEN_FAILURES as error:
            failure = _translated(error, line)
        else:
            took_ms = round((time.monotonic() - started) * 1000)
            headers = tuple(response.raw.headers.iteritems())
            return Answer(response.status_code, headers, body, took_ms, line.certificate_ends)
    # Outside of the handlers: the library's own error holds addresses and headers, and must not hang on ours.
    raise failure


class _Session(requests.Session):
    def __init__(self, line: wire.Line):
        super().__init__()
        self.trust_env = False
        self.mount("https://", _Adapter(line))
        self.mount("http://", _Adapter(line))

    def get_redirect_target(self, resp: requests.Response) -> None:
        # Else requests reads the whole body of a redirect to prepare the next request.
        return None


class _Adapter(HTTPAdapter):
    """Connects where the line goes, whatever requests reads from the address; verifies, whatever it is told."""

    def __init__(self, line: wire.Line):
        super().__init__(max_retries=0)
        self._pool = wire.pool(line)

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> HTTPConnectionPool:
        return self._pool

    def cert_verify(self, *arguments: Any) -> None:
        """Nothing to set: `wire` always verifies."""

    def close(self) -> None:
        self._pool.close()
        super().close()


def _joined(pairs: list[tuple[str, str]]) -> dict[str, str]:
    joined: dict[str, str] = {"user-agent": _AGENT, "accept-encoding": "identity"}
    spelled: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        # RFC 9110, 5.3: fields of one name may be joined by commas.
        joined[key] = f"{joined[key]}, {value}" if key in spelled else value
        spelled.setdefault(key, name)
    return {spelled.get(key, key.title()): value for key, value in joined.items()}


def _judge(response: requests.Response, limit: int) -> None:
    if response.status_code < 200:
        raise BadAnswer
    if 300 <= response.status_code < 400:
        raise RedirectRefused
    if response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise EncodingRefused
    length = response.headers.get("content-length", "0")
    if not length.isdecimal():  # RFC 9112, 6.3: also two lengths that differ; http.client overlooks both
        raise BadAnswer
    if int(length) > limit and response.request.method != "HEAD":
        raise AnswerTooLarge


def _body(response: requests.Response, limit: int) -> bytes:
    parts, size = [], 0
    for part in response.raw.stream(16_384, decode_content=False):
        size += len(part)
        if size > limit:
            raise AnswerTooLarge
        parts.append(part)
    return b"".join(parts)


def _translated(error: Exception, line: wire.Line) -> OutboundError:
    if isinstance(error, requests.Timeout | TimeoutError) or line.ends <= time.monotonic():
        return TimedOut()
    if not line.in_body and _has_cause(error, (RemoteDisconnected, ConnectionError)):
        return Disconnected()
    return BadAnswer()


def _has_cause(error: BaseException, kinds: tuple[type[BaseException], ...]) -> bool:
    """urllib3 and requests pass the failure on as an argument of their own errors."""
    return isinstance(error, kinds) or any(
        _has_cause(argument, kinds) for argument in error.args if isinstance(argument, BaseException)
    )
