"""May this call be made? Agent key, connection, user, ids, limits: asked in this order, each from a fresh lookup."""

from collections.abc import Hashable
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from django.conf import settings
from django.db import DataError, IntegrityError

from connections.gateway import lookups, owners
from connections.gateway.answers import Named, can_be_kept
from connections.gateway.batches import Batches
from connections.gateway.exchange import Exchange
from connections.gateway.freshness import Fresh
from connections.gateway.refusals import Refused
from connections.gateway.spelling import HTTP_JSON, Asked
from connections.gateway.threads import Threads
from connections.methods import method_of
from connections.methods.base import Caller
from connections.models import Connection
from portal.agents.keys import Presented
from portal.agents.models import Agent, AgentKey
from portal.users import User


@dataclass(frozen=True)
class Admitted:
    """A call that may be made: who calls, through what, for whom, where to, going on with which conversation."""

    key: AgentKey
    connection: Connection
    user: User | None
    asked: Asked
    owner: owners.Owner
    target: str
    conversation: owners.Conversation | None = None
    # A list of a context that holds nothing of the caller's: empty, whoever else may have something there.
    lists_nothing: bool = False

    @property
    def agent(self) -> Agent:
        return self.key.agent

    @property
    def gateway_task(self) -> str:
        """The task that the request names, where the gateway made it."""
        return self.conversation.task if self.conversation else ""

    @property
    def caller(self) -> Caller:
        return Caller(self.agent, self.user)

    @cached_property
    def one_credential(self) -> Hashable:
        """Equal for calls that may share one: whose it is, where it may go, and as whom the endpoint sees the agent."""
        connection = self.connection
        return self.owner, connection.addresses(), connection.changed_at, self.agent.published_at

    @property
    def used(self) -> tuple[UUID, UUID]:
        """Whose last use this call is."""
        return self.key.id, self.connection.id


