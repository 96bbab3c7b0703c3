"""One call, from the request to the outcome's row. Read `Call.pass_through` first: it is the whole way."""

import asyncio
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from django.conf import settings
from django.db import Error as DatabaseError

from connections import agent_card
from connections.gateway import answers, owners, refusals, sse, waiting
from connections.gateway.admission import Admitted, check_live, limits_of
from connections.gateway.exchange import ClientGone, Exchange
from connections.gateway.forwarding import Forwarding, Seen, seconds_for
from connections.gateway.journal import Journal
from connections.gateway.refusals import NoCredential, Refused, RefusedByEndpoint
from connections.gateway.spelling import HTTP_JSON, JSONRPC, V1, Asked, Spelling, Unreadable, read_http, read_rpc
from connections.gateway.watch import Watch, Why
from connections.methods import method_of, methods
from connections.methods.base import Caller, Consent, ConsentRequired, Credential, CredentialUnavailable
from connections.models import CARD_PATH, Connection
from portal.agents.models import AgentKey
from portal.audit.events import Outcome
from portal.outbound.client import Answer
from portal.outbound.errors import OutboundError

if TYPE_CHECKING:
    from connections.gateway.app import Gateway

CONSENT_STATUS = "/consent-status"
# Seconds beyond a call's limit, in which its own end may still be told. A client that doesn't read can't be told: its
# call would never end, and the log would not know how it did.
GRACE = 5.0
# What the outbound door says, in the codes that the gateway's callers know.
OUTBOUND = {
    "redirect": "endpoint_redirects",
    "timeout": "endpoint_timeout",
    "answer_too_large": "endpoint_answer_too_large",
    "bad_answer": "endpoint_broke_off",
    "disconnected": "endpoint_broke_off",
}


