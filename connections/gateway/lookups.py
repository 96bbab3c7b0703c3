"""Who calls, through what, for whom. The lookup is the permission check: it only finds what this caller may use.

Synchronous, run in the gateway's threads and kept fresh by `freshness`. What ends by the clock (a key, a role, a
permission to speak) carries its end, because no change announces it.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone

from connections.models import Connection
from portal.agents.models import Agent, AgentKey, SpeakingPermission
from portal.projects.models import RoleAssignment
from portal.projects.roles import PERMISSIONS, Permission, Role
from portal.users import User


def key_by_prefix(prefix: str) -> AgentKey | None:
    """The key's row with its agent and project; whether it still counts is checked at every call."""
    return AgentKey.objects.select_related("agent__project").filter(prefix=prefix).first()


def connection_for(agent: Agent, project: str, name: str) -> Connection | None:
    """The connection if the agent's own project has it and it was given to the agent; names match exactly."""
    if agent.project.name != project:
        return None
    given = Q(given_to_all=True) | Q(given__agent=agent)
    found = agent.project.connections.filter(given, name=name)
    return found.select_related("project").prefetch_related("secrets__connection").distinct().first()


@dataclass(frozen=True)
class Spoken:
    """For whom an agent may speak when it names somebody: the user, until when (None: no end), and else why not."""

    user: User | None
    refusal: str
    until: datetime | None = None

    def checked(self) -> "Spoken":
        return Spoken(None, self.refusal) if self.until and self.until <= timezone.now() else self


def spoken_for(agent: Agent, identity: str) -> Spoken:
    """`identity` is a verified e-mail address (any case) or a user id.

    An unknown person, one whom the agent may not speak for, and one without a role that may interact with agents get
    the same refusal.
    """
    permission = _permission_of(agent)
    if permission is None or not permission.is_current:
        return Spoken(None, "may_not_speak")
    user = _person(identity)
    ends = _interacting_until(user, agent) if user and _is_for(permission, user) else []
    if not ends:
        return Spoken(None, "user_unknown")
    role_end = None if None in ends else max(ends)
    if permission.until and (role_end is None or permission.until < role_end):
        return Spoken(user, "may_not_speak", permission.until)
    return Spoken(user, "user_unknown", role_end)


def _permission_of(agent: Agent) -> SpeakingPermission | None:
    """The playground has a key that nobody knows: only the portal calls with it, for the person who is signed in."""
    if agent.is_playground:
        return SpeakingPermission(agent=agent, everyone=True)
    return SpeakingPermission.objects.filter(agent=agent).first()


def _is_for(permission: SpeakingPermission, user: User) -> bool:
    return permission.everyone or permission.people.filter(pk=user.pk).exists()


def _person(identity: str) -> User | None:
    people = User.objects.filter(is_active=True)
    try:
        return people.filter(pk=UUID(identity)).first()
    except (ValueError, ValidationError):
        return people.filter(email=identity.strip().casefold()).first()


def _interacting_until(user: User, agent: Agent) -> list[datetime | None]:
    """When each role that lets this person interact with the project's agents ends."""
    able = [role for role in Role if Permission.AGENT_INTERACT in PERMISSIONS[role]]
    rows = RoleAssignment.objects.current().reaching(agent.project).filter(user=user, role__in=able)
    return list(rows.values_list("until", flat=True))
