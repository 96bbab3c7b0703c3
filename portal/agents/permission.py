"""Who may change an agent: whoever registered it, and those who manage everybody's."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from portal.agents.models import Agent
from portal.projects.access import Access, NeedsRole, requires
from portal.projects.models import Project
from portal.projects.roles import Permission


def may_change(access: Access, agent: Agent) -> bool:
    own = access.allows(Permission.AGENT_WRITE) and agent.belongs_to(access.user)
    return own or access.allows(Permission.AGENT_MANAGE)


def agent_of(project: Project, name: str) -> Agent:
    """The lookup inside the project is what keeps other projects' agents out of reach (T04)."""
    agents = project.agents.select_related("project", "registered_by", "disabled_by")
    return get_object_or_404(agents, name=name)


def changes_agent(view: Callable) -> Callable:
    """Declares a view that changes an agent; it receives the Agent in place of its name."""

    @requires(Permission.AGENT_READ)
    @wraps(view)
    def guarded(request: HttpRequest, project: Project, agent: str, **kwargs):
        found = agent_of(project, agent)
        if not may_change(request.access, found):
            lacks = Permission.AGENT_WRITE if found.belongs_to(request.user) else Permission.AGENT_MANAGE
            raise NeedsRole(lacks, project)
        return view(request, project, found, **kwargs)

    guarded.unless_own = Permission.AGENT_MANAGE
    return guarded
