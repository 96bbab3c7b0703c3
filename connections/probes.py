"""Test connection: is the card there, can a credential be made, and does the endpoint accept it?

What is shown and kept are our own words and codes, never the endpoint's (T09, T27), and no time is told for a server
that could not be spoken to, so that a test is no port scanner (T24).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from django.core.cache import cache

from connections import events
from connections.agent_card import Card, Interface
from connections.models import Connection, Health
from connections.trial import FAILED, Step, Trial
from connections.troubleshooting import Entry, entry
from connections.watching import noting
from portal.audit import log
from portal.audit.events import Outcome
from portal.users import User

__all__ = ["Result", "Step", "test"]

TESTS_PER_MINUTE = 6


@dataclass(frozen=True)
class Result:
    """`ok`: nothing speaks against calls. `problem` may be there all the same: something to look after.

    `status` and `took_ms` (milliseconds) are of the call to the endpoint, None where it gave no answer.
    """

    ok: bool
    steps: list[Step]
    problem: Entry | None = None
    card: Card | None = None
    status: int | None = None
    took_ms: int | None = None
    state: str = Health.State.NOT_CHECKED


def test(connection: Connection, by: User) -> Result:
    """Tests within about 20 seconds, writes the log's two rows and the connection's health.

    Not to be called inside a transaction. No change is announced: nobody's calls depend on it.
    """
    if _too_often(connection):
        problem = entry("tested_too_often")
        return Result(False, [Step("Test the connection", FAILED, f"{problem.title}.")], problem)
    interface = interface_of(connection)
    trial = Trial(connection, interface)
    finish = _begin(connection, interface, by)
    try:
        trial.go()
    except BaseException:
        finish(Outcome.FAILED, reason="internal")
        raise
    finish(trial.outcome, reason=trial.code, status=trial.status, duration=trial.took_ms)
    noting.note(connection, trial)
    return _result(trial)


def _result(trial: Trial) -> Result:
    problem = entry(trial.reason) if trial.reason else None
    ok = trial.state != Health.State.FAILING
    return Result(ok, trial.steps, problem, trial.card, trial.status, trial.took_ms, trial.state)


def _begin(connection: Connection, interface: Interface, by: User) -> Callable[..., None]:
    return log.begin(
        events.CONNECTION_CHECKED,
        log.Actor.of(by),
        project=connection.project,
        connection=connection,
        auth_method=connection.auth_method,
        binding=interface["binding"],
        protocol=interface["version"],
        target=interface["url"],
    )


def interface_of(connection: Connection) -> Interface:
    """Where the harmless question goes: the first interface that was stored."""
    default = {"url": connection.endpoint, "binding": "JSONRPC", "version": "1.0"}
    return connection.interfaces[0] if connection.interfaces else default


def _too_often(connection: Connection) -> bool:
    key = f"tested:{connection.id}:{_minute()}"
    count = cache.get(key, 0) + 1
    cache.set(key, count, timeout=120)
    return count > TESTS_PER_MINUTE


def _minute() -> int:
    return int(time.time()) // 60
