"""What workers do for this storey. Tasks are thin: they call the verb that the rest of the code calls."""

from datetime import timedelta

from celery import shared_task
from django.conf import settings

from portal import heartbeats
from portal.audit import log
from portal.identities import signing_keys


@shared_task
def close_open_attempts() -> int:
    """A call whose outcome never came, because its process died, ends as `unknown`."""
    return log.close_open_attempts(after=timedelta(seconds=settings.GATEWAY_STREAM_SECONDS + 60))


@shared_task
def note_beat() -> None:
    """Beat wakes it, the broker carries it, a worker runs it: the row says that the three work together."""
    heartbeats.note(heartbeats.Kind.BEAT, "beat")
    heartbeats.forget_old()


@shared_task
def answer_doctor() -> None:
    """`manage.py doctor` waits for this row."""
    heartbeats.note(heartbeats.Kind.DOCTOR, "doctor")


@shared_task
def rotate_signing_key() -> bool:
    """The portal's own issuer gets another key when its present one is old enough."""
    return signing_keys.rotate_when_older(timedelta(days=settings.SIGNING_KEY_DAYS))
