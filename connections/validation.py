""" "Validate": what has been proven about a connection, and what is left to do (the A2A page's own list)."""

from dataclasses import dataclass
from datetime import datetime

from connections.methods import methods
from connections.models import Connection, Health
from connections.standing import Standing
from connections.troubleshooting import Entry


@dataclass(frozen=True)
class Check:
    """`state` is done, failed, warning or open; `hint` and `at` say what it rests on."""

    label: str
    state: str
    hint: str = ""
    at: datetime | None = None


def checks(standing: Standing, given: list[str]) -> list[Check]:
    connection = standing.connection
    called = standing.last_used
    return [
        _card(standing),
        _credential(standing),
        _given(connection.given_to_all, given),
        Check("Called", "done", "", called) if called else Check("Called", "open", "No calls yet"),
        _consent(connection),
    ]


def _card(standing: Standing) -> Check:
    connection = standing.connection
    if connection.card is None:
        return Check("Agent card read", "open", "Connected without a card; the portal serves agents a minimal one")
    return Check("Agent card read", "done", "", connection.card_read_at)


def _credential(standing: Standing) -> Check:
    health, problem = standing.health, standing.problem
    if health is None or health.state == Health.State.NOT_CHECKED or standing.seen_without_credential:
        return Check("Credential accepted", "open", _words(problem) or "Not tested yet")
    if health.state == Health.State.FAILING:
        return Check("Credential accepted", "failed", _words(problem), health.checked_at)
    if problem:
        return Check("Credential accepted", "warning", _words(problem), health.checked_at)
    return Check("Credential accepted", "done", "", health.checked_at)


def _words(problem: Entry | None) -> str:
    return problem.title if problem else ""


def _given(to_all: bool, given: list[str]) -> Check:
    if to_all:
        return Check("Given to an agent", "done", "All agents of this project")
    if not given:
        return Check("Given to an agent", "open", "No agent may use this connection yet")
    more = f" and {len(given) - 3} more" if len(given) > 3 else ""
    return Check("Given to an agent", "done", ", ".join(given[:3]) + more)


def _consent(connection: Connection) -> Check:
    people = methods()[connection.auth_method].consented(connection) if connection.auth_method in methods() else None
    if people is None:
        return Check("Consent not needed", "done")
    given, able = people
    if not able:
        return Check("Consented", "open", "No agent that uses it may speak for anybody yet")
    return Check("Consented", "done" if given else "open", f"{given} of {able} people")
