"""New data keys for projects, and every stored value sealed again under them while calls go on.

A value moves by compare-and-swap in small batches that never wait for a lock: whatever a person or a refresh writes
meanwhile wins, and is sealed under the new key anyway. The state is in the rows (which key a value names, which key is
retired), so a run that was killed is resumed by the next, and two at once only share the work.

A retired key goes on opening values, because processes keep rows that name it: the gateway's lookups until the change
counter is raised, a transaction until its commit. So it is destroyed only after a run has found no value that names it
(`emptied_at`), has raised the counter, and `KEPT` later a run finds none again.
"""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from portal import sealed, vault
from portal.audit import changes, events, log
from portal.projects.models import Project
from portal.vault import DataKey

BATCH = 100
# Rows that others hold are tried again so many times, and then left to the next run.
TRIES, PAUSE = 20, 0.25
# How long a retired key outlives the last value that names it. No call, transaction or refresh takes as long.
KEPT = timedelta(hours=1)


@dataclass
class Moved:
    """What a run has done: values `done` of `total`, those it left because they don't open, and those in use."""

    total: int = 0
    done: int = 0
    busy: int = 0
    broken: list[str] = field(default_factory=list)


def data_keys(project: Project | None = None) -> models.QuerySet[DataKey]:
    """All data keys, the portal's own among them; or one project's."""
    keys = DataKey.objects.select_related("project").order_by("created_at", "pk")
    return keys.filter(project=project) if project else keys


def due(project: Project | None = None) -> models.QuerySet[DataKey]:
    """The active keys that a run replaces. A young one is kept: an interrupted run goes on, and begins nothing anew."""
    return data_keys(project).filter(retired_at=None, created_at__lt=timezone.now() - KEPT)


def replace_keys(project: Project | None = None) -> int:
    """Gives each project a new data key and retires the old one; returns how many. No value is touched yet."""
    return sum(_replace(key) for key in due(project))


@transaction.atomic
def _replace(key: DataKey) -> bool:
    if not DataKey.objects.select_for_update().filter(pk=key.pk, retired_at=None).exists():
        return False
    new = vault.replace_data_key(key)
    _record(events.DATA_KEY_REPLACED, key, new=str(new.pk))
    return True


# Values


def to_move(project: Project | None = None, with_due: bool = False) -> int:
    """How many values still name a retired key; `with_due`, or one that a run would retire."""
    counts = sealed.usage()
    retired = data_keys(project).exclude(retired_at=None)
    keys = {*retired.values_list("pk", flat=True), *(due(project).values_list("pk", flat=True) if with_due else ())}
    return sum(counts[key] for key in keys)


def move(project: Project | None = None, tell: Callable[[Moved], None] = lambda moved: None) -> Moved:
    """Seals every value that names a retired key under its project's active one; `tell` hears of each batch."""
    moved = Moved(total=to_move(project))
    for left in range(TRIES, 0, -1):
        moved.busy, moved.broken = 0, []
        targets = _targets(project)
        for entry in sealed.columns():
            _move_column(entry, targets, moved, tell)
        if not moved.busy:
            break
        time.sleep(PAUSE if left > 1 else 0)
    return moved


def _targets(project: Project | None) -> dict[uuid.UUID, uuid.UUID]:
    """Retired key to active key."""
    keys = list(data_keys(project))
    active = {key.project_id: key.pk for key in keys if key.retired_at is None}
    return {key.pk: active[key.project_id] for key in keys if key.retired_at and key.project_id in active}


