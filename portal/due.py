"""Due work is rows. Whoever takes some claims them, and a claim ends by itself: a worker that dies loses nothing.

The clock is the database's, so workers whose clocks differ agree. Two that take at once get different rows.
"""

from datetime import timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import Q
from django.db.models.functions import Now


def claim(
    queryset: models.QuerySet, *, until_column: str, lease: timedelta, limit: int, **marks: Any
) -> list[models.Model]:
    """Up to `limit` rows of `queryset` that nobody holds, held from now on for `lease`; as they were before.

    `until_column` is when a claim ends, null or past for a free row. `marks` are written with it, such as who holds it.
    Whoever has done the work writes the column again: null, or when the row is due next. Rows that somebody has locked
    are left to them.
    """
    free = Q(**{until_column: None}) | Q(**{f"{until_column}__lte": Now()})
    with transaction.atomic():
        rows = list(queryset.filter(free).select_for_update(skip_locked=True, of=("self",))[:limit])
        claimed = queryset.model._base_manager.filter(pk__in=[row.pk for row in rows])
        claimed.update(**{until_column: Now() + lease}, **marks)
    return rows
