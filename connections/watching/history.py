"""What probes have found, read for a page: the stretches of a drawing, the figures beside it, the rows of a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from django.utils import timezone

from connections.models import Connection, Health, Probe
from connections.watching import plan

STRETCHES = 72
DAY = timedelta(hours=24)
MONTH = timedelta(days=30)


@dataclass(frozen=True)
class Stretch:
    """What was found between `start` and `end`: `state` is the worst that was seen, `took_ms` the middle."""

    start: datetime
    end: datetime
    state: str = Health.State.NOT_CHECKED
    probes: int = 0
    failing: int = 0
    took_ms: int | None = None

    @property
    def label(self) -> str:
        return Health.State(self.state).label


@dataclass(frozen=True)
class Outage:
    """The last time that probes failed, up to when one did not any more (None while it lasts)."""

    start: datetime
    end: datetime | None
    reason: str

    @property
    def lasted_ms(self) -> int:
        return round(((self.end or timezone.now()) - self.start) / timedelta(milliseconds=1))


@dataclass(frozen=True)
class History:
    """72 stretches of equal length, the last one ending now."""

    stretches: Sequence[Stretch]
    healthy: int
    failing: int
    median_ms: int | None
    outage: Outage | None

    @property
    def step(self) -> timedelta:
        return self.stretches[0].end - self.stretches[0].start

    @property
    def by_days(self) -> bool:
        return self.step > timedelta(hours=1)

    @property
    def healthy_percent(self) -> float | None:
        """Of the probes that could tell."""
        told = self.healthy + self.failing
        return self.healthy / told * 100 if told else None


def of(connection: Connection, lately: timedelta) -> History:
    now = timezone.now()
    step = lately / STRETCHES
    start = now - lately
    rows = list(Probe.objects.filter(connection=connection, at__gt=start, at__lte=now).order_by("at"))
    places: list[list[Probe]] = [[] for _ in range(STRETCHES)]
    for row in rows:
        places[min(int((row.at - start) / step), STRETCHES - 1)].append(row)
    stretches = [_stretch(start + step * place, step, found) for place, found in enumerate(places)]
    times = [row.took_ms for row in rows if row.took_ms is not None]
    return History(
        _carried(stretches, plan.interval_of(connection)),
        sum(row.count for row in rows if row.state == Health.State.HEALTHY),
        sum(row.count for row in rows if row.state == Health.State.FAILING),
        round(median(times)) if times else None,
        _outage(rows),
    )


def page(connection: Connection, limit: int, before: int | None = None) -> list[Probe]:
    """The newest rows, older than the row number `before`."""
    rows = Probe.objects.filter(connection=connection).order_by("-at", "-id")
    return list((rows.filter(id__lt=before) if before else rows)[:limit])


def _stretch(start: datetime, step: timedelta, found: list[Probe]) -> Stretch:
    states = {row.state for row in found}
    worst = next((s for s in (Health.State.FAILING, Health.State.HEALTHY) if s in states), Health.State.NOT_CHECKED)
    times = [row.took_ms for row in found if row.took_ms is not None]
    failing = sum(row.count for row in found if row.state == Health.State.FAILING)
    count = sum(row.count for row in found)
    return Stretch(start, start + step, worst, count, failing, round(median(times)) if times else None)


def _carried(stretches: list[Stretch], interval: timedelta) -> list[Stretch]:
    """What was found counts for one interval more: an hourly probe leaves no gaps between its bars."""
    carried, last = [], None
    for stretch in stretches:
        if stretch.probes:
            last = stretch
        elif last is not None and stretch.start < last.end + interval:
            stretch = Stretch(stretch.start, stretch.end, last.state, took_ms=last.took_ms)
        carried.append(stretch)
    return carried


def _outage(rows: list[Probe]) -> Outage | None:
    failing = [place for place, row in enumerate(rows) if row.state == Health.State.FAILING]
    if not failing:
        return None
    last = first = failing[-1]
    while first and rows[first - 1].state == Health.State.FAILING:
        first -= 1
    end = rows[last + 1].at if last + 1 < len(rows) else None
    return Outage(rows[first].at, end, rows[last].reason)
