"""How a connection stands, in the few words of a list or a heading."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from uuid import UUID

from django.db.models import Prefetch
from django.utils import timezone

from connections.methods import methods
from connections.models import Connection, Health, Secret
from connections.trial import FORMER_VALUE, NEEDS_AGENT
from connections.troubleshooting import Entry, entry
from portal.audit.models import LastUse
from portal.projects.models import Project

WARNED_BEFORE = timedelta(days=14)
DISABLED, UNFINISHED = "disabled", "unfinished"
STATES = {**dict(Health.State.choices), UNFINISHED: "Not finished", DISABLED: "Disabled"}


@dataclass
class Standing:
    """One connection with what its health, its secrets and its use say."""

    connection: Connection
    last_used: object = None

    @cached_property
    def health(self) -> Health | None:
        return getattr(self.connection, "health", None)

    @cached_property
    def is_finished(self) -> bool:
        """False while nobody can use it, whatever its server answers."""
        slug = self.connection.auth_method
        return slug not in methods() or methods()[slug].is_finished(self.connection)

    @property
    def state(self) -> str:
        """What a probe found says little while nobody may or can use the connection."""
        if not self.connection.is_enabled:
            return DISABLED
        if not self.is_finished:
            return UNFINISHED
        return self.health.state if self.health else Health.State.NOT_CHECKED

    @property
    def label(self) -> str:
        return STATES[self.state]

    @property
    def tone(self) -> str:
        """What its badge looks like: healthy on a former value ends by itself."""
        return "warning" if self.lives_until else self.state

    @cached_property
    def lives_until(self) -> datetime | None:
        """When a former value ends that the endpoint accepts instead of the new one."""
        if self.state != Health.State.HEALTHY or self.health.reason != FORMER_VALUE:
            return None
        return min((one.former_until for one in self.connection.secrets.all() if one.has_former), default=None)

    @property
    def is_failing(self) -> bool:
        return self.state == Health.State.FAILING

    @property
    def problem(self) -> Entry | None:
        """What the last test met, also where the endpoint still counts as healthy."""
        return entry(self.health.reason) if self.health and self.health.reason else None

    @property
    def seen_without_credential(self) -> bool:
        """Healthy is then the server and its card: the credential belongs to agents or users."""
        if not self.connection.is_enabled or self.health is None:
            return False
        return self.health.state == Health.State.HEALTHY and self.health.reason == NEEDS_AGENT

    @property
    def method(self) -> str:
        slug = self.connection.auth_method
        return methods()[slug].label if slug in methods() else f"{slug} (not installed)"

    @property
    def target(self) -> str:
        return self.connection.endpoint.removeprefix("https://")

    @cached_property
    def expiring(self) -> Secret | None:
        """The secret that expires first, if within 14 days."""
        until = timezone.localdate() + WARNED_BEFORE
        due = [s for s in self.connection.secrets.all() if s.is_set and s.expires_on and s.expires_on <= until]
        return min(due, key=lambda secret: secret.expires_on, default=None)

    @cached_property
    def oldest(self) -> Secret | None:
        """The secret that was replaced the longest ago, if that is long."""
        return min(filter(lambda s: s.is_old, self.connection.secrets.all()), key=lambda s: s.set_at, default=None)

    @property
    def was_changed(self) -> bool:
        """Since it was made; the two moments of a new row lie microseconds apart."""
        return self.connection.changed_at - self.connection.created_at > timedelta(seconds=1)

    @property
    def lacks_value(self) -> bool:
        return any(not secret.is_set for secret in self.connection.secrets.all())

    @property
    def expired(self) -> bool:
        return self.expiring is not None and has_expired(self.expiring.expires_on)


def has_expired(day: date) -> bool:
    return day < timezone.localdate()


def standing_of(connection: Connection) -> Standing:
    return _with_use([connection])[0]


def standings(project: Project) -> list[Standing]:
    """All connections of a project, by name."""
    secrets = Prefetch("secrets", Secret.objects.select_related("set_by"))
    rows = project.connections.select_related("health", "project").prefetch_related(secrets)
    return _with_use(sorted(rows, key=lambda connection: connection.name.casefold()))


def _with_use(connections: list[Connection]) -> list[Standing]:
    ids: list[UUID] = [connection.id for connection in connections]
    used = dict(LastUse.objects.filter(subject__in=ids).values_list("subject", "at"))
    return [Standing(connection, used.get(connection.id)) for connection in connections]