def _move_column(
    entry: sealed.Sealed, targets: dict[uuid.UUID, uuid.UUID], moved: Moved, tell: Callable[[Moved], None]
) -> None:
    rows, last = entry.naming(targets).select_related(*entry.related), None
    while batch := list((rows.filter(pk__gt=last) if last else rows)[:BATCH]):
        last = batch[-1].pk
        new = {row.pk: _resealed(entry, row, targets, moved) for row in batch}
        changed = {row.pk: row for row in batch if new[row.pk] != getattr(row, entry.column)}
        counts = {pk: _count_changed(getattr(changed[pk], entry.column), new[pk]) for pk in changed}
        swapped = _swap(entry, changed, new, set(targets.values()))
        moved.done += sum(counts[pk] for pk in swapped)
        moved.busy += len(changed) - len(swapped)
        tell(moved)


def _resealed(entry: sealed.Sealed, row: models.Model, targets: dict[uuid.UUID, uuid.UUID], moved: Moved) -> Any:
    """The column's content with its values under their new keys; one that does not open stays as it is."""

    def reseal(text: Any) -> Any:
        named = [key for key in sealed.key_of(text) if key in targets]
        return vault.resealed(text, entry.binding(row), targets[named[0]]) if named else text

    content = getattr(row, entry.column)
    try:
        return sealed.mapped(content, reseal)
    except (vault.VaultError, LookupError, ValueError) as error:
        # What else a binding can't be told from is text of the row, so it is not repeated.
        why = str(error) if isinstance(error, vault.VaultError) else "What it belongs to can't be told."
        moved.broken.append(f"{entry} {row.pk}: {why}")
        return content


def _count_changed(old: Any, new: Any) -> int:
    return sum(before != after for before, after in zip(sealed.texts_of(old), sealed.texts_of(new), strict=True))


def _swap(
    entry: sealed.Sealed, rows: dict[Any, models.Model], new: dict[Any, Any], active: set[uuid.UUID]
) -> list[Any]:
    """Those that were still as they were read."""
    keys = active & {key for pk in rows for text in sealed.texts_of(new[pk]) for key in sealed.key_of(text)}
    with transaction.atomic():
        # A process that was frozen since must not write under a key that was retired, or destroyed, meanwhile.
        if DataKey.objects.filter(pk__in=keys, retired_at=None).count() < len(keys):
            return []
        return entry.swap(rows, new)


# The end of a retired key


def note_empty(project: Project | None = None) -> int:
    """Notes since when retired keys are named by no value, and makes every process forget rows that name one."""
    counts = sealed.usage()
    retired = data_keys(project).exclude(retired_at=None)
    empty = [key.pk for key in retired if not counts[key.pk] and key.emptied_at is None]
    DataKey.objects.filter(pk__in=[key.pk for key in retired if counts[key.pk]]).update(emptied_at=None)
    if not empty:
        return 0
    with changes.announced():
        return DataKey.objects.filter(pk__in=empty).update(emptied_at=timezone.now())


def over(project: Project | None = None) -> models.QuerySet[DataKey]:
    """The retired keys that nothing has named for `KEPT`."""
    return data_keys(project).filter(emptied_at__lt=timezone.now() - KEPT).exclude(retired_at=None)


def destroy(project: Project | None = None) -> int:
    """Destroys the keys that are over; returns how many. A value that was written since keeps its key."""
    return sum(_destroy(key) for key in over(project))


@transaction.atomic
def _destroy(key: DataKey) -> bool:
    if not DataKey.objects.select_for_update().filter(pk=key.pk, emptied_at=key.emptied_at).exists():
        return False
    if any(_names(entry, key.pk) for entry in sealed.columns()):
        DataKey.objects.filter(pk=key.pk).update(emptied_at=None)
        return False
    _record(events.DATA_KEY_DESTROYED, key)
    key.delete()
    return True


def _names(entry: sealed.Sealed, key: uuid.UUID) -> bool:
    return entry.usage()[key] > 0 if entry.is_json else entry.naming([key]).exists()


def _record(event: events.Event, key: DataKey, **details: str) -> None:
    scope = key.project.name if key.project else "the portal"
    log.record(event, log.SYSTEM, project=key.project, details={"scope": scope, "old": str(key.pk), **details})
