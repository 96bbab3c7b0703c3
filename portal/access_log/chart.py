"""Calls by outcome: how many ended how, in bars of equal time. Geometry only; colours are the style sheet's."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone

from portal.access_log.lines import LOOK, Reading
from portal.audit.events import CALL, CALL_REFUSED, Outcome

# What an auditor tells apart at a glance: name in the style sheet, words, outcomes.
SERIES = (
    ("succeeded", "Succeeded", {Outcome.SUCCEEDED}),
    ("warning", "Consent needed", {Outcome.CONSENT_NEEDED}),
    ("failed", "Refused or failed", {Outcome.REFUSED_BY_ENDPOINT, Outcome.NOT_PERMITTED, Outcome.FAILED}),
    ("unknown", "Unknown", {Outcome.UNKNOWN}),
)
STEPS = [timedelta(minutes=5), timedelta(hours=1), *(timedelta(days=days) for days in (1, 7, 28, 364))]
MOST_BARS = 192
WIDTH, HEIGHT, GAP = 960, 64, 0.24

# Rows that are no end of a call fall in no bar, and are counted only to know how many were looked through.
ENDED = """
    SELECT CASE WHEN kind <> 'attempt' AND event IN (%s, %s) {who} THEN width_bucket(time, %s::timestamptz[]) END,
           outcome, count(*)
    FROM ({looked_at}) looked GROUP BY 1, 2
"""
EARLIEST = "SELECT min(time) FROM ({looked_at}) looked"


@dataclass(frozen=True)
class Part:
    series: str
    y: float
    height: float


@dataclass(frozen=True)
class Bar:
    """One stretch of time. `counts` follow SERIES; geometry in the units of the drawing."""

    start: datetime
    counts: tuple[int, ...]
    x: float
    width: float
    parts: Sequence[Part]


@dataclass(frozen=True)
class Chart:
    bars: Sequence[Bar]
    totals: Sequence[tuple[str, str, int]]
    step: timedelta
    is_partial: bool

    width, height = WIDTH, HEIGHT
    columns = tuple(label for _, label, _ in SERIES)

    @property
    def calls(self) -> int:
        return sum(count for *_, count in self.totals)

    @property
    def name(self) -> str:
        """The drawing in a sentence, for whoever can't see it."""
        return "Calls by outcome: " + ", ".join(f"{label} {count:,}" for _, label, count in self.totals) + "."

    @property
    def middle(self) -> Bar:
        return self.bars[len(self.bars) // 2]

    @property
    def by_days(self) -> bool:
        return self.step >= timedelta(days=1)


def chart_of(reading: Reading) -> Chart:
    """Counts calls by the time they ended, in the newest `LOOK` rows; `is_partial` says that there are more."""
    end = reading.filters.until or timezone.now()
    start = reading.filters.since or _earliest(reading) or end - timedelta(hours=1)
    edges, step = edges_between(start, max(start, end))
    counted = _counted(reading, edges)
    counts = [_by_series(counted, number) for number in range(1, len(edges) + 1)]
    totals = [(name, label, sum(bar[place] for bar in counts)) for place, (name, label, _) in enumerate(SERIES)]
    return Chart(_bars(edges, counts), totals, step, is_partial=counted.total() >= LOOK)


def _earliest(reading: Reading) -> datetime | None:
    sql, values = reading.looked_at("time")
    with connection.cursor() as cursor:
        cursor.execute(EARLIEST.format(looked_at=sql), values)
        return cursor.fetchone()[0]


def edges_between(start: datetime, end: datetime) -> tuple[list[datetime], timedelta]:
    """(the beginning of each bar, their step): whole hours or days of the reader's time zone, few enough to see."""
    step = next((step for step in STEPS if (end - start) / step <= MOST_BARS), STEPS[-1])
    if start + timedelta(hours=6) < end and step == STEPS[0]:
        step = STEPS[1]
    edges = [_whole(start, step)]
    while (following := _following(edges[-1], step)) <= end:
        edges.append(following)
    return edges, step


def _whole(moment: datetime, step: timedelta) -> datetime:
    local = timezone.localtime(moment)
    if step >= timedelta(days=1):
        return local.replace(hour=0, minute=0, second=0, microsecond=0)
    minute = 0 if step >= timedelta(hours=1) else local.minute // 5 * 5
    return local.replace(minute=minute, second=0, microsecond=0)


def _following(edge: datetime, step: timedelta) -> datetime:
    """Days follow the calendar, so that a change to summer time moves no bar; shorter steps follow the clock."""
    if step >= timedelta(days=1):
        return edge + step
    return timezone.localtime(edge.astimezone(UTC) + step)


def _counted(reading: Reading, edges: list[datetime]) -> Counter:
    filters = reading.filters
    who = [("AND actor_kind = %s", filters.actor_kind), ("AND actor_id = %s", filters.actor_id)]
    who.append(("AND outcome = %s", filters.outcome))
    asked = [(sql, value) for sql, value in who if value]
    looked_at, values = reading.looked_at("time, kind, event, outcome, actor_kind, actor_id")
    sql = ENDED.format(looked_at=looked_at, who=" ".join(sql for sql, _ in asked))
    with connection.cursor() as cursor:
        cursor.execute(sql, [CALL.tag, CALL_REFUSED.tag, *(value for _, value in asked), edges, *values])
        return Counter({(number, outcome): count for number, outcome, count in cursor.fetchall()})


def _by_series(counted: Counter, number: int) -> tuple[int, ...]:
    return tuple(sum(counted[number, outcome.value] for outcome in outcomes) for _, _, outcomes in SERIES)


def _bars(edges: list[datetime], counts: list[tuple[int, ...]]) -> list[Bar]:
    slot = WIDTH / len(edges)
    highest = max((sum(bar) for bar in counts), default=0) or 1
    return [
        Bar(edge, bar, round(place * slot + slot * GAP / 2, 2), round(slot * (1 - GAP), 2), _parts(bar, highest))
        for place, (edge, bar) in enumerate(zip(edges, counts, strict=True))
    ]


def _parts(counts: tuple[int, ...], highest: int) -> list[Part]:
    """Stacked from the ground; a single call among thousands still is a line that can be seen."""
    parts, y = [], float(HEIGHT)
    for (name, _, _), count in zip(SERIES, counts, strict=True):
        if count:
            height = max(count / highest * (HEIGHT - 6), 1.5)
            y -= height
            parts.append(Part(name, round(y, 2), round(height, 2)))
    return parts
