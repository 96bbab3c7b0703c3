"""A connection's calls, read from the log: who, when, how it ended. What was said in them is stored nowhere."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection as database
from django.db.models import QuerySet

from connections.models import Connection
from portal.audit.events import CALL, CALL_REFUSED, Outcome
from portal.audit.models import LogRow
from portal.users import User

# A page must not read the whole history to say that one agent never called.
NEWEST = 10_000

LAST_PER_AGENT = f"""
    SELECT agent_id, max(time)
    FROM (SELECT agent_id, time FROM {LogRow._meta.db_table}
          WHERE connection_id = %s AND kind = 'attempt' ORDER BY id DESC LIMIT {NEWEST}) newest
    WHERE agent_id IS NOT NULL GROUP BY agent_id
"""  # noqa: S608 -- our own names

LAST_FOR_PERSON = f"""
    SELECT agent_id, connection_id, max(time)
    FROM (SELECT agent_id, connection_id, time, kind, outcome FROM {LogRow._meta.db_table}
          WHERE on_behalf_of_id = %s ORDER BY id DESC LIMIT {NEWEST}) newest
    WHERE kind = 'outcome' AND outcome = 'succeeded' AND agent_id IS NOT NULL AND connection_id IS NOT NULL
    GROUP BY agent_id, connection_id
"""  # noqa: S608 -- our own names


LATELY = f"""
    SELECT count(*) FROM (SELECT time, kind, event FROM {LogRow._meta.db_table}
        WHERE connection_id = %s ORDER BY id DESC LIMIT {NEWEST}) newest
    WHERE kind = 'attempt' AND event = %s AND time > %s
"""  # noqa: S608 -- our own names


@dataclass(frozen=True)
class Call:
    """One call: its attempt (or refusal), and its end where there is one."""

    row: LogRow
    end: LogRow | None

    @property
    def outcome(self) -> str:
        return self.end.outcome if self.end else self.row.outcome

    @property
    def outcome_label(self) -> str:
        return Outcome(self.outcome).label

    @property
    def duration(self) -> int | None:
        return self.end.duration if self.end else self.row.duration


def recent(connection: Connection, limit: int, before: int | None = None) -> list[Call]:
    """The newest calls, `limit` at most, older than the row number `before`."""
    return _newest(LogRow.objects.filter(connection_id=connection.id), limit, before)


def on_behalf_of(person: User, limit: int, before: int | None = None) -> list[Call]:
    """The newest calls that an agent made for this person, through whatever connection.

    Reading the card or asking whether they have consented uses nothing of theirs.
    """
    rows = LogRow.objects.filter(on_behalf_of_id=person.id).exclude(method__in=["GetAgentCard", "GetConsentStatus"])
    return _newest(rows, limit, before)


def _newest(rows: QuerySet, limit: int, before: int | None) -> list[Call]:
    rows = rows.filter(event__in=[CALL.tag, CALL_REFUSED.tag]).exclude(kind=LogRow.Kind.OUTCOME).order_by("-id")
    found = list(rows.filter(id__lt=before)[:limit] if before else rows[:limit])
    calls = [row.call_id for row in found if row.call_id]
    ends = {row.call_id: row for row in LogRow.objects.filter(call_id__in=calls, kind=LogRow.Kind.OUTCOME)}
    return [Call(row, ends.get(row.call_id)) for row in found]


def last_for(person: User) -> dict[tuple[UUID, UUID], datetime]:
    """(agent id, connection id) to the end of the newest call that succeeded for this person."""
    with database.cursor() as cursor:
        cursor.execute(LAST_FOR_PERSON, [person.id])
        return {(row[0], row[1]): row[2] for row in cursor.fetchall()}


def count_since(connection: Connection, moment: datetime) -> int:
    """How many calls began since then, among the connection's newest rows."""
    with database.cursor() as cursor:
        cursor.execute(LATELY, [connection.id, CALL.tag, moment])
        return cursor.fetchone()[0]


def last_per_agent(connection: Connection) -> dict[UUID, datetime]:
    """Agent id to the time of its newest call, among the connection's newest rows."""
    with database.cursor() as cursor:
        cursor.execute(LAST_PER_AGENT, [connection.id])
        return dict(cursor.fetchall())
