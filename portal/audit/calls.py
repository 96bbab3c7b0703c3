"""How calls ended lately, for the pages of whatever takes part in them."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import connection

from portal.audit.models import LogRow

# A page must not read an agent's whole history to say that one connection was never called.
NEWEST = 10_000

LAST_PER_CONNECTION = f"""
    SELECT DISTINCT ON (connection_id) connection_id, time, outcome
    FROM (SELECT id, connection_id, time, outcome, kind FROM {LogRow._meta.db_table}
          WHERE agent_id = %s ORDER BY id DESC LIMIT {NEWEST}) newest
    WHERE kind = 'outcome' AND connection_id IS NOT NULL
    ORDER BY connection_id, id DESC
"""  # noqa: S608 -- our own names


@dataclass(frozen=True)
class Ended:
    at: datetime
    outcome: str


def last_per_connection(agent_id: UUID) -> dict[UUID, Ended]:
    """Connection id to the end of the newest call through it, among the agent's newest rows."""
    with connection.cursor() as cursor:
        cursor.execute(LAST_PER_CONNECTION, [agent_id])
        return {row[0]: Ended(row[1], row[2]) for row in cursor.fetchall()}


def are_all_newest(agent_id: UUID) -> bool:
    """Whether `last_per_connection` has looked at everything, so that what is missing there never happened."""
    return not LogRow.objects.filter(agent_id=agent_id).order_by("-id")[NEWEST : NEWEST + 1].exists()
