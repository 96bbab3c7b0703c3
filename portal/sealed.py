"""Where sealed values stand and what the ring wraps: one line for each column, declared by whoever owns the table.

A reseal goes through these lines and nothing else, and destroys a data key when none of them names it. A sealed column
that is missing here would lose its values with the key; tests/vault/test_registry.py walks sources and tables for one.
Upper storeys add theirs in AppConfig.ready.
"""

import re
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models.functions import Cast, Substr

from portal import vault

# `gh1:` and the 32 digits of the data key's id, wherever they begin a text.
NAMED = re.compile(rf"^{vault.FORMAT}:([0-9a-f]{{32}}):")


@dataclass(frozen=True)
class Sealed:
    """A column that holds sealed values; in a JSON column, every text of it that begins like one.

    `table` is what the values' bindings say, `binding` tells a row's binding, `related` what it needs joined.
    """

    table: str
    model: type[models.Model]
    column: str
    binding: Callable[[Any], vault.Binding]
    related: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.model._meta.db_table}.{self.column}"

    @property
    def is_json(self) -> bool:
        return isinstance(self.model._meta.get_field(self.column), models.JSONField)

    def naming(self, keys: Collection[uuid.UUID]) -> models.QuerySet:
        """The rows whose column names one of these data keys, by id; of a JSON column all that may."""
        rows = self.model._base_manager.order_by("pk")
        if self.is_json:
            text = Cast(self.column, models.TextField())
            return rows.annotate(sealed_text=text).filter(sealed_text__contains=f'"{vault.FORMAT}:')
        named = Substr(self.column, len(vault.FORMAT) + 2, 32)
        is_sealed = {f"{self.column}__startswith": f"{vault.FORMAT}:"}
        return rows.filter(**is_sealed).annotate(sealed_key=named).filter(sealed_key__in=[key.hex for key in keys])

    def usage(self) -> Counter[uuid.UUID]:
        """How many values name each data key."""
        if self.is_json:
            contents = self.naming(()).values_list(self.column, flat=True)
            return Counter(key for content in contents for text in texts_of(content) for key in key_of(text))
        named = Substr(self.column, 1, len(vault.FORMAT) + 34)
        rows = self.model._base_manager.exclude(**{self.column: ""}).order_by()
        counted = rows.annotate(sealed_key=named).values_list("sealed_key").annotate(models.Count("pk"))
        return Counter({key: count for text, count in counted for key in key_of(text)})

    def swap(self, rows: Mapping[Any, models.Model], new: Mapping[Any, Any]) -> list[Any]:
        """Compare and swap, in the caller's transaction: writes what is new into the rows that still are as they were
        read, and returns their ids. Locks without waiting, so that no two transactions wait in a circle.
        """
        held = self.model._base_manager.select_for_update(skip_locked=True, no_key=True).filter(pk__in=rows)
        stored = held.order_by("pk").values_list("pk", self.column)
        same = [pk for pk, content in stored if content == getattr(rows[pk], self.column)]
        for pk in same:
            setattr(rows[pk], self.column, new[pk])
        self.model._base_manager.bulk_update([rows[pk] for pk in same], [self.column])
        return same


@dataclass(frozen=True)
class Wrapped:
    """A table of keys that the ring itself wraps: `column` holds the wrapped one, `key_id` names the ring's key."""

    model: type[models.Model]
    column: str = "wrapped"


_sealed: list[Sealed] = []
_wrapped: list[Wrapped] = []


def register(*entries: Sealed | Wrapped) -> None:
    for entry in entries:
        kept = _sealed if isinstance(entry, Sealed) else _wrapped
        if entry not in kept:
            kept.append(entry)


def columns() -> tuple[Sealed, ...]:
    return tuple(_sealed)


def wrapped_tables() -> tuple[Wrapped, ...]:
    return tuple(_wrapped)


def usage() -> Counter[uuid.UUID]:
    """How many stored values name each data key."""
    return sum((entry.usage() for entry in columns()), Counter())


def key_of(text: object) -> list[uuid.UUID]:
    """The data key that a sealed value names, alone in a list; nothing for any other text."""
    found = NAMED.match(text) if isinstance(text, str) else None
    return [uuid.UUID(found[1])] if found else []


def texts_of(content: Any) -> Iterator[Any]:
    """The leaves of a column's content: of JSON every one, else the content itself."""
    if isinstance(content, dict | list):
        for part in content.values() if isinstance(content, dict) else content:
            yield from texts_of(part)
    else:
        yield content


def mapped(content: Any, change: Callable[[Any], Any]) -> Any:
    """The same content with each of its leaves changed."""
    if isinstance(content, dict):
        return {name: mapped(part, change) for name, part in content.items()}
    if isinstance(content, list):
        return [mapped(part, change) for part in content]
    return change(content)
