"""What providers say about our side, kept where administrators look: the connection's health.

A provider that refuses the app registration refuses every user of the connection, and no user can do anything (F15).
"""

from django.utils import timezone

from connections.models import Connection, Health
from consent.oauth2 import ClientRefused

REASON = ClientRefused.code


def client_refused(connection: Connection) -> None:
    now = timezone.now()
    failing = {"state": Health.State.FAILING, "reason": REASON, "since": now, "checked_at": now, "status": None}
    if not Health.objects.filter(connection=connection, reason=REASON).update(checked_at=now):
        Health.objects.update_or_create(connection=connection, defaults=failing)


def client_accepted(connection: Connection) -> None:
    """Takes only this mark away; what a test found is for the next test to correct."""
    health = getattr(connection, "health", None)
    if health is None or health.reason != REASON:
        return
    unmarked = {"state": Health.State.NOT_CHECKED, "reason": "", "since": timezone.now()}
    Health.objects.filter(connection=connection, reason=REASON).update(**unmarked)
