"""What a fake server received: every request, as it came."""

import json
import time
from dataclasses import dataclass, field
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send


@dataclass(frozen=True)
class Received:
    """One request. `headers` keeps order and duplicates; the server made the names lower-case."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes
    at: float = field(default_factory=time.monotonic)

    def header(self, name: str) -> list[str]:
        """Every value that came under `name`, in order."""
        return [value for key, value in self.headers if key == name.lower()]

    def json(self) -> Any:
        return json.loads(self.body)


class Recorder:
    """Append each request to `log`, body included, then let `app` answer it."""

    def __init__(self, app: ASGIApp, log: list[Received]) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await _whole_body(receive)
        self._log.append(_received(scope, body))
        await self._app(scope, _replay(body, receive), send)


def _received(scope: Scope, body: bytes) -> Received:
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    path = scope.get("raw_path", scope["path"].encode()).decode("latin-1")
    return Received(scope["method"], path, scope["query_string"].decode("latin-1"), headers, body)


async def _whole_body(receive: Receive) -> bytes:
    chunks, more = [], True
    while more:
        message = await receive()
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Give the body once more, then whatever the server says next (a disconnect)."""
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed
