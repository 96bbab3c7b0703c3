"""Who began which task and context. With a shared credential the endpoint sees one caller, the gateway several.

Another's task answers as if there were none (A2A 1.0, 3.3.2 and 13.1). A task's row is visible before the bytes that
name it pass on; it need not be durable, because a lost row only hides a task (`synchronous_commit=off`).
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db import connection as database
from django.db.models import Q, QuerySet

from connections.gateway.answers import Named, can_be_kept
from connections.models import TaskOwner

GATEWAY_PREFIX = "gh-"
KNOWN = 50_000
Pair = tuple[str, str]
ENDPOINT, GATEWAY = TaskOwner.MadeBy.ENDPOINT, TaskOwner.MadeBy.GATEWAY

# One statement for all answers that wait at the same time. Where a row is there already, it stays.
INSERT = f"""
    INSERT INTO {TaskOwner._meta.db_table}
           (connection_id, agent_id, user_id, task, context, made_by, endpoint_context, created_at)
    SELECT connection, agent, person, task, context, %s, '', now()
    FROM unnest(%s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[])
             AS named (connection, agent, person, task, context),
         (SELECT set_config('synchronous_commit', 'off', true)) AS not_durable
    ON CONFLICT DO NOTHING
    RETURNING connection_id, agent_id, user_id, task, context
"""  # noqa: S608 -- our own names


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
    """One that has ids of the gateway's making, because consent was missing when it was begun or went on.

    `context` as the caller knows it and as the endpoint does ("" before the endpoint has named one; the same where the
    caller chose it), the gateway's task that a request names (or ""), and all ids that the endpoint must not see.
    """

    context: str
    endpoint_context: str
    task: str = ""
    own: frozenset[str] = frozenset()

    def renamed(self, names: Iterable[Named]) -> dict[str, str]:
        """Which of the endpoint's contexts to call by the caller's name in an answer that names these."""
        theirs = self.endpoint_context or _first_context(names)
        return {theirs: self.context} if theirs and theirs != self.context else {}


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

    def unseen(self, owner: Owner, names: Iterable[Named]) -> set[Pair]:
        """The rows of these names that this process has not seen."""
        return {(task, context) for task, context in pairs_of(names) if _row(owner, task, context) not in self._seen}

    def add(self, owner: Owner, tasks: Iterable[str], contexts: Iterable[str]) -> None:
        self._seen.update(dict.fromkeys(_pairs(owner, tasks, contexts)))
        while len(self._seen) > KNOWN:
            self._seen.popitem(last=False)


def _pairs(owner: Owner, tasks: Iterable[str], contexts: Iterable[str]) -> list[tuple]:
    return [_row(owner, task, "") for task in tasks if task] + [_row(owner, "", c) for c in contexts if c]


def _row(owner: Owner, task: str, context: str) -> tuple:
    """What a row is known by: a task is one whatever its context."""
    return (owner, "task", task) if task else (owner, "context", context)


def check(owner: Owner, tasks: Iterable[str], contexts: Iterable[str], *, begins: bool) -> Conversation | None:
    """The conversation of the gateway's that a request goes on with, if it does.

    Raises ForeignTask unless everything named is the owner's. With `begins`, a context id that nobody has used yet
    becomes the owner's: a message may choose it (A2A 1.0, 3.4.1).
    """
    rows = _owned(owner, tasks, contexts)
    unseen = set(contexts) - {row.context for row in rows if not row.task}
    if set(tasks) - {row.task for row in rows} or (unseen and not begins):
        raise ForeignTask
    if any(context.startswith(GATEWAY_PREFIX) for context in unseen):
        raise ForeignTask
    if unseen:
        record(owner, [Named(context=context) for context in unseen])
    return _conversation(owner, rows)


def _owned(owner: Owner, tasks: Iterable[str], contexts: Iterable[str]) -> list[TaskOwner]:
    """The rows that decide about these names, contexts first. Raises ForeignTask when one is another's."""
    if not all(can_be_kept(name) for name in (*tasks, *contexts)):
        raise ForeignTask
    named = Q(task__in=tasks, task__gt="") | Q(task="", context__in=contexts)
    rows = list(_through(owner).filter(named).order_by("task", "id"))
    if not all(owner.owns(row) for row in rows):
        raise ForeignTask
    return rows


