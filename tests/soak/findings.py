"""How much a soak is to do, what it found, and what of that is wrong."""

from collections import Counter
from dataclasses import dataclass, field

from tests.soak.crew import Crew
from tests.soak.provider import AFTER, BEFORE
from tests.soak.signals import FROZEN, KILLED
from tests.soak.strikes import STEPS
from tests.soak.watching import Overdue


@dataclass(frozen=True)
class Size:
    """How much of it: rotations in all, each kind of strike so often, seconds at most."""

    refreshes: int
    strikes: int
    freezes: int
    restarts: int
    seconds: float
    freezes_at: tuple[str, ...] = tuple(step.name for step in STEPS)
    hurry: int = 0  # grants that are made due in a second, beside those that are
    strike_every: float = 1.0
    take_over: float = 5.0  # seconds after a lease's end


@dataclass
class Findings:
    """What was done and what came of it.

    Leases that are over: `waiting` for somebody to take over; `held`, by whoever takes over as well.
    """

    verdicts: Counter = field(default_factory=Counter)
    losses: list[str] = field(default_factory=list)
    strikes: Counter = field(default_factory=Counter)
    restarts: Counter = field(default_factory=Counter)
    waiting: Overdue = field(default_factory=Overdue)
    held: Overdue = field(default_factory=Overdue)
    rotations: int = 0
    seconds: float = 0.0


def faults_in(ledger: dict) -> Counter:
    """How often the provider did what; "none" for the requests that it answered honestly."""
    found = Counter(dict.fromkeys((*BEFORE, *AFTER), 0))
    for family in ledger.values():
        found.update(request["fault"] or "none" for request in family["requests"])
    return found


def wrong(size: Size, raced, found: Findings, requests: dict[str, Counter], crew: Crew) -> list[str]:
    """In sentences: what must not have happened, and what was to be tried and was not."""
    sentences = [f"a race went wrong: {each}" for each in raced.wrong]
    sentences += [f"lost: {each}" for each in found.losses]
    sentences += [f"a worker met what it should never meet: {each}" for each in crew.broken]
    if found.waiting.longest > size.take_over:
        sentences.append(f"a lease was over for {found.waiting.longest:.1f} s before somebody took over")
    if found.rotations < size.refreshes:
        sentences.append(f"there was time for {found.rotations} refreshes only")
    sentences += [
        f"{name} never did this: {fault}" for name, each in requests.items() for fault in each if not each[fault]
    ]
    wanted = dict.fromkeys(((step.name, KILLED) for step in STEPS), size.strikes)
    wanted |= dict.fromkeys(((name, FROZEN) for name in size.freezes_at), size.freezes)
    for (name, how), times in wanted.items():
        if found.strikes[name, how] < times:
            sentences.append(f"fewer than {times} workers were {how} here: {name}")
    if found.restarts.total() < size.restarts:
        sentences.append(f"the database restarted {found.restarts.total()} times only")
    return sentences
