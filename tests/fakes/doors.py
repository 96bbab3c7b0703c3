"""What stands in front of the fake agent: a lock on a header, and a sender of very small pieces."""

import asyncio

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PIECE = 16  # bytes of a "leak" stream that are sent at a time: shorter than any credential


class Gate:
    """401 for whoever does not bring exactly one header `name` with `value`."""

    def __init__(self, app: ASGIApp, name: str, value: str, public_path: str | None) -> None:
        self._app = app
        self._name = name.lower().encode()
        self._value = value.encode("latin-1")
        self._public_path = public_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        values = [value for name, value in scope.get("headers", ()) if name == self._name]
        if scope["type"] != "http" or scope["path"] == self._public_path or values == [self._value]:
            await self._app(scope, receive, send)
            return
        challenge = {"WWW-Authenticate": 'Bearer realm="fake", error="invalid_token"'}
        await JSONResponse({"error": "unauthorized"}, 401, challenge)(scope, receive, send)


class SmallPieces:
    """Send the stream that answers a "leak" a few bytes at a time, so that no piece holds a whole secret."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        asked, streaming = bytearray(), False

        async def noting() -> Message:
            message = await receive()
            asked.extend(message.get("body", b""))
            return message

        async def splitting(message: Message) -> None:
            nonlocal streaming
            if message["type"] == "http.response.start":
                streaming = b'"leak"' in asked and _is_stream(message)
            if streaming and message["type"] == "http.response.body":
                await _send_in_pieces(message, send)
            else:
                await send(message)

        await self._app(scope, noting, splitting)


def _is_stream(start: Message) -> bool:
    return any(value.startswith(b"text/event-stream") for _, value in start["headers"])


async def _send_in_pieces(message: Message, send: Send) -> None:
    body = bytes(message.get("body", b""))
    for start in range(0, len(body), PIECE):
        await send({"type": "http.response.body", "body": body[start : start + PIECE], "more_body": True})
        await asyncio.sleep(0.001)  # or the kernel would put the pieces together again
    await send({**message, "body": b""})
