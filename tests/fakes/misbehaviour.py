"""Ways in which a provider may go wrong at one request. Each is given an `Exchange` and does with it what it likes."""

import asyncio
import json
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

Misbehaviour = Callable[["Exchange"], Awaitable[None]]
JSON_TYPE = "application/json"
HELD_LIMIT = 30  # seconds; a test that forgot to release does not hang for ever


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


class Exchange:
    """One request and the honest server behind it."""

    def __init__(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self._app, self._scope, self._receive, self._send = app, scope, receive, send

    async def honest(self) -> Answer:
        """Let the honest server do its work, rotating included, and keep its answer back."""
        messages: list[Message] = []

        async def keep(message: Message) -> None:
            messages.append(message)

        await self._app(self._scope, self._receive, keep)
        start, *rest = messages
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Answer(start["status"], headers, b"".join(m.get("body", b"") for m in rest))

    async def send(self, answer: Answer) -> None:
        headers = {**answer.headers, "content-length": str(len(answer.body))}
        pairs = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await self._send({"type": "http.response.start", "status": answer.status, "headers": pairs})
        await self._send({"type": "http.response.body", "body": answer.body})

    async def send_json(self, content: Any, status: int = 200, **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        await self.send(Answer(status, {"content-type": JSON_TYPE, **named}, json.dumps(content).encode()))

    async def drop(self) -> None:
        """Reset the connection instead of answering."""
        self._scope["transport"].abort()
        while (await self._receive())["type"] != "http.disconnect":
            pass


def slow(seconds: float, *, after_rotating: bool = True) -> Misbehaviour:
    async def misbehave(exchange: Exchange) -> None:
        if not after_rotating:
            await asyncio.sleep(seconds)
        answer = await exchange.honest()
        if after_rotating:
            await asyncio.sleep(seconds)
        await exchange.send(answer)

    return misbehave


def drop(*, after_rotating: bool = True) -> Misbehaviour:
    """Hang up: before the server has done anything, or when only the answer is missing (F01)."""

    async def misbehave(exchange: Exchange) -> None:
        if after_rotating:
            await exchange.honest()
        await exchange.drop()

    return misbehave


class Held:
    """Waits with the answer until the test says so: `held.reached.wait(5)`, look around, `held.release()`."""

    def __init__(self, *, after_rotating: bool = True) -> None:
        self.reached = threading.Event()
        self._released = threading.Event()
        self._after_rotating = after_rotating

    def release(self) -> None:
        self._released.set()

    async def __call__(self, exchange: Exchange) -> None:
        answer = await exchange.honest() if self._after_rotating else None
        self.reached.set()
        async with asyncio.timeout(HELD_LIMIT):
            while not self._released.is_set():
                await asyncio.sleep(0.005)
        await exchange.send(answer or await exchange.honest())


def fails(status: int, *, after_rotating: bool = False, retry_after: str = "") -> Misbehaviour:
    """A gateway's HTML error in front of the provider: 500, 502, 503, 429 … (F12)."""

    async def misbehave(exchange: Exchange) -> None:
        if after_rotating:
            await exchange.honest()
        headers = {"content-type": "text/html"} | ({"retry-after": retry_after} if retry_after else {})
        await exchange.send(Answer(status, headers, f"<html><h1>{status}</h1><script>x</script>".encode()))

    return misbehave


def too_many(retry_after: str = "7") -> Misbehaviour:
    """429. `retry_after` in seconds, or a date, or "" for none."""
    return fails(429, retry_after=retry_after)


def answers(content: Any, status: int = 200, **headers: str) -> Misbehaviour:
    """This JSON, and the honest server hears nothing of the request."""

    async def misbehave(exchange: Exchange) -> None:
        await exchange.send_json(content, status, **headers)

    return misbehave


def refuses(error: str, status: int = 400, **more: Any) -> Misbehaviour:
    """`invalid_grant`, `invalid_client` (401) and the like, in the form of RFC 6749 section 5.2."""
    return answers({"error": error, **more}, status)


def refuses_with_200(error: str) -> Misbehaviour:
    """What GitHub does."""
    return refuses(error, 200, error_description="The code passed is incorrect or expired.")


def not_ok(error: str) -> Misbehaviour:
    """What Slack does."""
    return answers({"ok": False, "error": error})


def without(*members: str) -> Misbehaviour:
    """The honest answer, but for these members."""
    return edited(lambda token: {name: value for name, value in token.items() if name not in members})


def changed(**members: Any) -> Misbehaviour:
    """The honest answer with other members: `changed(scope="reviews:read", token_type="mac")`."""
    return edited(lambda token: {**token, **members})


def edited(edit: Callable[[dict[str, Any]], Any]) -> Misbehaviour:
    async def misbehave(exchange: Exchange) -> None:
        answer = await exchange.honest()
        content = edit(json.loads(answer.body)) if answer.status == 200 else json.loads(answer.body)
        await exchange.send(Answer(answer.status, answer.headers, json.dumps(content).encode()))

    return misbehave


def raw(body: bytes, *, content_type: str = JSON_TYPE, status: int = 200) -> Misbehaviour:
    """These bytes, after the honest server did its work: nothing comes of them, but it has rotated."""

    async def misbehave(exchange: Exchange) -> None:
        await exchange.honest()
        await exchange.send(Answer(status, {"content-type": content_type}, body))

    return misbehave


def literal(member: str, json_text: str) -> Misbehaviour:
    """The honest answer with `member` spelt as `json_text`, which Python's own encoder would not write: 1e309."""

    async def misbehave(exchange: Exchange) -> None:
        answer = await exchange.honest()
        body = json.dumps({**json.loads(answer.body), member: "\x00"}).replace(json.dumps("\x00"), json_text)
        await exchange.send(Answer(answer.status, answer.headers, body.encode()))

    return misbehave


def callback(**members: str | None) -> Misbehaviour:
    """For `at="callback"`: other parameters on the way back to the client; None takes one away.

    `callback(iss=None)`, `callback(iss="https://evil.example")`, `callback(code=None, error="server_error")`.
    """

    async def misbehave(exchange: Exchange) -> None:
        answer = await exchange.honest()
        location = urlsplit(answer.headers["location"])
        query = {**dict(parse_qsl(location.query)), **members}
        kept = urlencode({name: value for name, value in query.items() if value is not None})
        headers = {**answer.headers, "location": urlunsplit(location._replace(query=kept))}
        await exchange.send(Answer(answer.status, headers, answer.body))

    return misbehave
