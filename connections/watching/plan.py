"""When each connection is probed: its interval, jitter, patience while it fails, and a limit per host."""

import secrets
from datetime import timedelta
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import connection as database
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now

from connections.models import Connection, Watch
from portal import due

# Beat wakes the sweep this often; the plan allows for it, so that no probe is later than its interval.
SWEEP = timedelta(seconds=10)
# A first failure is looked at again soon: was it a blip?
CONFIRM_AFTER = timedelta(seconds=30)
# While it goes on failing, probes become rarer; but somebody who has mended an endpoint need not wait long.
MOST_PATIENCE = timedelta(minutes=15)
# Above the longest probe (connections.trial): its claim must not end before it does.
LEASE = timedelta(seconds=60)
AT_ONCE_PER_HOST = 4
NEW_AT_ONCE = 1000
# For what is disabled or not to be probed: looked at again after this, or as soon as somebody changes it.
RESTS = timedelta(hours=1)
CLAIM_LOCK = 0x6A7E_107

CLAIMABLE = f"""
    WITH busy AS (
        SELECT host, count(*) AS held FROM {Watch._meta.db_table}
        WHERE claimed_by IS NOT NULL AND due_at > statement_timestamp() GROUP BY host),
    due AS (
        SELECT connection_id, host, due_at, row_number() OVER (PARTITION BY host ORDER BY due_at) AS place
        FROM {Watch._meta.db_table} WHERE due_at <= statement_timestamp())
    SELECT connection_id FROM due LEFT JOIN busy USING (host)
    WHERE place + coalesce(held, 0) <= %s ORDER BY due_at LIMIT %s
"""  # noqa: S608 -- our own names


def interval_of(connection: Connection) -> timedelta:
    """Zero where it is not probed."""
    minutes = settings.PROBE_MINUTES if connection.probe_every is None else connection.probe_every
    return timedelta(minutes=minutes)


def is_watched(connection: Connection) -> bool:
    return connection.is_enabled and bool(interval_of(connection))


def delay(connection: Connection, failures: int) -> timedelta:
    """How long after a probe the next one is due. Up to a tenth earlier than asked for, so that they spread (T39)."""
    interval = interval_of(connection)
    if not interval:
        return RESTS
    if failures == 1:
        return min(CONFIRM_AFTER, interval)
    if failures:
        interval = max(interval, min(interval * 2 ** min(failures - 2, 10), MOST_PATIENCE))
    return interval * (0.9 + _random() / 10) - SWEEP


def host_of(connection: Connection) -> str:
    """The server that a probe speaks to: host and port."""
    url = connection.interfaces[0]["url"] if connection.interfaces else connection.endpoint
    return urlsplit(url).netloc.rpartition("@")[2].lower()[:300]


def begin_watching() -> int:
    """Makes the rows of connections that have none, spread over their interval; returns how many."""
    unwatched = Connection.objects.filter(watch=None)[:NEW_AT_ONCE]
    rows = [new_watch(each, due_in=interval_of(each) * _random()) for each in unwatched]
    Watch.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def new_watch(connection: Connection, due_in: timedelta) -> Watch:
    return Watch(connection=connection, host=host_of(connection), due_at=Now() + due_in)


def claim(by: UUID, limit: int) -> list[Watch]:
    """Up to `limit` watches that are due, the longest waiting first; held for LEASE.

    No more than AT_ONCE_PER_HOST of one host are held, whoever holds them: claims are made one after the other.
    """
    rows = Watch.objects.select_related("connection__project", "connection__health")
    with transaction.atomic(), database.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CLAIM_LOCK])
        cursor.execute(CLAIMABLE, [AT_ONCE_PER_HOST, limit])
        chosen = [row[0] for row in cursor.fetchall()]
        watches = rows.filter(pk__in=chosen).prefetch_related("connection__secrets")
        return due.claim(watches, until_column="due_at", lease=LEASE, limit=limit, claimed_by=by) if chosen else []


def put_off(watch: Watch, by: UUID, until: timedelta) -> None:
    """Gives a claim back without a result."""
    held = Watch.objects.filter(pk=watch.pk, claimed_by=by)
    held.update(claimed_by=None, due_at=Now() + until, host=host_of(watch.connection))


def soon(connection: Connection) -> None:
    """Somebody changed it: what was known is old. One that is being probed now is due when that has ended."""
    free = Q(claimed_by=None) | Q(due_at__lte=Now())
    Watch.objects.filter(free, connection=connection).update(due_at=Now(), claimed_by=None, host=host_of(connection))


def _random() -> float:
    return secrets.randbelow(1_000_000) / 1_000_000
