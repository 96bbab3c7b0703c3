"""What a web process needs, part by part, and in words that name no address and no error's own text.

Without database, key ring or installation it can do nothing, and is not ready. Without broker, workers or beat the
gateway still carries calls and the pages still open: that is only degraded.
"""

import time
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from django.db import DatabaseError, ProgrammingError

from portal import broker, heartbeats, installation, vault
from portal.audit import changes
from portal.heartbeats import Kind
from portal.installation import Installation
from portal.looks import Look, NoAnswerYet

# Seconds. Whoever asks gives up after three or more, and would then know nothing.
LONGEST = 1.5
BROKER_KEPT = 10.0


class State(StrEnum):
    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True)
class Part:
    name: str
    state: State = State.OK
    why: str = ""


@dataclass(frozen=True)
class Stored:
    """What the database says of itself: whether it is ours, and who was seen how long ago."""

    is_ours: bool
    ages: dict[str, timedelta]


def _ask_database() -> Stored:
    changes.read()
    return Stored(_is_ours(), heartbeats.ages())


def _is_ours() -> bool:
    # A look makes nothing: `verify` would begin a new installation where there is none.
    if not Installation.objects.exists():
        return False
    try:
        installation.verify()
    except (installation.WrongInstallation, vault.VaultError):
        return False
    return True


database = Look(_ask_database)
queue = Look(broker.answers, kept=BROKER_KEPT)


def parts() -> list[Part]:
    """All of them, within LONGEST seconds whatever hangs."""
    until = time.monotonic() + LONGEST
    asked, queued = database.begin(), queue.begin()
    ring = _key_ring()
    stored, *rest = _of_database(asked, until, ring)
    return [stored, ring, *rest, _broker(queued, until)]


def is_ready(found: list[Part]) -> bool:
    return all(part.state is not State.FAILED for part in found)


def _of_database(asked: Future[Stored], until: float, ring: Part) -> list[Part]:
    try:
        stored = asked.result(_left(until))
    except NoAnswerYet:
        return _without_database("The database has not answered in time.")
    except ProgrammingError:
        return _without_database("The database lacks a table or a permission. Run manage.py migrate, then doctor.")
    except DatabaseError:
        return _without_database("The database does not answer.")
    ours = Part("installation") if stored.is_ours else _foreign(ring)
    return [Part("database"), ours, _workers(stored.ages), _beat(stored.ages)]


def _without_database(why: str) -> list[Part]:
    rest = [Part(name, State.NOT_CHECKED) for name in ("installation", "workers", "beat")]
    return [Part("database", State.FAILED, why), *rest]


def _foreign(ring: Part) -> Part:
    if ring.state is State.FAILED:
        return Part("installation", State.NOT_CHECKED)
    why = "Database and key ring do not belong together, or one of the two is the demo's. manage.py doctor says more."
    return Part("installation", State.FAILED, why)


def _key_ring() -> Part:
    try:
        vault.ring()
    except vault.KeyUnavailable:
        return Part("key_ring", State.FAILED, "The key ring is missing or malformed. manage.py doctor says more.")
    return Part("key_ring")


def _workers(ages: dict[str, timedelta]) -> Part:
    if _seen_lately(ages, Kind.WORKER):
        return Part("workers")
    return Part(
        "workers",
        State.DEGRADED,
        f"{_last_seen('worker', ages.get(Kind.WORKER))} Calls and pages go on; what is due waits. Start a worker.",
    )


def _beat(ages: dict[str, timedelta]) -> Part:
    if _seen_lately(ages, Kind.BEAT):
        return Part("beat")
    return Part(
        "beat",
        State.DEGRADED,
        f"{_last_seen('task of beat', ages.get(Kind.BEAT))} Calls and pages go on; sweeps do not run. "
        "Start beat, and see that the broker passes its tasks to a worker.",
    )


def _seen_lately(ages: dict[str, timedelta], kind: Kind) -> bool:
    return kind in ages and ages[kind] <= heartbeats.LATELY


def _last_seen(what: str, age: timedelta | None) -> str:
    if age is None:
        return f"No {what} has been seen yet."
    return f"No {what} has been seen for {round(age.total_seconds())} seconds."


def _broker(asked: Future[bool], until: float) -> Part:
    try:
        answered = asked.result(_left(until))
    except NoAnswerYet:
        answered = False
    if answered:
        return Part("broker")
    why = "The broker does not answer. Calls and pages go on; the queue's work waits until it does."
    return Part("broker", State.DEGRADED, why)


def _left(until: float) -> float:
    return max(0.0, until - time.monotonic())
