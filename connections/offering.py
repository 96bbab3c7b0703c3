"""Who may use a connection, and whether anybody may: given, taken back, disabled, enabled, deleted."""

from urllib.parse import urlsplit

from django.utils import timezone

from connections import events
from connections.methods import methods
from connections.models import Connection, Given
from connections.watching import plan
from portal.agents.models import Agent
from portal.audit import changes, log
from portal.audit.events import Event
from portal.users import User


def give(connection: Connection, agent: Agent, by: User) -> None:
    """The agent may call it from now on. Giving twice is no error."""
    with changes.announced():
        _, new = Given.objects.get_or_create(connection=connection, agent=agent, defaults={"given_by": by})
        if new:
            record(events.CONNECTION_GIVEN, connection, by, agent=agent)


def take_back(connection: Connection, agent: Agent, by: User) -> None:
    """The agent's next call is refused, unless the connection is given to all agents of the project."""
    with changes.announced():
        taken, _ = Given.objects.filter(connection=connection, agent=agent).delete()
        if taken:
            record(events.CONNECTION_TAKEN_BACK, connection, by, agent=agent)


def give_to_all(connection: Connection, by: User, *, on: bool) -> None:
    """Every agent of the project, also one registered later, may call it; or only those it was given to."""
    with changes.announced():
        if Connection.objects.filter(pk=connection.pk, given_to_all=not on).update(given_to_all=on):
            record(events.CONNECTION_GIVEN_TO_ALL if on else events.CONNECTION_TAKEN_FROM_ALL, connection, by)


def disable(connection: Connection, by: User) -> None:
    """The next call through it is refused. Disabling twice is no error."""
    with changes.announced():
        rows = Connection.objects.filter(pk=connection.pk, disabled_at=None)
        if rows.update(disabled_at=timezone.now(), disabled_by=by):
            record(events.CONNECTION_DISABLED, connection, by)


def enable(connection: Connection, by: User) -> None:
    with changes.announced():
        rows = Connection.objects.filter(pk=connection.pk).exclude(disabled_at=None)
        if rows.update(disabled_at=None, disabled_by=None):
            plan.soon(connection)
            record(events.CONNECTION_ENABLED, connection, by)


def delete(connection: Connection, by: User) -> None:
    """Destroys the connection and its values; the log keeps its rows."""
    with changes.announced():
        for method in methods():
            # Also one that the connection had formerly: what was given then may still stand.
            method.before_deletion(connection, by)
        record(events.CONNECTION_DELETED, connection, by, details={"host": host_of(connection)})
        connection.delete()


def record(event: Event, connection: Connection, by: User, **columns) -> None:
    log.record(event, log.Actor.of(by), project=connection.project, connection=connection, **columns)


def host_of(connection: Connection) -> str:
    return urlsplit(connection.endpoint).hostname or ""
