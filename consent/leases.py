"""The right to talk to the provider about one grant: one process at a time, on the database's clock.

A rotating refresh token dies when two use it, and a provider that sees it twice ends the whole grant. The call itself
is made outside any transaction, and what comes back counts only if row, generation and lease are still the same. The
lease outlasts the call's deadline, which each connection may set, by the same margin for all; so a process that dies
holding it blocks nobody for longer than that.
"""

import random
import time
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from consent import answering, oauth2
from consent.models import Grant
from portal import due

# With the usual deadline.
LEASE = timedelta(seconds=20)
# Seconds that the send needs at most, beside the provider's answer, when it begins.
TO_SEND = 2
LONGEST_BACKOFF = 300
# Of sweeps: nobody waits for them, and a call asks by itself.
LONGEST_AHEAD = 3600
assert LEASE.total_seconds() > oauth2.DEADLINE + TO_SEND + 3


@dataclass(frozen=True)
class Lease:
    """Taken at `at` (monotonic), on a generation. `replays`: an earlier attempt ended nobody knows how.

    `ahead`: by a sweep, with nobody waiting for the answer. `deadline`: seconds for an answer of the provider.
    """

    id: uuid.UUID
    generation: int
    at: float
    replays: bool
    ahead: bool = False
    deadline: float = oauth2.DEADLINE

    @property
    def is_spent(self) -> bool:
        """True for a process that was frozen since: it must not begin what another may have begun by now (F03)."""
        return time.monotonic() - self.at > length(self.deadline).total_seconds() - self.deadline - TO_SEND

    @property
    def ends(self) -> float:
        return self.at + length(self.deadline).total_seconds()


def length(deadline: float) -> timedelta:
    """Of a lease under which the provider has so many seconds for its answer."""
    return LEASE + timedelta(seconds=deadline - oauth2.DEADLINE)


def take(grant: Grant) -> Lease | None:
    """None where another process holds it, has changed the tokens since `grant` was read, or was told to wait."""
    row = Grant.objects.select_related("connection").filter(pk=grant.pk, generation=grant.generation)
    if not (taken := take_some(row, 1)):
        return None
    grant.asked_at = taken[0][0].asked_at
    return taken[0][1]


def take_some(rows: QuerySet[Grant], limit: int, *, ahead: bool = False) -> list[tuple[Grant, Lease]]:
    """Of those of `rows` that may be asked for now."""
    # What a row says of earlier attempts is read as it is claimed: it may have become true since. Whoever has one
    # locked takes the lease or ends the grant, so there is nothing to wait for.
    mine, at = uuid.uuid4(), time.monotonic()
    askable = rows.filter(Q(retry_at=None) | Q(retry_at__lte=Now()), state=Grant.State.ACTIVE)
    began = Coalesce(F("asked_at"), Now())
    with transaction.atomic():
        claimed = due.claim(
            askable, until_column="lease_until", lease=LEASE, limit=limit, lease_by=mine, asked_at=began
        )
        deadlines = {row.pk: answering.deadline_of(row.connection) for row in claimed}
        _set_lengths(deadlines)
    for row in claimed:
        row.asked_at = row.asked_at or timezone.now()
    return [(row, Lease(mine, row.generation, at, _was_cut_off(row), ahead, deadlines[row.pk])) for row in claimed]


def _set_lengths(deadlines: dict[uuid.UUID, float]) -> None:
    """Of the leases that were just claimed, before anybody else can see them."""
    for deadline in set(deadlines.values()) - {oauth2.DEADLINE}:
        those = [pk for pk, one in deadlines.items() if one == deadline]
        Grant.objects.filter(pk__in=those).update(lease_until=Now() + length(deadline))


def _was_cut_off(row: Grant) -> bool:
    return row.lease_by is not None or row.refresh_error == oauth2.Uncertain.code


def held(grant: Grant, lease: Lease) -> QuerySet[Grant]:
    """The row, if it still is as it was when the lease was taken.

    Its end does not matter by itself: as long as nobody else took the row over, what was got may be kept.
    """
    return Grant.objects.filter(pk=grant.pk, lease_by=lease.id, generation=lease.generation, state=Grant.State.ACTIVE)


def give_back(grant: Grant, lease: Lease, **columns: Any) -> None:
    """Without having asked the provider anything."""
    held(grant, lease).update(**_freed(lease, columns))


def put_off(grant: Grant, lease: Lease, code: str, seconds: int) -> bool:
    """Nobody asks again before `seconds`, and longer after each failure in a row. False where the lease was lost."""
    pause = _longer(seconds, grant.refresh_failures, LONGEST_BACKOFF)
    columns = {"refresh_error": code, "retry_at": Now() + pause, "refresh_failures": F("refresh_failures") + 1}
    if code == oauth2.Uncertain.code:
        # The one try that a grant from a backup has.
        columns["restored_at"] = None
    if lease.ahead or (code == oauth2.Uncertain.code and answering.grace_runs(grant)):
        columns["refresh_due_at"] = Now() + max(pause, _longer(seconds, grant.refresh_failures, LONGEST_AHEAD))
    return held(grant, lease).update(**_freed(lease, columns)) > 0


def _freed(lease: Lease, columns: dict) -> dict:
    """What is uncertain stays so until the provider has answered: the refresh token may have been used up."""
    freed = {"lease_by": None, "lease_until": None}
    if lease.replays:
        return columns | freed | {"refresh_error": oauth2.Uncertain.code}
    is_known = columns.get("refresh_error") != oauth2.Uncertain.code
    return columns | freed | ({"asked_at": None} if is_known else {})


def _longer(seconds: int, failures: int, longest: int) -> timedelta:
    """Doubled with each failure, with a jitter that only adds: a provider's Retry-After is a minimum (F11, F12)."""
    doubled = max(seconds, min(seconds * 2 ** min(failures, 10), longest))
    return timedelta(seconds=doubled * random.uniform(1, 1.2))  # noqa: S311 -- no secret
