"""What workers do for connections. Tasks are thin: they call the verb that the rest of the code calls."""

from celery import shared_task

from connections import reminders, secrets


@shared_task
def end_former_values() -> int:
    """A former value whose time is over is destroyed; it was not used any more."""
    return secrets.end_former_values()


@shared_task
def remind_of_expiry() -> int:
    """Whoever can replace a value is told 14 days and 1 day before it expires."""
    return reminders.send()
