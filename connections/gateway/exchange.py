"""One HTTP request to the gateway and its answer, straight on ASGI."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import unquote

from connections.gateway.refusals import Refused
from portal.audit.context import new_request_id

PREFIX = "/a2a/"
JSON = b"application/json"
INSIDE = "gatehouse.inside"


@dataclass(frozen=True)
class Address:
    """/a2a/<project>/<connection><rest>; `rest` is still percent-encoded, "" for the bare URL with or without slash."""

    project: str
    connection: str
    rest: str

    @classmethod
    def of(cls, raw_path: str) -> "Address | None":
        match = re.fullmatch(r"/a2a/([^/]+)/([^/]+)(/.*)?", raw_path)
        if not match:
            return None
        rest = match[3] or ""
        project, connection = unquote(match[1]), unquote(match[2])
        # No name has such a letter, and PostgreSQL refuses to look for it.
        if "\0" in project + connection:
            return None
        return cls(project, connection, "" if rest == "/" else rest)


@dataclass(frozen=True)
class Inside:
    """A call that the portal makes itself, in this process: through whose key, and who is told how far it has come.

    It comes under INSIDE in the ASGI scope, where nothing that arrives over the network can put anything.
    """

    key_prefix: str
    passed: Callable[[str], None]


class Exchange:
    def __init__(self, scope, receive, send) -> None:
        self.inside: Inside | None = scope.get(INSIDE)
        self.request_id = new_request_id()
        self.method: str = scope["method"]
        self.query: str = scope["query_string"].decode("latin-1")
        self.address = Address.of((scope.get("raw_path") or scope["path"].encode()).decode("latin-1"))
        self.bytes_in = 0
        self.bytes_out = 0
        self.started = False
        self.ended = False
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._values: dict[bytes, bytes] = dict(self._headers)
        self._receive, self._send = receive, send

    def passed(self, station: str) -> None:
        """The call has come this far; only a caller inside wants to know."""
        if self.inside:
            self.inside.passed(station)

    def header(self, name: str) -> str:
        """The header's value, "" without one. A header that must be single and comes twice is refused."""
        wanted = name.encode()
        if len(self._values) < len(self._headers) and [key for key, _ in self._headers].count(wanted) > 1:
            raise Refused("duplicate_header")
        return self._values.get(wanted, b"").decode("latin-1").strip()

    def has(self, name: str) -> bool:
        """Whether the header came at all; one with nothing in it counts."""
        return name.encode() in self._values

    def headers(self, names: Iterable[bytes]) -> list[tuple[str, str]]:
        """Those of `names` (lower case) that came, as they came."""
        wanted = frozenset(names)
        return [(key.decode(), value.decode("latin-1")) for key, value in self._headers if key in wanted]

    async def body(self, limit: int) -> bytes:
        """The request's body. Refuses one beyond `limit` bytes without reading on."""
        if int(self.header("content-length") or 0) > limit:
            raise Refused("too_large", limit=limit)
        chunks = []
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunks.append(message.get("body", b""))
            self.bytes_in += len(chunks[-1])
            if self.bytes_in > limit:
                raise Refused("too_large", limit=limit)
            if not message.get("more_body"):
                return b"".join(chunks)

    async def gone(self) -> None:
        """Returns when the client has closed the connection."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def answer(
        self, status: int, body: bytes, headers: Iterable[tuple[bytes, bytes]] = (), kind: bytes = JSON
    ) -> None:
        await self.start(status, kind, [*headers, (b"content-length", str(len(body)).encode())])
        await self._body(body, more=False)

    async def start(self, status: int, kind: bytes, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        own = [
            (b"content-type", kind),
            (b"x-request-id", self.request_id.encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
        ]
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": [*own, *headers]})

    async def chunk(self, data: bytes) -> None:
        await self._body(data, more=True)

    async def end(self) -> None:
        await self._body(b"", more=False)

    async def _body(self, data: bytes, more: bool) -> None:
        self.bytes_out += len(data)
        self.ended = not more
        await self._send({"type": "http.response.body", "body": data, "more_body": more})


class ClientGone(Exception):
    """The client closed the connection; nobody waits for an answer."""
