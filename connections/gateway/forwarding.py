"""To the endpoint and back: which headers go, what is observed on the way, what is cut out.

Bytes pass as they came, with the four exceptions of the design: cards are rewritten, pages of tasks filtered, the
gateway's own ids kept from the endpoint, and an echoed credential cut out.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from django.conf import settings

from connections import agent_card, troubleshooting
from connections.gateway import answers, sse
from connections.gateway.admission import Admission, Admitted
from connections.gateway.echo import Echo
from connections.gateway.exchange import Exchange
from connections.gateway.owners import Conversation
from connections.gateway.refusals import Refused, RefusedByEndpoint
from connections.gateway.spelling import HTTP_JSON, JSONRPC, plain
from connections.methods import method_of
from connections.methods.base import Credential
from portal.outbound.client import Answer, Client

# What a caller may say to the endpoint; everything else stays here: cookies, the agent key, forwarding headers (T07).
PASSED_ON = (b"accept", b"content-type", b"a2a-extensions", b"x-a2a-extensions", b"traceparent", b"tracestate")
# What an endpoint may say to the caller besides its body.
PASSED_BACK = {b"a2a-extensions", b"x-a2a-extensions", b"a2a-version"}
JSON_KINDS = ("application/json", "application/a2a+json", "application/problem+json")
STREAM_KIND = "text/event-stream"


@dataclass(frozen=True)
class Seen:
    """What the endpoint answered, for the log: HTTP status, and whether it was an A2A error."""

    status: int
    is_error: bool = False


def seconds_for(admitted: Admitted) -> float:
    """How long the call may take, to the last byte."""
    streams = admitted.asked.spelling.streams
    return settings.GATEWAY_STREAM_SECONDS if streams else settings.GATEWAY_CALL_SECONDS


def request_headers(exchange: Exchange, admitted: Admitted, credential: Credential) -> list[tuple[str, str]]:
    """Allow-listed headers, then the credential: last, and each of its names exactly once (T06)."""
    reserved = {name.lower() for name, _ in credential.headers}
    passed = exchange.headers(PASSED_ON)
    if not all(value.isascii() for _, value in passed):
        raise Refused("header_malformed")
    passed.append(("a2a-version", admitted.asked.spelling.version))
    passed.append(("user-agent", f"Gatehouse/{settings.VERSION}"))
    return [pair for pair in passed if pair[0] not in reserved] + [
        (name, value.reveal()) for name, value in credential.headers
    ]


def request_body(admitted: Admitted, body: bytes) -> bytes:
    """As it came, unless it names ids of the gateway's making: those never reach the endpoint."""
    if not admitted.conversation:
        return body
    payload = answers.loads(body)
    params = payload.get("params", {}) if admitted.asked.spelling.binding == JSONRPC else payload
    for members in [params, *(params[name] for name in ("message", "request") if isinstance(params.get(name), dict))]:
        _put_in_endpoints_words(members, admitted.conversation)
    return answers.dumps(payload)


def request_query(exchange: Exchange, admitted: Admitted) -> str:
    """HTTP+JSON's query as it came, with the same exception."""
    if not exchange.query or admitted.asked.spelling.binding != HTTP_JSON:
        return ""
    if not admitted.conversation:
        return f"?{exchange.query}"
    members = dict(parse_qsl(exchange.query, keep_blank_values=True))
    _put_in_endpoints_words(members, admitted.conversation)
    return f"?{urlencode(members)}"


def _put_in_endpoints_words(members: dict, conversation: Conversation) -> None:
    """The endpoint's own context id instead of the gateway's; what the endpoint has no word for is left out."""
    for name, value in list(members.items()):
        kind = plain(name)
        if kind == "referencetaskids" and isinstance(value, list):
            members[name] = [task for task in value if task not in conversation.own]
        elif kind == "contextid" and value == conversation.context and conversation.endpoint_context:
            members[name] = conversation.endpoint_context
        elif kind in ("taskid", "contextid", "referencetaskids") and str(value) in conversation.own:
            del members[name]