class Call:
    def __init__(self, gateway: "Gateway", exchange: Exchange) -> None:
        self._gateway = gateway
        self._exchange = exchange
        self._journal = Journal(gateway, exchange)
        # How to answer until the request itself says it.
        self._spelling = Spelling(JSONRPC if _posts_rpc(exchange) else HTTP_JSON, V1)
        self._rpc_id = None

    async def pass_through(self) -> None:
        try:
            key = await self._identified()
            if _asks_about_the_connection(self._exchange):
                await self._about_the_connection(key)
            else:
                await self._carry(key)
        except Refused as refused:
            await self._turn_away(refused)
        except (DatabaseError, TimeoutError):
            await self._turn_away(Refused("internal"))

    async def _identified(self) -> AgentKey:
        if self._exchange.address is None:
            raise Refused("unknown_path")
        self._journal.key = key = await self._gateway.admission.key(self._exchange)
        check_live(key)
        self._journal.is_stranger = False
        self._exchange.passed("key")
        return key

    async def _reached(self, key: AgentKey) -> tuple[Connection, Caller]:
        """The connection that the agent may use, and for whom it speaks."""
        admission, journal = self._gateway.admission, self._journal
        journal.connection = await admission.connection(key, self._exchange)
        if journal.connection.auth_method not in methods():
            raise Refused("method_not_installed")
        journal.user = await admission.user(key, self._exchange)
        return journal.connection, Caller(key.agent, journal.user)

    async def _carry(self, key: AgentKey) -> None:
        body = await self._exchange.body(settings.GATEWAY_MAX_REQUEST)
        asked = self._understood(body)
        # Again: a body may take its time, and the key may be gone by then (T11).
        key = await self._gateway.admission.live_key(key.prefix)
        connection, caller = await self._reached(key)
        leave = self._gateway.limits.enter(key.agent_id, connection.id, *limits_of(connection))
        try:
            admitted = await self._gateway.admission.admit(key, connection, caller.user, asked)
            self._exchange.passed("admitted")
            await self._while_client_waits(admitted, body)
        finally:
            leave()

    def _understood(self, body: bytes) -> Asked:
        exchange = self._exchange
        _refuse_encodings(exchange)
        version = _version_asked(exchange)
        try:
            if _posts_rpc(exchange):
                asked = read_rpc(body, version)
            else:
                asked = read_http(exchange.method, exchange.address.rest, exchange.query, body, version)
        except Unreadable as unreadable:
            self._rpc_id = unreadable.rpc_id
            raise Refused(unreadable.code) from None
        self._journal.asked, self._spelling, self._rpc_id = asked, asked.spelling, asked.rpc_id
        return asked

    async def _while_client_waits(self, admitted: Admitted, body: bytes) -> None:
        """Makes the call, and ends it when the client leaves or the permission is taken away."""
        watch = Watch(self._exchange, seconds_for(admitted) + GRACE)
        try:
            with watch, self._gateway.streams.held(admitted, watch):
                await self._make(admitted, body)
        except asyncio.CancelledError:
            if watch.why is None:
                raise
            self._ended_from_outside(watch.why)

    def _ended_from_outside(self, why: Why | Refused) -> None:
        if isinstance(why, Refused):
            raise why
        if why is Why.TIME_IS_OVER and not self._exchange.started:
            raise Refused("endpoint_timeout")
        self._journal.ended(Outcome.FAILED, "client_left" if why is Why.CLIENT_LEFT else "client_stalled")
        raise ClientGone

    async def _make(self, admitted: Admitted, body: bytes) -> None:
        await self._journal.attempt(admitted)
        self._exchange.passed("logged")
        if admitted.gateway_task and admitted.asked.operation.about == "task":
            await self._answer_for_own_task(admitted)
            return
        if admitted.lists_nothing:
            await self._answer(waiting.EMPTY_PAGE)
            self._journal.ended(Outcome.SUCCEEDED)
            return
        try:
            credential = await self._credential(admitted)
            self._journal.used, self._journal.acted_as = credential.used, credential.acted_as
            self._exchange.passed("credential")
            self._gateway.streams.carries_credential(True)
            seen = await self._forward(admitted, credential, body)
        except ConsentRequired as required:
            await self._ask_for_consent(admitted, required.consent)
            return
        self._journal.status = seen.status
        self._journal.ended(*((Outcome.FAILED, "endpoint_error") if seen.is_error else (Outcome.SUCCEEDED,)))

    async def _credential(self, admitted: Admitted) -> Credential:
        """From what the method has prepared while that serves, else from what it looks up, or asks for, now."""
        method, connection, caller = method_of(admitted.connection), admitted.connection, admitted.caller
        try:
            make = await self._gateway.fresh.get(_kept(admitted), lambda: method.prepared(connection, caller))
        except CredentialUnavailable as unavailable:
            raise NoCredential(unavailable.code) from None
        if make and (credential := make()):
            return credential
        if make:
            self._gateway.fresh.forget(_kept(admitted))
        if not method.may_wait:
            return await self._in_thread(method.credential, connection, caller)
        return await self._together(admitted, "credential", self._patiently, method.credential)

    async def _forward(self, admitted: Admitted, credential: Credential, body: bytes) -> Seen:
        """Once, and once more where the method has a better credential after a 401."""
        gateway = self._gateway
        forwarding = Forwarding(gateway.client, gateway.admission, self._exchange, admitted, body)
        try:
            async with forwarding.open(credential) as answer:
                renewed = await self._renewed(admitted, credential) if answer.status == 401 else None
                if answer.status in (401, 403):
                    self._gateway.fresh.forget(_kept(admitted))
                self._gateway.streams.carries_credential(True)
                if renewed is None:
                    await self._check_wants(admitted, answer)
                    return await forwarding.pass_back(answer, credential)
            self._journal.renewed = renewed.described
            async with forwarding.open(renewed) as answer:
                await self._check_wants(admitted, answer)
                return await forwarding.pass_back(answer, renewed, credential)
        except OutboundError as error:
            raise Refused(OUTBOUND.get(error.code, error.code)) from None

    async def _check_wants(self, admitted: Admitted, answer: Answer) -> None:
        """Whether an endpoint that lets the caller in, but not so far, wants what a user may still allow."""
        if answer.status != 403:
            return
        self._journal.status = answer.status
        values = [value.decode("latin-1") for name, value in answer.raw_headers if name.lower() == b"www-authenticate"]
        method = method_of(admitted.connection)
        code = await self._in_thread(method.refused_for_want, admitted.connection, admitted.caller, values)
        if code:
            raise RefusedByEndpoint(code, status=answer.status)

    async def _renewed(self, admitted: Admitted, refused: Credential) -> Credential | None:
        self._gateway.streams.carries_credential(False)
        method = method_of(admitted.connection)
        if not method.may_wait:
            return await self._in_thread(method.renew, admitted.connection, admitted.caller, refused)
        return await self._together(admitted, ("renew", refused.generation), self._patiently, method.renew, refused)

    async def _together(self, admitted: Admitted, what: Hashable, run: Callable, ask: Callable, *more: object):
        """What the method says, for all callers of one owner who want it at once.

        Not for those who were admitted after a change meanwhile: a credential goes only where it was asked for, and an
        agent that was published is somebody else to the endpoint.
        """
        connection = admitted.connection
        key = (admitted.one_credential, what)
        return await self._gateway.together.run(key, lambda: run(ask, connection, admitted.caller, *more))

    async def _in_thread(self, ask: Callable, *arguments: object):
        try:
            return await self._gateway.threads.run(ask, *arguments)
        except CredentialUnavailable as unavailable:
            raise NoCredential(unavailable.code) from None

    async def _patiently(self, ask: Callable, connection: Connection, *arguments: object):
        try:
            return await self._gateway.patience.run(connection.id, connection.project_id, ask, connection, *arguments)
        except CredentialUnavailable as unavailable:
            raise NoCredential(unavailable.code) from None

    # What the portal answers by itself.

    async def _about_the_connection(self, key: AgentKey) -> None:
        """The card and the consent status: what the portal knows, without a credential."""
        connection, caller = await self._reached(key)
        if self._exchange.address.rest == CARD_PATH:
            await self._journal.answers_here("GetAgentCard")
            await self._exchange.answer(200, answers.dumps(card_of(connection)))
        else:
            method = method_of(connection)
            state = await self._in_thread(method.consent_state, connection, caller)
            await self._journal.answers_here("GetConsentStatus")
            await self._exchange.answer(200, answers.dumps(waiting.status_of(*state)))

    async def _ask_for_consent(self, admitted: Admitted, consent: Consent) -> None:
        asked = admitted.asked
        if asked.operation.about != "message":
            raise Refused("consent_required", consent_link=consent.link)
        task, context = await self._gateway.threads.run(_waiting_ids, admitted)
        form = admitted.connection.consent_answer
        await self._answer(waiting.result(asked.spelling, task, context, consent, form))
        self._journal.ended(Outcome.CONSENT_NEEDED, consent.why_asked)

    async def _answer_for_own_task(self, admitted: Admitted) -> None:
        """GetTask and SubscribeToTask on a task that the gateway made, answered from the portal."""
        asked, method, task = admitted.asked, method_of(admitted.connection), admitted.gateway_task
        if asked.operation.name == "CancelTask":
            raise Refused("task_not_cancelable")
        consent = await self._in_thread(method.waiting, admitted.connection, admitted.caller, task)
        await self._answer(waiting.current(asked.spelling, task, admitted.conversation.context, consent))
        self._journal.ended(*((Outcome.CONSENT_NEEDED, "consent_required") if consent else (Outcome.SUCCEEDED,)))

    async def _answer(self, inner: object) -> None:
        """A result of the gateway's own: one body, or one event of a stream that then ends."""
        data = answers.dumps(waiting.enveloped(self._spelling, self._rpc_id, inner))
        if self._spelling.streams:
            await self._one_event(data)
        else:
            await self._exchange.answer(200, data)

    # Saying no.

    async def _turn_away(self, refused: Refused) -> None:
        await self.refuse(refused)
        self._journal.status = refused.facts.get("status")
        self._journal.ended(_outcome_of(refused), refused.code)

    async def fail(self) -> None:
        """After an error that nobody expected: an answer in the caller's spelling and an outcome, without its cause."""
        await self._turn_away(Refused("internal"))

    async def refuse(self, refused: Refused) -> None:
        """Answers with the refusal, spelled as the caller asked. On a stream that has begun it is the last event."""
        data = refusals.body(refused, self._spelling, self._rpc_id, self._exchange.request_id)
        status = refusals.status_of(refused, self._spelling)
        if self._exchange.started:
            await self._last_event(data)
        elif status == 200 and self._spelling.streams:
            await self._one_event(data)
        else:
            challenge = [(b"www-authenticate", b'Bearer realm="gatehouse"')] if status == 401 else []
            await self._exchange.answer(status, data, challenge)

    async def _one_event(self, data: bytes) -> None:
        await self._exchange.start(200, b"text/event-stream")
        await self._exchange.chunk(sse.event_of(data))
        await self._exchange.end()

    async def _last_event(self, data: bytes) -> None:
        if not self._exchange.ended:
            await self._exchange.chunk(sse.event_of(data, b"" if self._spelling.binding == JSONRPC else b"error"))
            await self._exchange.end()


