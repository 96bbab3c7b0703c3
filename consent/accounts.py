"""One person's own consents: what they gave, what they blocked, and what they could connect."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from connections import calls
from connections.methods import methods
from connections.models import Connection
from connections.troubleshooting import Entry, entry
from consent import giving, grants, timing
from consent.method import OAuthIdentityPassthrough
from consent.models import Block, Cancellation, Grant
from consent.terms import Terms
from portal.agents.models import Agent
from portal.projects.access import access_of, projects_of
from portal.projects.models import Project
from portal.projects.roles import Permission
from portal.users import User

SLUG = OAuthIdentityPassthrough.slug
State = Cancellation.State
LATELY, MOST_ENDED = timedelta(days=14), 20


@dataclass(frozen=True)
class Account:
    """A grant that stands or needs consent again, with what its rows alone don't say."""

    grant: Grant
    last_used: datetime | None

    @property
    def terms(self) -> Terms:
        return self.grant.asked

    @property
    def scopes(self) -> list[str]:
        """In words, as they were given."""
        return [self.terms.scope_words.get(name, name) for name in self.grant.scopes_given]

    @property
    def withheld(self) -> list[str]:
        """Asked for and not given."""
        given = self.grant.scopes_given
        return [self.terms.scope_words.get(name, name) for name in self.terms.scopes if name not in given]

    @property
    def needs_consent(self) -> bool:
        return self.grant.state == Grant.State.NEEDS_CONSENT

    @property
    def why(self) -> Entry | None:
        return entry(self.grant.reason) if self.grant.reason else None

    @property
    def renews_itself(self) -> bool:
        return bool(self.grant.refresh_token)

    @property
    def ends_at(self) -> datetime | None:
        return timing.known_end(self.grant) if self.ends_soon else grants.ends(self.grant)

    @property
    def notes(self) -> list[Entry]:
        """What was to be said of the account when it was connected."""
        return [entry(code) for code in self.grant.account_notes] if self.grant.state != Grant.State.REVOKED else []

    @property
    def ends_soon(self) -> bool:
        """Whether the person should renew it, lest the agent fail at one of its next calls."""
        return not self.needs_consent and timing.ends_soon(self.grant)

    @property
    def refresh_problem(self) -> Entry | None:
        return entry(self.grant.refresh_error) if self.grant.refresh_error else None


@dataclass(frozen=True)
class Ended:
    """Access that was ended here, and how far its provider is told."""

    row: Cancellation

    @property
    def host(self) -> str:
        return self.row.asked.sign_in_host

    @property
    def label(self) -> str:
        return {State.WAITING: "Being told", State.CONFIRMED: "Confirmed"}.get(self.row.state, "Not confirmed")

    @property
    def badge(self) -> str:
        return {State.WAITING: "in_progress", State.CONFIRMED: "succeeded"}.get(self.row.state, "failed")

    @property
    def sentence(self) -> str:
        if self.row.state == State.WAITING:
            return f"{self.host} is told to cancel it{', again and again' if self.row.tries > 1 else ''}."
        if self.row.state == State.CONFIRMED:
            return f"{self.host} confirmed that it is cancelled."
        return f"{self.host} did not confirm that it is cancelled. Take it back in the account there as well."


@dataclass(frozen=True)
class Connectable:
    """An agent and a connection of one of the person's projects that they have not connected."""

    agent: Agent
    connection: Connection
    may_speak: bool

    @property
    def terms(self) -> Terms:
        return Terms.now(self.connection)


def accounts_of(person: User) -> list[Account]:
    rows = Grant.objects.filter(user=person).exclude(state=Grant.State.REVOKED)
    rows = rows.select_related("connection__project", "agent__registered_by", "user").order_by(
        "agent__name", "given_at"
    )
    used = calls.last_for(person)
    return [Account(grant, used.get((grant.agent_id, grant.connection_id))) for grant in rows]


def ended_of(person: User) -> list[Ended]:
    """Lately, newest first."""
    rows = Cancellation.objects.filter(user_id=person.id, begun_at__gt=timezone.now() - LATELY)
    return [Ended(row) for row in rows.order_by("-begun_at")[:MOST_ENDED]]


def ended_through(connection: Connection) -> list[Ended]:
    rows = Cancellation.objects.filter(connection_id=connection.id, begun_at__gt=timezone.now() - LATELY)
    return [Ended(row) for row in rows.order_by("-begun_at")[:MOST_ENDED]]


def blocks_of(person: User) -> list[Block]:
    return list(Block.objects.filter(user=person).select_related("agent__project", "agent__registered_by"))


def connectable_by(person: User) -> tuple[list[Connectable], list[Project]]:
    """What the person can connect now, and the projects in which they could with another role."""
    if SLUG not in methods():
        return [], []
    taken = set(
        Grant.objects.filter(user=person).exclude(state=Grant.State.REVOKED).values_list("connection_id", "agent_id")
    )
    blocked = set(Block.objects.filter(user=person).values_list("agent_id", flat=True))
    found, without_role = [], []
    for project in projects_of(person):
        rows = _open_in(project, person, taken, blocked)
        if rows and not access_of(person, project).allows(Permission.AGENT_INTERACT):
            without_role.append(project)
        else:
            found += rows
    return found, without_role


def _open_in(project: Project, person: User, taken: set, blocked: set) -> list[Connectable]:
    connections = project.connections.filter(auth_method=SLUG, disabled_at=None).select_related("project")
    return [
        Connectable(agent, connection, bool(giving.spoken_for(agent, {person})))
        for connection in connections.order_by("name")
        if methods()[SLUG].is_finished(connection)
        for agent in giving.agents_of(connection)
        if (connection.id, agent.id) not in taken and agent.id not in blocked
    ]
