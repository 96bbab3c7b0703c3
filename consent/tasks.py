"""What workers do for this storey. Tasks are thin, and have no arguments: what is due stands in the rows."""

from celery import shared_task

from consent import sweeping


@shared_task
def refresh_due() -> int:
    """Grants whose access ends soon are refreshed, as a call would do it."""
    return sweeping.sweep()