class Forwarding:
    """One call at the endpoint. What its answer names becomes the caller's own before it passes."""

    def __init__(
        self, client: Client, admission: Admission, exchange: Exchange, admitted: Admitted, body: bytes
    ) -> None:
        self._client = client
        self._admission = admission
        self._exchange = exchange
        self._admitted = admitted
        self._body = request_body(admitted, body) if body else None
        # What earlier events of the same answer have named.
        self._owned: set[answers.Named] = set()

    def open(self, credential: Credential):
        """The request as an async context manager that gives the endpoint's Answer."""
        seconds = seconds_for(self._admitted)
        return self._client.stream(
            self._exchange.method,
            self._admitted.target + request_query(self._exchange, self._admitted),
            request_headers(self._exchange, self._admitted, credential),
            self._body,
            total_deadline=seconds,
            idle_deadline=min(seconds, settings.GATEWAY_IDLE_SECONDS),
            limit=settings.GATEWAY_MAX_ANSWER,
        )

    async def pass_back(self, answer: Answer, *sent: Credential) -> Seen:
        """Sends the endpoint's answer to the caller. Raises Refused while nothing has been sent yet.

        `sent` are all credentials that the endpoint has seen in this call: it may repeat one that it refused.
        """
        echo = Echo(*sent)
        kind = answer.header("content-type").partition(";")[0].strip().lower()
        if kind == STREAM_KIND and answer.status == 200:
            return await self._stream(answer, echo)
        return await self._whole(answer, kind, echo)

    async def _whole(self, answer: Answer, kind: str, echo: Echo) -> Seen:
        data = echo.cut(await answer.read())
        payload = answers.loads(data) if kind in JSON_KINDS else None
        if answer.status in (401, 403):
            method = method_of(self._admitted.connection)
            raise RefusedByEndpoint(method.refused(answer.status), status=answer.status)
        _judge(answer.status, payload, self._admitted.asked.spelling.binding)
        edited = await self._observed(payload)
        data = data if edited is payload else answers.dumps(edited)
        await self._exchange.answer(answer.status, data, _headers_back(answer, echo), kind.encode())
        return Seen(answer.status, answers.is_error(payload))

    async def _stream(self, answer: Answer, echo: Echo) -> Seen:
        seen_error = False
        async for events in sse.events(answer.chunks()):
            passing: list[bytes] = []
            try:
                for event in echo.cut_each(events):
                    passed, is_error = await self._passed(event)
                    passing.append(passed)
                    seen_error = seen_error or is_error
            except Refused:
                await self._pass_on(passing, answer, echo)
                raise
            await self._pass_on(passing, answer, echo)
        if not self._exchange.started:
            await self.begin_stream()
        await self._exchange.end()
        return Seen(answer.status, seen_error)

    async def _passed(self, event: bytes) -> tuple[bytes, bool]:
        """The event as it passes, and whether it says that something went wrong."""
        payload = answers.loads(sse.data_of(event))
        if payload is None:
            return event, False
        edited = await self._observed(payload)
        return event if edited is payload else sse.event_of(answers.dumps(edited)), answers.is_error(payload)

    async def _pass_on(self, events: list[bytes], answer: Answer, echo: Echo) -> None:
        """What came together goes on together: a write for each event would cost more than all else about it."""
        if not events:
            return
        if not self._exchange.started:
            await self.begin_stream(_headers_back(answer, echo))
        await self._exchange.chunk(b"".join(events))

    async def begin_stream(self, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        await self._exchange.start(200, STREAM_KIND.encode(), [(b"x-accel-buffering", b"no"), *headers])

    async def _observed(self, payload) -> object:
        """The payload itself where it may pass as it came, else what passes in its place."""
        about = self._admitted.asked.operation.about
        if answers.is_error(payload):
            return payload
        if about == "card":
            return self._own_card(payload)
        names = answers.named_in(payload)
        if about == "tasks":
            mine = await self._admission.mine(self._admitted, [named.task for named in names])
            return answers.keep_tasks(payload, mine)
        if not self._admitted.conversation and self._owned.issuperset(names):
            return payload
        contexts = await self._admission.own(self._admitted, names)
        self._owned.update(names)
        return answers.replace_contexts(payload, contexts) if contexts else payload

    def _own_card(self, payload) -> object:
        card = answers.result_of(payload)
        if not isinstance(card, dict):
            raise Refused("endpoint_not_a2a")
        connection = self._admitted.connection
        rewritten = agent_card.rewrite(card, connection.gateway_url, connection.interfaces)
        return rewritten if card is payload else payload | {"result": rewritten}


def _judge(status: int, payload, binding: str) -> None:
    """Raises Refused for an answer that is no A2A answer."""
    is_answer = isinstance(payload, dict) and (binding == HTTP_JSON or payload.get("jsonrpc") == "2.0")
    if not is_answer:
        raise Refused(troubleshooting.of_status(status) or "endpoint_not_a2a", status=status)


def _headers_back(answer: Answer, echo: Echo) -> list[tuple[bytes, bytes]]:
    return [(name.lower(), echo.cut(value)) for name, value in answer.raw_headers if name.lower() in PASSED_BACK]
