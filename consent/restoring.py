"""After the database came back from a backup: its refresh tokens may be of long ago, each used up by a newer one.

Whoever sends such a token again may end what the provider still holds. So each is tried once, spread over a while by
the sweeps; what does not stand that has ended, and its user is asked again (F24).
"""

from datetime import timedelta

from django.db.models import DurationField, ExpressionWrapper, Value
from django.db.models.functions import Now, Random

from consent import events
from consent.models import Grant
from portal.audit import changes, log


def mark(over: timedelta) -> int:
    """Each grant is due at a moment of chance within `over`. What held a lease then does not live any more."""
    some_time = ExpressionWrapper(Random() * Value(over, output_field=DurationField()), output_field=DurationField())
    free = {"lease_by": None, "lease_until": None, "retry_at": None, "refresh_failures": 0, "refresh_error": ""}
    with changes.announced():
        rows = Grant.objects.filter(state=Grant.State.ACTIVE).exclude(refresh_token="")
        count = rows.update(restored_at=Now(), refresh_due_at=Now() + some_time, **free)
        log.record(events.RESTORED, log.SYSTEM, details={"consents": count})
    return count