class Admission:
    def __init__(self, fresh: Fresh, threads: Threads) -> None:
        self._fresh = fresh
        self._threads = threads
        self._recording = Batches(threads, owners.record_all, faults=(IntegrityError, DataError))
        self._known = owners.Known()
        # What was recorded in conversations of the gateway's: its names need translating, so requests must ask.
        self._recorded = owners.Known()

    async def key(self, exchange: Exchange) -> AgentKey:
        """The agent key that the request came with, live or not. Raises Refused with a code that means HTTP 401."""
        if exchange.inside:
            return await self._fresh_key(exchange.inside.key_prefix)
        scheme, _, text = exchange.header("authorization").partition(" ")
        if scheme.lower() != "bearer" or not text.strip():
            raise Refused("agent_key_missing")
        presented = Presented.parse(text.strip())
        if presented is None:
            raise Refused("agent_key_malformed")
        return await self._known_key(presented)

    async def _known_key(self, presented: Presented) -> AgentKey:
        key = await self._fresh_key(presented.prefix)
        if not presented.matches(key):
            raise Refused("agent_key_unknown")
        return key

    async def live_key(self, prefix: str) -> AgentKey:
        """The key, which was known before, as it is now. Raises Refused with a code that means HTTP 401."""
        key = await self._fresh_key(prefix)
        check_live(key)
        return key

    async def _fresh_key(self, prefix: str) -> AgentKey:
        key = await self._fresh.get(("key", prefix), lambda: lookups.key_by_prefix(prefix))
        if key is None:
            raise Refused("agent_key_unknown")
        return key

    async def connection(self, key: AgentKey, exchange: Exchange) -> Connection:
        address, agent = exchange.address, key.agent
        connection = await self._fresh.get(
            ("connection", agent.id, address.project, address.connection),
            lambda: lookups.connection_for(agent, address.project, address.connection),
        )
        if connection is None:
            raise Refused("connection_unknown")
        if not connection.is_enabled:
            raise Refused("connection_disabled")
        return connection

    async def user(self, key: AgentKey, exchange: Exchange) -> User | None:
        if not exchange.has("x-ms-user-identity"):
            return None
        return await self._spoken(key.agent, exchange.header("x-ms-user-identity"))

    async def _spoken(self, agent: Agent, identity: str) -> User:
        found = await self._fresh.get(
            ("user", agent.id, identity.casefold()), lambda: lookups.spoken_for(agent, identity)
        )
        spoken = found.checked()
        if spoken.user is None:
            raise Refused(spoken.refusal)
        return spoken.user

    async def still_stands(self, admitted: Admitted, *, has_credential: bool) -> None:
        """Raises Refused when what allowed an open stream has been taken away."""
        key, agent, connection = admitted.key, admitted.agent, admitted.connection
        await self.live_key(key.prefix)
        project, name = connection.project.name, connection.name
        current = await self._fresh.get(
            ("connection", agent.id, project, name), lambda: lookups.connection_for(agent, project, name)
        )
        if current is None or current.id != connection.id:
            raise Refused("connection_unknown")
        if not current.is_enabled:
            raise Refused("connection_disabled")
        if admitted.user:
            await self._spoken(agent, str(admitted.user.id))
        if has_credential:
            await self._credential_stands(admitted)

    async def _credential_stands(self, admitted: Admitted) -> None:
        method, connection, caller = method_of(admitted.connection), admitted.connection, admitted.caller
        if not await self._fresh.get(("stands", admitted.one_credential), lambda: method.stands(connection, caller)):
            raise Refused("credential_withdrawn")

    async def admit(self, key: AgentKey, connection: Connection, user: User | None, asked: Asked) -> Admitted:
        """Checks what the request itself names: ids of its own, an interface that exists, a declared tenant."""
        if asked.wants_push or asked.operation.about == "push":
            raise Refused("push_not_supported")
        owner = owners.Owner(connection.id, key.agent_id, user.id if user else None)
        conversation, lists_nothing = await self._owned(owner, asked)
        return Admitted(key, connection, user, asked, owner, _target(connection, asked), conversation, lists_nothing)

    async def _owned(self, owner: owners.Owner, asked: Asked) -> tuple[owners.Conversation | None, bool]:
        """The conversation of the gateway's that the request goes on with; whether it lists what is empty for it."""
        if self._known.has(owner, asked.tasks, asked.contexts):
            return None, False
        lists = asked.operation.about == "tasks"
        try:
            conversation = await self._threads.run(self._conversation, owner, asked)
        except owners.ForeignTask:
            if lists:
                return None, True
            raise Refused("task_not_found") from None
        if conversation is None:
            self._known.add(owner, asked.tasks, asked.contexts)
            return None, False
        return conversation, lists and not conversation.endpoint_context

    @staticmethod
    def _conversation(owner: owners.Owner, asked: Asked) -> owners.Conversation | None:
        return owners.check(owner, asked.tasks, asked.contexts, begins=asked.operation.about == "message")

    async def own(self, admitted: Admitted, names: list[Named]) -> dict[str, str]:
        """Makes sure that what an answer names is visible as the caller's before the answer passes on.

        Returns which context ids to exchange in it, for a conversation that the gateway began.
        """
        owner, conversation = admitted.owner, admitted.conversation
        tasks, contexts = [n.task for n in names], [n.context for n in names]
        if not all(map(can_be_kept, [*tasks, *contexts])):
            raise Refused("endpoint_id_unusable")
        if conversation:
            if not self._recorded.has(owner, tasks, contexts):
                await self._record_in(conversation, owner, names)
                self._recorded.add(owner, tasks, contexts)
            return conversation.renamed(names)
        if unseen := self._known.unseen(owner, names):
            if not await self._recording.run((owner, unseen)):
                raise Refused("task_not_found")
            self._known.add(owner, tasks, contexts)
        return {}

    async def _record_in(self, conversation: owners.Conversation, owner: owners.Owner, names: list[Named]) -> None:
        try:
            await self._threads.run(owners.record_in, conversation, owner, names)
        except owners.ForeignTask:
            raise Refused("task_not_found") from None

    async def mine(self, admitted: Admitted, tasks: list[str]) -> set[str]:
        """Those of the endpoint's tasks that are this caller's."""
        return await self._threads.run(owners.mine, admitted.owner, tasks)


def check_live(key: AgentKey) -> None:
    """Raises Refused with a code that means HTTP 401."""
    if key.revoked_at is not None:
        raise Refused("agent_key_revoked")
    if not key.is_live:
        raise Refused("agent_key_expired")
    if key.agent.disabled_at is not None:
        raise Refused("agent_disabled")


def _target(connection: Connection, asked: Asked) -> str:
    """The URL of the interface that speaks this binding; the same version is preferred, bytes are not translated."""
    spelling = asked.spelling
    speaking = [each for each in connection.interfaces if each["binding"] == spelling.binding]
    if not speaking:
        raise Refused("binding_not_offered", binding=spelling.binding)
    if asked.tenant:
        speaking = [each for each in speaking if each.get("tenant") == asked.tenant]
    if not speaking:
        raise Refused("undeclared_tenant")
    speaking.sort(key=lambda each: each["version"] != spelling.version)
    url = speaking[0]["url"]
    return url.rstrip("/") + asked.path if spelling.binding == HTTP_JSON else url


def limits_of(connection: Connection) -> tuple[int, int]:
    """(calls a minute, calls at once) for each agent."""
    return (
        connection.calls_per_minute or settings.GATEWAY_CALLS_PER_MINUTE,
        connection.calls_at_once or settings.GATEWAY_CALLS_AT_ONCE,
    )
