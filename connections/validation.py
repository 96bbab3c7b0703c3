""" "Validate": what has been proven about a connection, and what is left to do (the A2A page's own list)."""

from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format

from connections.calls import Call
from connections.methods import methods
from connections.models import Connection, Health, Watch
from connections.standing import Standing
from connections.troubleshooting import Entry, entry
from portal.audit.events import Outcome
from portal.audit.readable import readable

REFUSED = (Outcome.REFUSED_BY_ENDPOINT, Outcome.NOT_PERMITTED)


@dataclass(frozen=True)
class Check:
    """`state` is done, failed, warning or open; `hint`, `at` and `took_ms` say what it rests on."""

    label: str
    state: str
    hint: str = ""
    at: datetime | None = None
    took_ms: int | None = None


def checks(standing: Standing, given: list[str], newest: Call | None = None) -> list[Check]:
    """In the order in which things come true; `newest` is the connection's last call."""
    connection = standing.connection
    watch = Watch.objects.filter(connection=connection).first()
    return [
        _reached(standing, watch),
        _card(connection, watch),
        _credential(standing),
        _given(connection.given_to_all, given),
        _called(standing, newest),
        _consent(connection),
    ]


def _reached(standing: Standing, watch: Watch | None) -> Check:
    """An answer of any kind shows it; so does a card that was read where no credential could be tried."""
    health = standing.health
    if health is None or health.checked_at is None:
        return Check("Endpoint reachable", "open", "Not tested yet")
    if health.status is not None or health.state == Health.State.HEALTHY:
        ends = watch.certificate_ends if watch else None
        hint = f"TLS certificate valid until {date_format(timezone.localtime(ends), 'j F Y')}" if ends else ""
        return Check("Endpoint reachable", "done", hint, health.checked_at, health.took_ms)
    state = "failed" if health.state == Health.State.FAILING else "open"
    return Check("Endpoint reachable", state, _words(standing.problem), health.checked_at)


def _card(connection: Connection, watch: Watch | None) -> Check:
    if connection.card is None:
        return Check("Agent card read", "open", "Connected without a card; the portal serves agents a minimal one")
    if watch is None or watch.card_read_at is None:
        return Check("Agent card read", "done", "", connection.card_read_at)
    if watch.card_code:
        return Check("Agent card read", "warning", entry(watch.card_code).title, watch.card_tried_at)
    return Check("Agent card read", "done", _version(watch), watch.card_read_at)


def _version(watch: Watch) -> str:
    """ "Version 1.8.0, unchanged since 13 November 2026": as the endpoint says it, so it is made readable."""
    since = date_format(timezone.localtime(watch.card_since), "j F Y") if watch.card_since else ""
    said = [
        f"version {readable(watch.card_version)}" if watch.card_version else "",
        since and f"unchanged since {since}",
    ]
    words = ", ".join(part for part in said if part)
    return words[:1].upper() + words[1:]


def _called(standing: Standing, newest: Call | None) -> Check:
    if not standing.last_used:
        return Check("Called by an agent", "open", "No calls yet")
    hint = ""
    if newest and newest.row.agent_name:
        person = f" for {readable(newest.row.on_behalf_of_name)}" if newest.row.on_behalf_of_name else ""
        hint = f"By {readable(newest.row.agent_name)}{person}"
    if newest and newest.outcome in REFUSED:
        return Check("Called by an agent; the last call was refused", "warning", hint, newest.row.time)
    return Check("Called by an agent", "done", hint, standing.last_used)


def _credential(standing: Standing) -> Check:
    """Refused only by a 401 or 403; an endpoint that gave no answer, or another one, has not judged it."""
    health, problem = standing.health, standing.problem
    if health and health.state == Health.State.FAILING and health.status in (401, 403):
        return Check("Credential refused", "failed", _words(problem), health.checked_at)
    if not _needs_credential(standing.connection):
        return Check("No credential needed", "done")
    if health is None or health.status is None:
        return Check("Credential not tried", "open", _words(problem) or "Not tested yet")
    if health.state != Health.State.HEALTHY:
        return Check("Credential not proven", "open", _words(problem), health.checked_at)
    return Check("Credential accepted", "warning" if problem else "done", _words(problem), health.checked_at)


def _needs_credential(connection: Connection) -> bool:
    return connection.auth_method not in methods() or methods()[connection.auth_method].needs_credential


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
        asking = " or ".join(method.label for method in methods() if method.user_context_persists)
        return Check("Consent not needed", "done", f"People get a consent link only through {asking}" if asking else "")
    given, able = people
    if not able:
        return Check("Consented", "open", "No agent that uses it may speak for anybody yet")
    return Check("Consented", "done" if given else "open", f"{given} of {able} people")
