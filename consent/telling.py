"""Telling the owner of an agent that somebody did not ask for what it wanted."""

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string

from consent.models import ConsentRequest
from portal.agents.models import Agent
from portal.audit.readable import readable
from portal.projects.models import Project, RoleAssignment
from portal.projects.roles import Role
from portal.users import User


def owners_of(project: Project) -> list[User]:
    """Whoever is Owner of it now, of the project alone or of the whole portal."""
    roles = RoleAssignment.objects.current().reaching(project).filter(role=Role.OWNER)
    return list(User.objects.filter(is_active=True, role_assignments__in=roles).distinct().order_by("name"))


def who_is_told(agent: Agent) -> str:
    owner = agent.registered_by
    return str(owner) if owner and owner.is_active else f"the owners of {agent.project.name}"


def was_told(agent: Agent) -> str:
    """As a sentence: by mail where this portal sends mail, else on the connection's page and in the log."""
    who = who_is_told(agent)
    who = who[:1].upper() + who[1:]
    are, see = ("are", "see") if who.startswith("The owners") else ("is", "sees")
    return f"{who} {are} told by mail." if settings.EMAIL_HOST else f"{who} {see} it on the connection's page."


def to_owner(asking: ConsentRequest) -> EmailMessage:
    """What the agent's owner gets; the connection's page and the log say it as well."""
    owner = asking.agent.registered_by
    to = [owner] if owner and owner.is_active else owners_of(asking.agent.project)
    text = render_to_string("consent/not_asked.txt", {"asking": asking, "url": settings.PUBLIC_URL})
    subject = readable(f"{asking.user} blocked {asking.agent.name}")
    return EmailMessage(subject, text, to=[person.email for person in to])
