"""What workers do for this storey. Tasks are thin, and have no arguments: what is due stands in the rows."""

from celery import shared_task

from consent import announcing, answering, cancelling, client_keys, sweeping
from consent.managed import listing

# A sweep hands out work for so long, and the last of it may wait for the slowest provider and for the database.
_SOFT_LIMIT = sweeping.WORK_SECONDS + answering.LONGEST_DEADLINE + 35


@shared_task(soft_time_limit=_SOFT_LIMIT, time_limit=_SOFT_LIMIT + 15)
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


@shared_task
def end_former_secrets() -> int:
    """A publisher's former secret whose time is over is destroyed; it was not used any more."""
    return listing.end_former_secrets()
