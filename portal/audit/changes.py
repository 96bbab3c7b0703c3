"""The change counter: how every process learns within a second that something was taken away.

A cached decision serves only while the process has read the counter less than `FRESH_SECONDS` ago. Nothing has to be
notified: no message can be lost or late, and a database that does not answer ends the cache by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from portal.audit.models import ChangeCounter

FRESH_SECONDS = 0.8

BUMP = f"""
    INSERT INTO {ChangeCounter._meta.db_table} AS counter (id, value) VALUES (1, 1)
    ON CONFLICT (id) DO UPDATE SET value = counter.value + 1
"""  # noqa: S608 -- our own names


def read() -> int:
    return ChangeCounter.objects.values_list("value", flat=True).first() or 0


def bump() -> None:
    """Raises the counter. Its row is a queue for writers, so this comes last in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(BUMP)


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
