"""Telling providers what was ended here. As with refreshes, what is due stands in rows, and two workers get different
ones; it is tried again for some days, ever more seldom, and then given up."""

import random
import time
from datetime import timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.db.models.functions import Now
from django.utils import timezone

from connections.methods.base import CredentialUnavailable
from consent import events, oauth2, pace, revocation, revoking
from consent.models import Cancellation
from portal import due, vault
from portal.audit.events import Outcome
from portal.hands import Hands

State = Cancellation.State
# Two requests, each within its deadline, and some time to write down what came of them.
LEASE = timedelta(seconds=oauth2.DEADLINE * 2 + 15)
WORK_SECONDS = 10.0
THREADS = 4
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=6)
GIVE_UP = timedelta(days=7)
FORGOTTEN = timedelta(days=30)
UNCONFIRMED = "cancellation_unconfirmed"


def tell_due(seconds: float = WORK_SECONDS) -> int:
    """Works until nothing may be told now, or `seconds` are over; how many rows it took."""
    until, taken = time.monotonic() + seconds, 0
    with Hands(THREADS) as hands:
        while time.monotonic() < until and (now := sum(_hand_out(provider, hands) for provider in _providers())):
            taken += now
    return taken


def _providers() -> list[str]:
    found = list(_due().order_by().values_list("provider", flat=True).distinct())
    random.shuffle(found)
    return found


def _due() -> QuerySet[Cancellation]:
    return Cancellation.objects.filter(state=State.WAITING, try_at__lte=Now())


def _hand_out(provider: str, hands: Hands) -> int:
    free = hands.free(at_least=1, seconds=1)
    rows = _due().filter(provider=provider).order_by("try_at")
    taken = pace.within(provider, free, lambda limit: _claimed(rows, limit)) if free else None
    for row in taken or []:
        hands.give(tell, row)
    return len(taken or [])


def _claimed(rows: QuerySet[Cancellation], limit: int) -> list[Cancellation]:
    return due.claim(rows, until_column="try_at", lease=LEASE, limit=limit, tries=F("tries") + 1)


def tell(row: Cancellation) -> None:
    """One try; not any more where it was settled since."""
    if not Cancellation.objects.filter(pk=row.pk, state=State.WAITING).exists():
        return
    try:
        confirmed = _confirmed(row)
    except vault.SealBroken:
        # The row was changed in the database: nothing of it goes anywhere.
        confirmed = None
    except (vault.KeyUnavailable, CredentialUnavailable):
        confirmed = False
    with transaction.atomic():
        if confirmed:
            revocation.settle(row, State.CONFIRMED, events.CANCELLED, Outcome.SUCCEEDED)
        elif confirmed is None or row.begun_at < timezone.now() - GIVE_UP:
            revocation.settle(row, State.GIVEN_UP, events.NOT_CANCELLED, Outcome.FAILED, UNCONFIRMED)
        else:
            Cancellation.objects.filter(pk=row.pk, state=State.WAITING).update(try_at=Now() + _pause(row.tries))


def _confirmed(row: Cancellation) -> bool | None:
    """The refresh token first: with it goes the whole family at most providers. None: it will never be confirmed.

    That a provider does not cancel access tokens is no matter once the refresh token is.
    """
    client, told = revocation.client_of(row), []
    for field in revoking.kinds(row.asked):
        if sealed := getattr(row, field):
            told.append(revoking.revoke(client, vault.open_sealed(sealed, row.binding(field)), field))
    if False in told:
        return False
    return told[0] if told else None


def _pause(tries: int) -> timedelta:
    """Doubled with each failure; the jitter only adds."""
    return min(FIRST_PAUSE * 2 ** min(tries, 12), LONGEST_PAUSE) * random.uniform(1, 1.2)  # noqa: S311 -- no secret


def tidy() -> int:
    """Rows settled long ago. The log keeps what became of them."""
    return Cancellation.objects.filter(settled_at__lt=Now() - FORGOTTEN).delete()[0]
