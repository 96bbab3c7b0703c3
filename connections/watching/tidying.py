"""History costs rows: after two days one an hour for each kind of result, after 30 days none.

One row for each probe would be 43 million at 5,000 connections every five minutes; like this it is 6 million.
"""

from datetime import timedelta

from django.db import connection as database
from django.utils import timezone

from connections.models import Connection, Probe

KEPT = timedelta(days=30)
EACH_ONE_FOR = timedelta(days=2)
# Hours that a sweep looks back for rows that an earlier one did not get to.
LOOKS_BACK = timedelta(hours=6)
CONNECTIONS, ROWS, MOST_BATCHES = 100, 5000, 60

# The newest row of each hour and kind stays and stands for all of them; with one row there is nothing to do.
GATHER = f"""
    WITH gathered AS (
        SELECT array_agg(id ORDER BY id DESC) AS ids, sum(count) AS together,
               percentile_disc(0.5) WITHIN GROUP (ORDER BY took_ms) AS middle
        FROM {Probe._meta.db_table} WHERE connection_id = ANY(%s) AND at >= %s AND at < %s
        GROUP BY connection_id, date_trunc('hour', at), state, reason, status HAVING count(*) > 1),
    gone AS (DELETE FROM {Probe._meta.db_table} USING gathered WHERE id = ANY(ids[2:]))
    UPDATE {Probe._meta.db_table} SET count = least(together, 32767), took_ms = middle FROM gathered WHERE id = ids[1]
"""  # noqa: S608 -- our own names
# Ids rise with time, so the oldest rows stand first in the primary key.
PRUNE = f"""
    DELETE FROM {Probe._meta.db_table} WHERE id IN (
        SELECT id FROM (SELECT id, at FROM {Probe._meta.db_table} ORDER BY id LIMIT {ROWS}) oldest WHERE at < %s)
"""  # noqa: S608 -- our own names


def tidy() -> tuple[int, int]:
    """Returns how many rows stand for several now, and how many were removed for their age. Safe to run twice."""
    return gather(), prune()


def gather() -> int:
    until = (timezone.now() - EACH_ONE_FOR).replace(minute=0, second=0, microsecond=0)
    every = list(Connection.objects.order_by("pk").values_list("pk", flat=True))
    batches = [every[start : start + CONNECTIONS] for start in range(0, len(every), CONNECTIONS)]
    return sum(_run(GATHER, [batch, until - LOOKS_BACK, until]) for batch in batches)


def prune() -> int:
    """In small batches; what is left when it ends is the next sweep's."""
    removed = 0
    for _ in range(MOST_BATCHES):
        count = _run(PRUNE, [timezone.now() - KEPT])
        removed += count
        if count < ROWS:
            break
    return removed


def _run(sql: str, values: list) -> int:
    with database.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.rowcount