def _kept(admitted: Admitted) -> Hashable:
    """What the method has prepared is kept under this."""
    return "prepared", admitted.one_credential


def _posts_rpc(exchange: Exchange) -> bool:
    """JSON-RPC is what is posted to the bare URL; every other path is HTTP+JSON."""
    return exchange.address is not None and exchange.address.rest == "" and exchange.method == "POST"


def _asks_about_the_connection(exchange: Exchange) -> bool:
    return exchange.method == "GET" and exchange.address.rest in (CARD_PATH, CONSENT_STATUS)


def _version_asked(exchange: Exchange) -> str:
    """The header, or the query parameter that A2A 1.0 (3.6.1) also knows. Two that differ can't both be right."""
    header = exchange.header("a2a-version")
    named = [value for name, value in parse_qsl(exchange.query) if name.lower() == "a2a-version"]
    if len({header, *named} - {""}) > 1:
        raise Refused("version_not_offered")
    return header or (named[0] if named else "")


def _refuse_encodings(exchange: Exchange) -> None:
    """The body is read as UTF-8 and nothing else: another reading would show the endpoint another request."""
    _, *parameters = exchange.header("content-type").lower().split(";")
    pairs = [parameter.partition("=") for parameter in parameters]
    charsets = {value.strip(" \t\"'") for name, _, value in pairs if name.strip().startswith("charset")}
    if charsets - {"utf-8", "utf8"} or exchange.header("content-encoding") not in ("", "identity"):
        raise Refused("not_utf8")


