"""Who was seen lately: each worker, and beat through the task that it wakes. One row each, overwritten."""

import logging
import threading
from datetime import timedelta

from django.db import Error, connection, models
from django.db.models import Max
from django.db.models.functions import Now

logger = logging.getLogger(__name__)

EVERY = timedelta(seconds=30)
# Three beats without one: whoever it was is gone, or can't reach the database (F04).
LATELY = 3 * EVERY
FORGOTTEN_AFTER = timedelta(days=1)


class Kind(models.TextChoices):
    """`BEAT` is noted by a worker that got beat's task: it shows that beat, the broker and a worker work together."""

    WORKER = "worker"
    BEAT = "beat"
    DOCTOR = "doctor"


class Heartbeat(models.Model):
    """When somebody was last seen, on the database's clock. Two of one name do no harm: the later one is kept."""

    name = models.CharField(max_length=255, primary_key=True)
    kind = models.CharField(max_length=12, choices=Kind.choices)
    at = models.DateTimeField()

    class Meta:
        app_label = "portal"


def note(kind: Kind, name: str) -> None:
    Heartbeat.objects.bulk_create(
        [Heartbeat(name=name, kind=kind, at=Now())],
        update_conflicts=True,
        unique_fields=["name"],
        update_fields=["kind", "at"],
    )


def forget_old() -> None:
    """Workers that were renamed or taken away leave a row behind."""
    Heartbeat.objects.filter(at__lt=Now() - FORGOTTEN_AFTER).delete()


def ages() -> dict[str, timedelta]:
    """For each kind that was ever seen, how long ago that was."""
    latest = Heartbeat.objects.values("kind").annotate(age=Now() - Max("at"))
    return {row["kind"]: max(row["age"], timedelta(0)) for row in latest}


class Pulse(threading.Thread):
    """Notes a worker's row from a thread of its own, so that a long task does not make it look dead."""

    def __init__(self, name: str) -> None:
        super().__init__(name="pulse", daemon=True)
        self._of = name
        self._stopping = threading.Event()

    def run(self) -> None:
        while True:
            self._beat()
            if self._stopping.wait(EVERY.total_seconds()):
                return

    def stop(self) -> None:
        self._stopping.set()

    def _beat(self) -> None:
        try:
            note(Kind.WORKER, self._of)
        except Error as error:
            logger.warning("The worker could not say that it is alive: %s", type(error).__name__)
        finally:
            # Not kept: a child that is forked meanwhile would share it.
            connection.close()
