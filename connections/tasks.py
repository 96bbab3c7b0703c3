"""What workers do for this storey. Tasks are thin, and carry nothing: what is due stands in rows."""

from celery import shared_task

from connections import reminders, secrets
from connections.watching import rounds, telling, tidying


@shared_task
def end_former_values() -> int:
    """A former value whose time is over is destroyed; it was not used any more."""
    return secrets.end_former_values()


@shared_task
def mail_expiry() -> int:
    """Whoever can replace a value is told 14 days and 1 day before it expires."""
    return reminders.send()


@shared_task
def probe_due() -> int:
    return rounds.probe_what_is_due()


@shared_task
def probe_tidying() -> None:
    tidying.tidy()


@shared_task
def mail_health() -> int:
    return telling.tell()
