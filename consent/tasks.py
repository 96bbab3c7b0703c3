"""What workers do for this storey. Tasks are thin, and have no arguments: what is due stands in the rows."""

from celery import shared_task

from consent import announcing, sweeping


@shared_task
def refresh_due() -> int:
    """Grants whose access ends soon are refreshed, as a call would do it."""
    return sweeping.sweep()


@shared_task
def mail_due() -> int:
    """People are told what they have to know of their consents."""
    return announcing.send_due()
