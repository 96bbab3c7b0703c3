"""The change counter: how every process learns within a second that something was taken away.

A cached decision serves only while the process has read the counter less than `FRESH_SECONDS` ago, so that a frozen
or lost notification costs speed and never correctness. NOTIFY only makes the news travel sooner.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction
from django.db.models import F

from portal.audit.models import ChangeCounter

CHANNEL = "gatehouse_changes"
FRESH_SECONDS = 0.8


def read() -> int:
    return ChangeCounter.objects.values_list("value", flat=True).get()


def bump() -> None:
    """Raises the counter. Its row is a queue for writers, so this comes last in a transaction."""
    ChangeCounter.objects.update(value=F("value") + 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_notify(%s, '')", [CHANNEL])


@contextmanager
def announced() -> Iterator[None]:
    """A transaction whose last statement raises the counter; nested, only the outermost does."""
    outermost = not getattr(connection, "announcing", False)
    connection.announcing = True
    try:
        with transaction.atomic():
            yield
            if outermost:
                bump()
    finally:
        if outermost:
            connection.announcing = False
