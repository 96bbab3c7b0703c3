"""The log's lines: one for each call or act, the newest first, a page at a time.

A log of millions of rows must answer in a moment whatever is asked. So a page begins at a row number and nothing counts
from the top; times are turned into row numbers first; and one look goes through at most `LOOK` rows, after which the
reader decides whether to look further back.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection

from portal.access_log.filters import Filters
from portal.audit.models import LogRow

PAGE = 50
LOOK = 50_000
MOST_COUNTED = 10_000
# A row is numbered up to this long after the time it carries, or before it where two machines' clocks differ.
SLACK = timedelta(minutes=10)
TABLE = LogRow._meta.db_table

# The inner limit is on rows looked through, and ends early once the page is full. An attempt takes its outcome from
# the row that followed it; one that an endpoint's answer made counts more than one that the sweep assumed.
LOOKED_AT = f"SELECT {{columns}} FROM {TABLE} WHERE {{found}} ORDER BY id {{order}} LIMIT {LOOK}"  # noqa: S608
LINES = f"""
    SELECT line.*, ended.outcome AS ended_outcome, ended.duration AS ended_duration, ended.reason AS ended_reason
    FROM ({LOOKED_AT}) line
    LEFT JOIN LATERAL (
        SELECT outcome, duration, reason FROM {TABLE} o
        WHERE o.call_id = line.call_id AND o.kind = 'outcome' ORDER BY o.outcome = 'unknown', o.id LIMIT 1
    ) ended ON line.kind = 'attempt'
    WHERE line.kind <> 'outcome' AND {{asked}}
    ORDER BY line.id {{order}} LIMIT %s
"""  # noqa: S608 -- our own names


@dataclass(frozen=True)
class Page:
    """`lines` are attempts and acts with `ended_outcome`, `ended_duration`, `ended_reason`; the newest first.

    `looked_back_to` is the row at which the look stopped before the page was full; None when nothing older is left.
    """

    lines: Sequence[LogRow]
    has_newer: bool = False
    has_older: bool = False
    looked_back_to: LogRow | None = None


class Reading:
    """One reader's question: whose log (a project's, or None for the whole portal's) and which rows of it."""

    def __init__(self, project_id: UUID | None, filters: Filters) -> None:
        self.filters = filters
        self.lowest = first_number_since(filters.since - SLACK) if filters.since else None
        self._found = [
            ("project_id = %s", project_id),
            ("agent_id = %s", filters.agent),
            ("connection_id = %s", filters.connection),
            ("on_behalf_of_id = %s", filters.on_behalf_of),
            ("id >= %s", self.lowest),
            ("id < %s", first_number_since(filters.until + SLACK) if filters.until else None),
            ("time >= %s", filters.since),
            ("time <= %s", filters.until),
        ]
        self._asked = [
            ("line.actor_kind = %s", filters.actor_kind or None),
            ("line.actor_id = %s", filters.actor_id),
            ("COALESCE(ended.outcome, line.outcome) = %s", filters.outcome or None),
        ]

    def page(self, before: int | None = None, after: int | None = None) -> Page:
        """The rows numbered below `before`, or those next above `after`, or the newest."""
        if after is not None:
            lines = self._lines("ASC", ("id > %s", after))
            if len(lines) > PAGE:
                return Page(lines[:PAGE][::-1], has_newer=True, has_older=True)
            before = None
        lines = self._lines("DESC", ("id < %s", before))
        full = len(lines) > PAGE
        return Page(lines[:PAGE], before is not None, full, None if full else self._end_of_look(before))

    def count(self) -> tuple[int, bool]:
        """(lines that match, whether that is all of them); counts to 10,000, in the newest `LOOK` rows."""
        count = self._count()
        return min(count, MOST_COUNTED), count <= MOST_COUNTED and self._end_of_look(None) is None

    def place(self, page: Page) -> tuple[int, int] | None:
        """The page's first and last line, counted from the newest: right while it is within what `count` says."""
        if not page.lines:
            return None
        newer = self._count(("id > %s", page.lines[0].id)) if page.has_newer else 0
        return newer + 1, newer + len(page.lines)

    def _count(self, *bounds: tuple[str, int]) -> int:
        """Counts to one more than 10,000, in the newest `LOOK` rows."""
        sql, values = self._sql(LINES, "DESC", list(bounds))
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM ({sql}) counted", [*values, MOST_COUNTED + 1])  # noqa: S608
            return cursor.fetchone()[0]

    def looked_at(self, columns: str) -> tuple[str, list[Any]]:
        """SQL and values for the newest rows that the indexes find, for whoever counts them another way."""
        found, values = _all_of(self._found)
        return LOOKED_AT.format(columns=columns, found=found, order="DESC"), values

    def _lines(self, order: str, bound: tuple[str, int | None]) -> list[LogRow]:
        sql, values = self._sql(LINES, order, [bound])
        return list(LogRow.objects.raw(sql, [*values, PAGE + 1]))

    def _end_of_look(self, before: int | None) -> LogRow | None:
        found, values = _all_of([*self._found, ("id < %s", before)])
        looked = LOOKED_AT.format(columns="id", found=found, order="DESC")
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*), min(id) FROM ({looked}) looked", values)  # noqa: S608
            count, last = cursor.fetchone()
        return LogRow.objects.get(id=last) if count >= LOOK else None

    def _sql(self, template: str, order: str, bounds: list[tuple[str, Any]]) -> tuple[str, list[Any]]:
        found, values = _all_of([*self._found, *bounds])
        asked, more = _all_of(self._asked)
        return template.format(columns="*", found=found, asked=asked, order=order), [*values, *more]


def _all_of(conditions: list[tuple[str, Any]]) -> tuple[str, list[Any]]:
    asked = [(sql, value) for sql, value in conditions if value is not None]
    return " AND ".join(sql for sql, _ in asked) or "TRUE", [value for _, value in asked]


def first_number_since(moment: datetime) -> int:
    """The lowest row number from `moment` on, found by halving: times have no index, but rise with the numbers."""
    newest = LogRow.objects.order_by("-id").values_list("id", flat=True).first() or 0
    low, high = 1, newest + 1
    while low < high:
        middle = (low + high) // 2
        row = LogRow.objects.filter(id__gte=middle).order_by("id").values_list("id", "time").first()
        if row is None or row[1] >= moment:
            high = middle
        else:
            low = row[0] + 1
    return low
