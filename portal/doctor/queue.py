"""The queue: does the broker answer, does a worker, and were worker and beat seen lately?"""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

from celery.exceptions import CeleryError
from kombu.exceptions import KombuError

from portal import broker, heartbeats, tasks
from portal.doctor.findings import Finding, broken, look, ok
from portal.heartbeats import Heartbeat, Kind
from portal.looks import Look, NoAnswerYet

BROKER_SECONDS = 5.0


def examine(seconds: float) -> Iterator[Finding]:
    answers = _broker()
    yield answers
    ages = heartbeats.ages()
    yield _seen("worker", ages.get(Kind.WORKER), "Start a worker; the Procfile has its line.")
    yield _seen("beat", ages.get(Kind.BEAT), "Start beat, exactly once; the Procfile has its line.")
    if answers.remedy:
        yield look("round trip", "Not tried, as the broker does not answer.", "Mend the broker first.")
    else:
        yield _round_trip(seconds)


def _broker() -> Finding:
    try:
        answered = Look(broker.answers).begin().result(BROKER_SECONDS)
    except NoAnswerYet:
        answered = False
    if answered:
        return ok("broker", "It answers.")
    return broken(
        "broker",
        "It does not answer. Calls and pages go on, but what workers do waits.",
        "Check CELERY_BROKER_URL, that the broker runs and lets this user in; for a folder, that it can be written to.",
    )


def _seen(who: str, age: timedelta | None, remedy: str) -> Finding:
    if age is None:
        return broken(who, "It has never been seen.", f"{remedy} If it has just started, ask again in a minute.")
    if age > heartbeats.LATELY:
        return broken(who, f"It was last seen {round(age.total_seconds())} seconds ago.", remedy)
    return ok(who, f"It was seen {round(age.total_seconds())} seconds ago.")


def _round_trip(seconds: float) -> Finding:
    """Sends a task and waits for what it writes."""
    before, began = _answered_at(), time.monotonic()
    sent = Look(lambda: tasks.answer_doctor.apply_async(expires=60, retry=False)).begin()
    try:
        sent.result(BROKER_SECONDS)
    except (NoAnswerYet, OSError, KombuError, CeleryError):
        return broken("round trip", "The broker did not take a task.", "Check the broker's disk, memory and limits.")
    while time.monotonic() - began < seconds:
        if _answered_at() != before:
            return ok("round trip", f"A worker answered a task after {time.monotonic() - began:.1f} seconds.")
        time.sleep(0.1)
    return broken(
        "round trip",
        f"No worker answered a task within {seconds:g} seconds.",
        "See that a worker runs, that it has the same CELERY_BROKER_URL, and that it is not busy for so long.",
    )


def _answered_at() -> datetime | None:
    return Heartbeat.objects.filter(kind=Kind.DOCTOR).values_list("at", flat=True).first()
