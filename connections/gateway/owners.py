"""Who began which task and context. With a shared credential the endpoint sees one caller, the gateway several.

Another's task answers as if there were none (A2A 1.0, 3.3.2 and 13.1). A task's row is visible before the bytes that
name it pass on; it need not be durable, because a lost row only hides a task (`synchronous_commit=off`).
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import connection as database
from django.db import transaction
from django.db.models import Q

from connections.gateway.answers import Named
from connections.models import TaskOwner

GATEWAY_PREFIX = "gh-"
KNOWN = 50_000


@dataclass(frozen=True)
class Owner:
    """Whose tasks these are: one agent, speaking for one user or for nobody, through one connection."""

    connection: UUID
    agent: UUID
    user: UUID | None

    def owns(self, row: TaskOwner) -> bool:
        return row.agent_id == self.agent and row.user_id == self.user


@dataclass(frozen=True)
class Conversation:
    """One that the gateway began while consent was missing: the context id that the caller knows, the endpoint's own."""

    context: str
    endpoint_context: str


class ForeignTask(Exception):
    """A task or context of somebody else, or none at all: the answer is the same."""


class Known:
    """Ids that this process has seen belong to an owner, so that most calls ask no database.

    Ownership never moves; when an agent, user or connection goes, its calls end before this is asked.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple, None] = OrderedDict()

    def has(self, owner: Owner, tasks: Iterable[str], contexts: Iterable[str]) -> bool:
        return all(pair in self._seen for pair in _pairs(owner, tasks, contexts))

    def add(self, owner: Owner, tasks: Iterable[str], contexts: Iterable[str]) -> None:
        self._seen.update(dict.fromkeys(_pairs(owner, tasks, contexts)))
        while len(self._seen) > KNOWN:
            self._seen.popitem(last=False)


def _pairs(owner: Owner, tasks: Iterable[str], contexts: Iterable[str]) -> list[tuple]:
    return [(owner, "task", task) for task in tasks if task] + [(owner, "context", c) for c in contexts if c]


def check(owner: Owner, tasks: Iterable[str], contexts: Iterable[str]) -> list[TaskOwner]:
    """The rows of everything named. Raises ForeignTask unless all of it is the owner's.

    A context id that nobody has used yet may be the client's own choice (A2A 1.0, 3.4.1); it is claimed here.
    """
    rows = []
    for task in tasks:
        row = TaskOwner.objects.filter(connection_id=owner.connection, task=task).first()
        if row is None or not owner.owns(row):
            raise ForeignTask
        rows.append(row)
    for context in contexts:
        rows.append(_claimed_context(owner, context))
    return rows


def _claimed_context(owner: Owner, context: str) -> TaskOwner:
    row = _of_context(owner, context)
    if row is None:
        if context.startswith(GATEWAY_PREFIX):
            raise ForeignTask
        record(owner, [Named(context=context)])
        row = _of_context(owner, context)
    if row is None or not owner.owns(row):
        raise ForeignTask
    return row


def _of_context(owner: Owner, context: str) -> TaskOwner | None:
    """The row that decides about a context: the first that named it."""
    rows = TaskOwner.objects.filter(connection_id=owner.connection, context=context)
    return rows.order_by("id").first() or _of_endpoint_context(owner, context)


def _of_endpoint_context(owner: Owner, context: str) -> TaskOwner | None:
    rows = TaskOwner.objects.filter(connection_id=owner.connection, endpoint_context=context)
    return rows.order_by("id").first()


def record(owner: Owner, names: Iterable[Named]) -> None:
    """Makes the rows of what an answer names. Raises ForeignTask when the endpoint names somebody else's."""
    with transaction.atomic():
        _not_durable()
        for named in names:
            _record_context(owner, named.context)
            if named.task:
                _record_task(owner, named)


def _record_context(owner: Owner, context: str) -> None:
    """A context has one owner; its row has no task, so that a second task in it finds the first one's owner."""
    if not context:
        return
    row = _of_context(owner, context)
    if row is None:
        TaskOwner.objects.bulk_create([_row(owner, context=context)], ignore_conflicts=True)
        row = _of_context(owner, context)
    if not owner.owns(row):
        raise ForeignTask


def _record_task(owner: Owner, named: Named) -> None:
    row = TaskOwner.objects.filter(connection_id=owner.connection, task=named.task).first()
    if row is None:
        new = _row(owner, task=named.task, context=named.context)
        TaskOwner.objects.bulk_create([new], ignore_conflicts=True)
        row = TaskOwner.objects.get(connection_id=owner.connection, task=named.task)
    if not owner.owns(row):
        raise ForeignTask


def _row(owner: Owner, **fields: str) -> TaskOwner:
    return TaskOwner(connection_id=owner.connection, agent_id=owner.agent, user_id=owner.user, **fields)


def mine(owner: Owner, tasks: Iterable[str]) -> set[str]:
    """Those of the endpoint's tasks that are the owner's."""
    rows = TaskOwner.objects.filter(
        connection_id=owner.connection, agent_id=owner.agent, user_id=owner.user, task__in=list(tasks)
    )
    return set(rows.values_list("task", flat=True))


def begin(owner: Owner, task: str, context: str) -> None:
    """A task that the gateway made, in a conversation of the gateway's or (follow-up) the caller's."""
    with transaction.atomic():
        _not_durable()
        if _of_context(owner, context) is None:
            gateway = TaskOwner.MadeBy.GATEWAY
            made = [
                _row(owner, context=context, made_by=gateway),
                _row(owner, task=task, context=context, made_by=gateway),
            ]
            TaskOwner.objects.bulk_create(made)
        else:
            TaskOwner.objects.bulk_create([_row(owner, task=task, context=context, made_by=TaskOwner.MadeBy.GATEWAY)])


def conversation(rows: Iterable[TaskOwner]) -> Conversation | None:
    """The gateway's conversation that a request goes on with, if it does: named by our id or by the endpoint's."""
    for row in filter(lambda each: each.context, rows):
        heads = TaskOwner.objects.filter(connection_id=row.connection_id, task="", made_by=TaskOwner.MadeBy.GATEWAY)
        head = heads.filter(Q(context=row.context) | Q(endpoint_context=row.context)).first()
        if head:
            return Conversation(head.context, head.endpoint_context)
    return None


def record_in(conversation: Conversation, owner: Owner, names: list[Named]) -> dict[str, str]:
    """Like `record`, in a conversation that the gateway began: which of the endpoint's contexts to call by our name."""
    endpoint_context = conversation.endpoint_context or next((named.context for named in names if named.context), "")
    if not endpoint_context:
        return {}
    head = TaskOwner.objects.filter(connection_id=owner.connection, task="", context=conversation.context)
    with transaction.atomic():
        _not_durable()
        head.filter(endpoint_context="").update(endpoint_context=endpoint_context)
        record(owner, names)
    return {endpoint_context: conversation.context}


def _not_durable() -> None:
    with database.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")
