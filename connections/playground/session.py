"""One message and its answer, line by line as it comes."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

from connections.gateway import answers, sse
from connections.gateway.app import Gateway
from connections.gateway.exchange import INSIDE, Inside
from connections.models import Connection
from connections.playground.asking import Message, Request
from connections.playground.reading import consent_links, state_of, texts
from portal.agents.models import AgentKey
from portal.users import User

STATIONS = {
    "key": "The playground's key is known",
    "admitted": "It may use this connection, for you",
    "logged": "The call stands in the access log",
    "credential": "The credential is prepared",
    "answer": "The first part of the answer is here",
    "end": "The answer is complete",
}
# In these states an endpoint says what it is doing; its answer comes after them.
GOES_ON = {"Submitted", "Working"}
LONGEST_TEXT = 20_000
# Parts that wait for the page. A call whose page reads no faster waits too, as for any client, and other calls of the
# process have their turn in between.
MOST_WAITING = 64
# Calls under way. The loop itself holds none, and one that was left ends a moment after its page.
_calls: set[asyncio.Task] = set()


@dataclass(frozen=True)
class Line:
    """What happened `at_ms` milliseconds after the message was sent.

    `kind`: "step", "text", "state", "consent" (`link` leads to it), "refused", or "end", with the ids by which the
    conversation goes on and the request's own id. A text `is_progress` where the task goes on after it.
    """

    kind: str
    words: str
    at_ms: int
    link: str = ""
    is_progress: bool = False
    task: str = ""
    context: str = ""
    request_id: str = ""


class Session:
    """One message and its answer. `lines` yields them as they come; leaving early ends the call."""

    def __init__(self, gateway: Gateway, connection: Connection, key: AgentKey, person: User, message: Message) -> None:
        self._gateway = gateway
        self._request = Request.of(connection, key, person, message)
        self._began = time.monotonic()
        self._events: asyncio.Queue[dict | str | None] = asyncio.Queue(MOST_WAITING)
        self._gone = asyncio.Event()
        self._task, self._context, self._request_id = message.task, message.context, ""

    async def lines(self) -> AsyncIterator[Line]:
        call = asyncio.create_task(self._call())
        _calls.add(call)
        call.add_done_callback(_calls.discard)
        chunks = self._chunks()
        try:
            async for chunk in chunks:
                for line in self._read(chunk) if isinstance(chunk, bytes) else [self._line("step", STATIONS[chunk])]:
                    yield line
            yield self._line("step", STATIONS["end"])
            ids = {"task": self._task, "context": self._context, "request_id": self._request_id}
            yield Line("end", "", self._at(), **ids)
        finally:
            self._leave()

    def _leave(self) -> None:
        """As any client leaves, so that the gateway ends the call and its outcome gets into the log."""
        self._gone.set()
        while not self._events.empty():
            self._events.get_nowait()

    async def _call(self) -> None:
        try:
            inside = Inside(self._request.key_prefix, self._events.put_nowait)
            await self._gateway({**self._request.scope(), INSIDE: inside}, self._request.client(self._gone), self._tell)
        finally:
            await self._tell(None)

    async def _tell(self, event: dict | None) -> None:
        if not self._gone.is_set():
            await self._events.put(event)

    async def _chunks(self) -> AsyncIterator[bytes | str]:
        """Stations that were passed, and complete events or the whole body."""
        parts, streams, seen = _Parts(), False, set()
        while (event := await self._events.get()) is not None:
            if isinstance(event, str):
                if event not in seen:
                    yield event
                seen.add(event)
            elif event["type"] == "http.response.start":
                headers = dict(event["headers"])
                self._request_id = headers.get(b"x-request-id", b"").decode()
                streams = headers.get(b"content-type", b"").startswith(b"text/event-stream")
                yield "answer"
            else:
                for whole in parts.add(event.get("body", b""), streams, more=event.get("more_body", False)):
                    yield sse.data_of(whole) if streams else whole

    def _read(self, data: bytes) -> Iterator[Line]:
        payload = answers.loads(data)
        if answers.is_error(payload):
            yield self._line("refused", str(payload["error"].get("message", ""))[:LONGEST_TEXT])
            return
        for named in answers.named_in(payload):
            self._task, self._context = named.task or self._task, named.context or self._context
        result = answers.result_of(payload)
        for link in consent_links(result):
            yield self._line("consent", "The endpoint needs your own account.", link=link)
        state = state_of(result)
        if text := "".join(texts(result))[:LONGEST_TEXT]:
            yield Line("text", text, self._at(), is_progress=state in GOES_ON)
        if state:
            yield self._line("state", state)

    def _line(self, kind: str, words: str, link: str = "") -> Line:
        return Line(kind, words, self._at(), link)

    def _at(self) -> int:
        return round((time.monotonic() - self._began) * 1000)


class _Parts:
    """Bytes to complete events, or to the whole body at its end."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def add(self, data: bytes, streams: bool, *, more: bool) -> Iterator[bytes]:
        self._waiting += data
        while streams and (match := sse.END.search(self._waiting)):
            yield bytes(self._waiting[: match.end()])
            del self._waiting[: match.end()]
        if not more and self._waiting:
            yield bytes(self._waiting)
            self._waiting.clear()
