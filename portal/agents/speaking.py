"""An owner lets an agent say for which user it calls, and takes that back."""

from collections.abc import Sequence
from datetime import datetime

from django.utils import timezone

from portal.agents.models import Agent, SpeakingPermission
from portal.audit import changes, events, log
from portal.projects.models import Project, RoleAssignment
from portal.projects.roles import PERMISSIONS, Permission, Role
from portal.users import User

INTERACTING = [role for role in Role if Permission.AGENT_INTERACT in PERMISSIONS[role]]


def people_of(project: Project):
    """Those whom an agent may speak for at all: active, with a role here that may interact with agents."""
    roles = RoleAssignment.objects.current().reaching(project).filter(role__in=INTERACTING)
    return User.objects.filter(is_active=True, role_assignments__in=roles).distinct().order_by("name", "email")


def allow(agent: Agent, by: User, *, people: Sequence[User] | None, until: datetime | None) -> None:
    """Replaces what was allowed before. `people` None means everyone in the project, whoever that is at a call."""
    with changes.announced():
        given = {"everyone": people is None, "until": until, "allowed_by": by, "allowed_at": timezone.now()}
        permission, _ = SpeakingPermission.objects.update_or_create(agent=agent, defaults=given)
        permission.people.set(people or [])
        _log(events.SPEAKING_ALLOWED, agent, by, {"for": _names(people), "until": until or "withdrawn"})


def withdraw(agent: Agent, by: User) -> None:
    """Its next call that names a user is refused. Withdrawing what is not there is no error."""
    with changes.announced():
        deleted, _ = SpeakingPermission.objects.filter(agent=agent).delete()
        if deleted:
            _log(events.SPEAKING_WITHDRAWN, agent, by, {})


def _names(people: Sequence[User] | None) -> str | list[str]:
    return "everyone in the project" if people is None else sorted(person.email for person in people)


def _log(event: events.Event, agent: Agent, by: User, details: dict) -> None:
    log.record(event, log.Actor.of(by), project=agent.project, agent=agent, details=details)
