"""What the access log holds of scheduled probes: one row a day and connection, and one whenever the state changes.

A probe opens a credential, and "no row, no credential" holds for it. But it is always the same act, and two rows for
each would be 576 a day and connection, in which the calls of agents would drown. So one row, committed before the
first of them, covers the probes of the 24 hours that follow, as long as nobody changes the connection meanwhile.
"""

from datetime import timedelta

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from connections import events
from connections.models import Connection, Health, Probe, Watch
from connections.trial import Trial
from connections.watching import plan
from portal.audit import log

COVERS = timedelta(hours=24)


def cover(watch: Watch, trial: Trial) -> None:
    """Commits the row that the next probe needs, unless there is one. Without it, nothing may be opened."""
    connection = watch.connection
    if _is_covered(watch):
        return
    details = {
        "minutes_between": plan.interval_of(connection) // timedelta(minutes=1),
        "covered_before": _before(watch),
    }
    with transaction.atomic(durable=True):
        columns = _columns(connection, trial)
        log.record(events.CONNECTION_WATCHED, log.SYSTEM, target=trial.interface["url"], details=details, **columns)
        Watch.objects.filter(pk=watch.pk).update(logged_at=Now())


def changed(connection: Connection, trial: Trial, before: str, after: str) -> None:
    """A row for a change to failing, or back. In the caller's transaction."""
    was_failing, is_failing = (state == Health.State.FAILING for state in (before, after))
    if was_failing == is_failing:
        return
    event = events.CONNECTION_FAILING if is_failing else events.CONNECTION_RECOVERED
    ended = {"outcome": trial.outcome, "reason": trial.reason, "status": trial.status, "duration": trial.took_ms}
    log.record(event, log.SYSTEM, target=trial.interface["url"], **ended, **_columns(connection, trial))


def _is_covered(watch: Watch) -> bool:
    at = watch.logged_at
    return at is not None and at > timezone.now() - COVERS and at > watch.connection.changed_at


def _before(watch: Watch) -> str:
    """How the probes of the row before this one ended: "288 probes, 3 failing"."""
    if watch.logged_at is None:
        return "none"
    states = Probe.objects.filter(connection=watch.pk, at__gte=watch.logged_at).values_list("state", "count")
    failing = sum(count for state, count in states if state == Health.State.FAILING)
    return f"{sum(count for _, count in states)} probes, {failing} failing"


def _columns(connection: Connection, trial: Trial) -> dict:
    return {
        "project": connection.project,
        "connection": connection,
        "auth_method": connection.auth_method,
        "binding": trial.interface["binding"],
        "protocol": trial.interface["version"],
    }
