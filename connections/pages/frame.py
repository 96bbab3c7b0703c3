"""What every page of one connection shows around its own content."""

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from connections.methods import method_of, methods
from connections.models import Connection
from connections.standing import Standing, standing_of
from portal.projects.models import Project
from portal.projects.roles import Permission


def find(project: Project, name: str) -> Connection:
    """Only inside the project that the address names."""
    return get_object_or_404(project.connections.select_related("project", "health", "created_by"), name=name)


def around(request: HttpRequest, connection: Connection, tab: str = "") -> dict:
    standing: Standing = standing_of(connection)
    method = method_of(connection) if connection.auth_method in methods() else None
    return {
        "project": connection.project,
        "connection": connection,
        "standing": standing,
        "tab": tab,
        "takes_secrets": method is not None and bool(method.secret_fields_with(connection.settings)),
        "method_tabs": [tab for tab in method.tabs(connection) if request.access.allows(tab.permission)]
        if method
        else (),
        "finished": standing.is_finished,
        "given_count": connection.given.count(),
        "may_write": request.access.allows(Permission.CONNECTION_WRITE),
        "may_interact": request.access.allows(Permission.AGENT_INTERACT),
        "may_delete": request.access.allows(Permission.CONNECTION_DELETE),
        "may_see_agents": request.access.allows(Permission.AGENT_READ),
    }