def _through(owner: Owner) -> QuerySet[TaskOwner]:
    return TaskOwner.objects.filter(connection_id=owner.connection)


def _conversation(owner: Owner, rows: list[TaskOwner]) -> Conversation | None:
    context = next((row.context for row in rows if row.context), "")
    own = frozenset(row.task or row.context for row in rows if row.made_by == GATEWAY)
    heads = _through(owner).filter(task="", made_by=GATEWAY).filter(Q(context=context) | Q(endpoint_context=context))
    head = heads.first() if context else None
    if head is None and not own:
        return None
    task = next((row.task for row in rows if row.task in own), "")
    if head is None:
        return Conversation(context, context, task, own)
    return Conversation(head.context, head.endpoint_context, task, own)


def record(owner: Owner, names: Iterable[Named]) -> None:
    """Makes the rows of what an answer names. Raises ForeignTask when the endpoint names somebody else's."""
    if record_all([(owner, pairs_of(names))]) != [True]:
        raise ForeignTask


def pairs_of(names: Iterable[Named]) -> set[Pair]:
    """The rows, as (task, context), that belong to these names.

    A context has one owner; its row has no task, so that a second task in it finds the first one's owner.
    """
    names = list(names)
    return {("", named.context) for named in names if named.context} | {
        (named.task, named.context) for named in names if named.task
    }


def record_all(asked: list[tuple[Owner, set[Pair]]]) -> list[bool]:
    """Makes the rows of several answers; for each, whether all it names is its owner's now."""
    if not all(can_be_kept(name) for _, pairs in asked for pair in pairs for name in pair):
        raise ForeignTask
    new = _insert([(owner, *pair) for owner, pairs in asked for pair in pairs], ENDPOINT)
    return [_is_owner(owner, {pair for pair in pairs if (owner, *pair) not in new}) for owner, pairs in asked]


def _is_owner(owner: Owner, pairs: set[Pair]) -> bool:
    """Whether these, whose rows were there already, are the owner's."""
    if not pairs:
        return True
    try:
        _owned(owner, [task for task, _ in pairs if task], [context for _, context in pairs if context])
    except ForeignTask:
        return False
    return True


def _insert(rows: list[tuple[Owner, str, str]], made_by: TaskOwner.MadeBy) -> set[tuple[Owner, str, str]]:
    """Those of the rows (owner, task, context) that were new."""
    if not rows:
        return set()
    # Sorted, so that two answers that name the same never wait for each other crosswise.
    ordered = sorted(rows, key=lambda row: (row[0].connection, *row[1:]))
    owners, tasks, contexts = map(list, zip(*ordered, strict=True))
    who = [[owner.connection for owner in owners], [owner.agent for owner in owners], [owner.user for owner in owners]]
    with database.cursor() as cursor:
        cursor.execute(INSERT, [made_by.value, *who, tasks, contexts])
        return {(Owner(*whose), task, context) for *whose, task, context in cursor.fetchall()}


def mine(owner: Owner, tasks: Iterable[str]) -> set[str]:
    """Those of the endpoint's tasks that are the owner's."""
    able = [task for task in tasks if can_be_kept(task)]
    rows = _through(owner).filter(agent_id=owner.agent, user_id=owner.user, task__in=able)
    return set(rows.values_list("task", flat=True))


def begin(owner: Owner, task: str, context: str) -> None:
    """A task that the gateway made, in a new context of the gateway's or in one that the caller has."""
    _insert([(owner, "", context), (owner, task, context)], GATEWAY)


def context_of(owner: Owner, task: str) -> str:
    """The context of a task that is the owner's, "" where it has none."""
    return _through(owner).filter(task=task).values_list("context", flat=True).first() or ""


def record_in(conversation: Conversation, owner: Owner, names: list[Named]) -> None:
    """Like `record`, in a conversation with ids of the gateway's: keeps the context that the endpoint made for it."""
    record(owner, names)
    theirs = _first_context(names)
    if theirs and not conversation.endpoint_context:
        head = _through(owner).filter(task="", context=conversation.context, endpoint_context="")
        head.update(endpoint_context=theirs)


def _first_context(names: Iterable[Named]) -> str:
    return next((named.context for named in names if named.context), "")
