"""What workers do for this storey. Tasks are thin, and have no arguments: what is due stands in the rows."""

from celery import shared_task

from consent import announcing, cancelling, client_keys, sweeping


@shared_task
def refresh_due() -> int:
    """Grants whose access ends soon are refreshed, as a call would do it."""
    return sweeping.sweep()


@shared_task
def mail_due() -> int:
    """People are told what they have to know of their consents."""
    return announcing.send_due()


@shared_task
def revoke_due() -> int:
    """Providers are told which access was ended here."""
    return cancelling.tell_due()


@shared_task
def revoke_tidying() -> int:
    """What was settled long ago is forgotten."""
    return cancelling.tidy() + client_keys.tidy()
