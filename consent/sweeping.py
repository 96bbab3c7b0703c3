"""Refreshing ahead of need. A sweep takes leases on due grants, as a call would, and works them off side by side.

Nothing is remembered but in the rows: two sweeps get different grants, and what a dead worker held is due again when
its leases end.
"""

import random
import time

from django.conf import settings
from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now

from connections.methods.base import CredentialUnavailable
from consent import leases, pace, refreshing, timing
from consent.leases import Lease
from consent.models import Grant
from consent.tokens import NeedsConsent
from portal.audit.models import LastUse
from portal.hands import Hands

# Shorter than its task may take, by what the last answers may need (`consent.tasks`).
WORK_SECONDS = 20.0
PAUSE = 0.1


def sweep(seconds: float = WORK_SECONDS) -> int:
    """Works until nothing may be asked any more, or `seconds` are over; how many grants it looked at."""
    until, looked_at = time.monotonic() + seconds, 0
    Grant.objects.filter(state=Grant.State.ACTIVE, refresh_due_at=None).update(refresh_due_at=Now())
    with Hands(settings.REFRESH_THREADS) as hands:
        while time.monotonic() < until and (providers := _providers()):
            taken = _hand_out_for_a_second(providers, hands)
            looked_at += taken
            if not taken:
                time.sleep(PAUSE)
    return looked_at


def _hand_out_for_a_second(providers: list[str], hands: Hands) -> int:
    """How many; ends before the second does where there is nothing left to hand out."""
    until, taken = time.monotonic() + 1, 0
    while now := sum(_hand_out(provider, hands) for provider in providers):
        taken += now
        if time.monotonic() > until:
            break
    return taken


def _providers() -> list[str]:
    """Those with due grants, in an order of chance, so that none is always the last."""
    found = list(_due().order_by().values_list("provider", flat=True).distinct())
    random.shuffle(found)
    return found


def _due() -> QuerySet[Grant]:
    may_ask = Q(retry_at=None) | Q(retry_at__lte=Now())
    nobody_holds = Q(lease_until=None) | Q(lease_until__lte=Now())
    return Grant.objects.filter(may_ask, nobody_holds, state=Grant.State.ACTIVE, refresh_due_at__lte=Now())


def _hand_out(provider: str, hands: Hands) -> int:
    """As many as there are free hands, so that nothing waits while its lease runs out."""
    free = hands.free(at_least=max(1, settings.REFRESH_THREADS // 4), seconds=PAUSE)
    if not free:
        return 0
    taken = pace.within(provider, free, lambda limit: leases.take_some(_of(provider), limit, ahead=True)) or []
    for grant, lease in taken:
        hands.give(look, grant, lease)
    return len(taken)


def _of(provider: str) -> QuerySet[Grant]:
    used_at = LastUse.objects.filter(subject=OuterRef("pk")).values("at")
    rows = _due().filter(provider=provider).order_by("refresh_due_at").annotate(used_at=Subquery(used_at))
    return rows.select_related("connection__project", "connection__health", "agent", "user").prefetch_related(
        "connection__secrets"
    )


def look(grant: Grant, lease: Lease) -> None:
    """Refreshes it, unless it should be looked at again later."""
    if later := timing.postponed(grant, grant.used_at):
        leases.give_back(grant, lease, refresh_due_at=later)
        return
    try:
        refreshing.refreshed(grant, lease, None)
    except (NeedsConsent, CredentialUnavailable):
        # Its row and the log say so.
        return