def card_of(connection: Connection) -> dict:
    """The endpoint's card as the gateway answers it; a minimal one where none could be read."""
    if connection.card:
        return agent_card.rewrite(connection.card, connection.gateway_url, connection.interfaces)
    return agent_card.minimal(str(connection), connection.gateway_url, connection.interfaces)


def _waiting_ids(admitted: Admitted) -> tuple[str, str]:
    """(task, context) of the answer: those that the caller already knows, else new ones, recorded as the caller's.

    A context that the caller has chosen or goes on with stays, because a client may not be given another (3.4.1).
    """
    asked, conversation = admitted.asked, admitted.conversation
    if conversation:
        context = conversation.context
    else:
        context = next(iter(asked.contexts), "") or _context_of(admitted) or waiting.new_id()
    if not admitted.gateway_task:
        task = waiting.new_id()
        owners.begin(admitted.owner, task, context)
        return task, context
    return admitted.gateway_task, context


def _context_of(admitted: Admitted) -> str:
    tasks = admitted.asked.tasks
    return owners.context_of(admitted.owner, tasks[0]) if tasks else ""


def _outcome_of(refused: Refused) -> Outcome:
    if isinstance(refused, RefusedByEndpoint):
        return Outcome.REFUSED_BY_ENDPOINT
    if refused.code == "consent_required":
        return Outcome.CONSENT_NEEDED
    return Outcome.NOT_PERMITTED if refused.kind.code == refusals.NOT_PERMITTED else Outcome.FAILED
