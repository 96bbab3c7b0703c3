"""The request that a playground's message becomes: in the best dialect that the endpoint speaks."""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from connections.models import Connection
from connections.snippets import PREFERRED
from portal.agents.models import AgentKey
from portal.users import User


@dataclass(frozen=True)
class Message:
    """`task` and `context` continue a conversation; empty begins one."""

    text: str
    task: str = ""
    context: str = ""


@dataclass(frozen=True)
class Request:
    """What a client would send: the best dialect that the endpoint speaks, as a stream where it can."""

    path: str
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    key_prefix: str

    @classmethod
    def of(cls, connection: Connection, key: AgentKey, person: User, message: Message) -> "Request":
        spoken = {(each["binding"], each["version"]) for each in connection.interfaces}
        binding, version = next((pair for pair in PREFERRED if pair in spoken), PREFERRED[0])
        streams = bool(((connection.card or {}).get("capabilities") or {}).get("streaming"))
        params = _params(message, binding, version)
        rest, body = _rest(binding, version, streams), params
        if binding == "JSONRPC":
            body = {"jsonrpc": "2.0", "id": "playground", "method": _method(version, streams), "params": params}
        headers = (
            (b"content-type", b"application/json"),
            (b"accept", b"text/event-stream" if streams else b"application/json"),
            (b"a2a-version", version.encode()),
            (b"x-ms-user-identity", str(person.id).encode()),
        )
        path = f"/a2a/{quote(connection.project.name)}/{quote(connection.name)}{rest}"
        return cls(path, json.dumps(body).encode(), headers, key.prefix)

    def scope(self) -> dict[str, Any]:
        return {
            "type": "http",
            "method": "POST",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": b"",
            "headers": list(self.headers),
        }

    def client(self, gone: asyncio.Event) -> Callable[[], Awaitable[dict[str, Any]]]:
        """ASGI's `receive`: the body once; after that the client is there and says nothing, until it is `gone`."""
        messages = iter([{"type": "http.request", "body": self.body}])

        async def receive() -> dict[str, Any]:
            for message in messages:
                return message
            await gone.wait()
            return {"type": "http.disconnect"}

        return receive


def _method(version: str, streams: bool) -> str:
    if version == "1.0":
        return "SendStreamingMessage" if streams else "SendMessage"
    return "message/stream" if streams else "message/send"


def _rest(binding: str, version: str, streams: bool) -> str:
    if binding == "JSONRPC":
        return ""
    return f"{'/v1' if version == '0.3' else ''}/message:{'stream' if streams else 'send'}"


def _params(message: Message, binding: str, version: str) -> dict[str, Any]:
    """The four spellings of one text message (protocols.md 1.1)."""
    ids = {"messageId": str(uuid.uuid4()), "taskId": message.task, "contextId": message.context}
    ids = {name: value for name, value in ids.items() if value}
    if version == "1.0":
        return {"message": {"role": "ROLE_USER", "parts": [{"text": message.text}], **ids}}
    if binding == "JSONRPC":
        part = {"kind": "text", "text": message.text}
        return {"message": {"kind": "message", "role": "user", "parts": [part], **ids}}
    return {"message": {"role": "ROLE_USER", "content": [{"text": message.text}], **ids}}
