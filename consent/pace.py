"""How fast the sweeps of all workers together may ask one provider: so many at once, and so many in a second.

Calls do not wait for it: only the sweeps' work can be done a little later. A provider that says it is busy is left
alone for as long as it says.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now

from consent.models import Grant, Pace

Taken = TypeVar("Taken", bound=list)


def within(provider: str, wanted: int, take: Callable[[int], Taken]) -> Taken | None:
    """What `take(limit)` takes of at most `wanted`, or None where nothing may be asked now."""
    Pace.objects.bulk_create([Pace(provider=provider)], ignore_conflicts=True)
    with transaction.atomic():
        limit = min(wanted, _left(provider))
        if limit <= 0:
            return None
        taken = take(limit)
        spent = timedelta(seconds=len(taken) / settings.REFRESH_PER_SECOND)
        Pace.objects.filter(provider=provider).update(spent_until=Greatest(F("spent_until"), Now()) + spent)
    return taken


def _left(provider: str) -> int:
    """Locks the provider's row: whoever comes next sees what is taken now."""
    row = Pace.objects.select_for_update().annotate(now=Now()).get(provider=provider)
    spent = max(0.0, (row.spent_until - row.now).total_seconds())
    at_once = Grant.objects.filter(provider=provider, lease_until__gt=Now()).count()
    return min(settings.REFRESH_AT_ONCE - at_once, int(settings.REFRESH_PER_SECOND * (1 - spent)))


def pause(provider: str, seconds: int) -> None:
    """Nothing is asked before `seconds` are over: a second's worth may be asked while it is not spent yet."""
    until = Now() + timedelta(seconds=seconds + 1)
    Pace.objects.filter(provider=provider).update(spent_until=Greatest(F("spent_until"), until))
