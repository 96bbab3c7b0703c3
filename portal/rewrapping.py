"""Wraps what the ring wraps by its first key, so that an older one can be taken out. The keys inside stay the same.

It is one row for each project, for the log and for the installation. No value is touched and no process notices:
whoever has a key in memory has the same one as before.
"""

from collections import Counter
from dataclasses import dataclass

from django.db import models, transaction

from portal import sealed, vault
from portal.audit import events, log


@dataclass(frozen=True)
class Rewrapped:
    """`moved` counts by the ring's key that had wrapped them; `failures` says which rows this ring can't unwrap."""

    moved: Counter[str]
    failures: tuple[str, ...]


def wrapped_by() -> Counter[str]:
    """How many keys each key of the ring wraps now."""
    counts: Counter[str] = Counter()
    for entry in sealed.wrapped_tables():
        rows = entry.model._base_manager.order_by().values_list("key_id")
        counts.update(dict(rows.annotate(models.Count("pk"))))
    return counts


def rewrap() -> Rewrapped:
    """Safe to run twice at once and to be killed: each row is changed only if it still is what was read."""
    moved: Counter[str] = Counter()
    failures: list[str] = []
    for entry in sealed.wrapped_tables():
        for row in entry.model._base_manager.exclude(key_id=vault.ring().current).order_by("pk"):
            try:
                moved[row.key_id] += _rewrap(entry, row)
            except vault.KeyUnavailable as error:
                failures.append(f"{entry.model._meta.db_table} {row.pk}: {error}")
    if moved.total():
        details = {"from": ", ".join(sorted(+moved)), "to": vault.ring().current, "count": moved.total()}
        log.record(events.KEYS_REWRAPPED, log.SYSTEM, details=details)
    return Rewrapped(+moved, tuple(failures))


def _rewrap(entry: sealed.Wrapped, row: models.Model) -> int:
    old = getattr(row, entry.column)
    key_id, new = vault.wrap(vault.unwrap(row.key_id, old))
    with transaction.atomic():
        same = entry.model._base_manager.filter(pk=row.pk, **{entry.column: old})
        return same.update(key_id=key_id, **{entry.column: new})
