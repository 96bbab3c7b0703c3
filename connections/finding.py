"""Connections in the search of the banner."""

from uuid import UUID

from django.urls import reverse

from connections.models import Connection
from portal.projects.roles import Permission
from portal.search.found import MOST, Found, projects_with
from portal.users import User


def connections(user: User, words: str) -> list[Found]:
    rows = Connection.objects.filter(
        project__in=projects_with(user, Permission.CONNECTION_READ), name__icontains=words
    ).select_related("project")
    return [
        Found(
            "Connection",
            row.name,
            reverse("connection", args=[row.project.name, row.name]),
            row.project.name,
            row.display_name,
        )
        for row in rows.order_by("name")[:MOST]
    ]


def page_of(user: User, connection: UUID) -> str:
    """The address of a connection's page, for whoever may open it."""
    row = Connection.objects.filter(id=connection, project__in=projects_with(user, Permission.CONNECTION_READ))
    found = row.select_related("project").first()
    return reverse("connection", args=[found.project.name, found.name]) if found else ""
