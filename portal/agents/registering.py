"""What a person does with an agent: register, describe, disable, enable, delete. Each act is logged with its change."""

from django.db import IntegrityError
from django.utils import timezone

from portal.agents.models import Agent
from portal.agents.panels import panels
from portal.audit import changes, events, log
from portal.projects.models import Project
from portal.users import User


class NameTaken(Exception):
    """Another agent of the project has this name, ignoring case."""


def register(project: Project, name: str, by: User, *, display_name: str = "", description: str = "") -> Agent:
    """A new agent has no key and no connection. Raises NameTaken."""
    agent = Agent(project=project, name=name, display_name=display_name, description=description, registered_by=by)
    try:
        with changes.announced():
            agent.save(force_insert=True)
            _log(events.AGENT_REGISTERED, agent, by)
    except IntegrityError as error:
        raise NameTaken(name) from error
    return agent


def describe(agent: Agent, by: User, *, display_name: str, description: str) -> None:
    """The name itself never changes: calls, snippets and log rows carry it."""
    changed = [
        field
        for field, value in (("display_name", display_name), ("description", description))
        if getattr(agent, field) != value
    ]
    if not changed:
        return
    with changes.announced():
        agent.display_name, agent.description = display_name, description
        agent.save(update_fields=changed)
        _log(events.AGENT_CHANGED, agent, by, changed=changed)


def disable(agent: Agent, by: User) -> None:
    """Its next call is refused. Keys and connections stay as they are; disabling twice is no error."""
    with changes.announced():
        if Agent.objects.filter(pk=agent.pk, disabled_at=None).update(disabled_at=timezone.now(), disabled_by=by):
            _log(events.AGENT_DISABLED, agent, by)


def enable(agent: Agent, by: User) -> None:
    with changes.announced():
        disabled = Agent.objects.filter(pk=agent.pk, disabled_at__isnull=False)
        if disabled.update(disabled_at=None, disabled_by=None):
            _log(events.AGENT_ENABLED, agent, by)


def delete(agent: Agent, by: User) -> None:
    """Its keys stop at once and can't be made again; its rows in the log stay."""
    with changes.announced():
        for panel in panels():
            panel.before_deletion(agent, by)
        _log(events.AGENT_DELETED, agent, by)
        agent.delete()


def _log(event: events.Event, agent: Agent, by: User, **details) -> None:
    log.record(event, log.Actor.of(by), project=agent.project, agent=agent, details=details)
