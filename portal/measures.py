"""What Prometheus is shown of the database, looked up when it asks: in one thread, with a limit of time.

Upper storeys add theirs with `register`, from their AppConfig. A measure that fails is left out, and the others stay.
"""

import logging
import time
from collections.abc import Callable, Iterable

from django.db import DatabaseError, models
from django.db.models import Count, Min
from django.db.models.functions import Now

from portal import heartbeats, readiness, vault
from portal.audit.models import LogKey
from portal.heartbeats import Kind
from portal.installation import Installation
from portal.looks import Look, NoAnswerYet
from portal.metrics import Measure
from portal.readiness import State

logger = logging.getLogger(__name__)

# Seconds: how long a scrape waits, and how long its figures serve the next one.
LONGEST = 2.0
KEPT = 5.0

_registered: list[Callable[[], Iterable[Measure]]] = []
_due: dict[str, tuple[Callable[[], models.QuerySet], str]] = {}


def register(measure: Callable[[], Iterable[Measure]]) -> None:
    if measure not in _registered:
        _registered.append(measure)


def register_due(work: str, rows: Callable[[], models.QuerySet], since: str) -> None:
    """`rows` gives those that are due now; `since` is the column that says since when."""
    _due[work] = (rows, since)


def of_database() -> list[Measure]:
    """Every measure of every storey."""
    found: list[Measure] = []
    for measure in (_seen, _keys, _oldest_due, *_registered):
        try:
            found += measure()
        except DatabaseError as error:
            logger.warning("Measuring failed in %s: %s", measure.__name__, type(error).__name__)
    return found


_look = Look(of_database, kept=KEPT)


def now() -> list[Measure]:
    """All that is known within LONGEST seconds; which parts answer is always known."""
    until = time.monotonic() + LONGEST
    asked = _look.begin()
    parts = _of_parts()
    try:
        return [*parts, *asked.result(max(0.0, until - time.monotonic()))]
    except (NoAnswerYet, DatabaseError):
        return parts


def _of_parts() -> list[Measure]:
    names = ("database", "broker", "key_ring", "installation")
    states = [({"part": p.name}, float(p.state is State.OK)) for p in readiness.parts() if p.name in names]
    return [Measure("gatehouse_part_up", "1 where the part answers and is right, as /readyz says it.", states)]


def _seen() -> list[Measure]:
    ages = heartbeats.ages()
    seen = [({"kind": kind}, ages[kind].total_seconds()) for kind in (Kind.WORKER, Kind.BEAT) if kind in ages]
    return [Measure("gatehouse_seen_seconds_ago", "Since when no worker, and no task of beat, was seen.", seen)]


def _keys() -> list[Measure]:
    wrapped = []
    for what, model in (("data", vault.DataKey), ("log", LogKey), ("installation", Installation)):
        for row in model.objects.values("key_id").annotate(count=Count("pk")):
            wrapped.append(({"key_id": row["key_id"], "what": what}, row["count"]))
    return [Measure("gatehouse_wrapped_keys", "Keys in the database, by the key of the ring that wraps them.", wrapped)]


def _oldest_due() -> list[Measure]:
    waiting = [({"work": work}, _age_of_oldest(rows(), since)) for work, (rows, since) in _due.items()]
    return [Measure("gatehouse_due_work_seconds", "How long the oldest work that is due has waited.", waiting)]


def _age_of_oldest(rows: models.QuerySet, since: str) -> float:
    age = rows.aggregate(age=Now() - Min(since))["age"]
    return max(0.0, age.total_seconds()) if age else 0.0
