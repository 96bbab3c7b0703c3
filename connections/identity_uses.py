"""Which connections act as an identity, told to the storey below. See `portal.identities.uses`."""

from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID

from django.urls import reverse

from connections.methods import method_of, methods
from connections.models import Connection
from portal.identities.uses import Use
from portal.projects.models import Project


def of_project(project: Project) -> Sequence[Use]:
    everybody = frozenset(project.agents.values_list("id", flat=True))
    return [_use(connection, everybody) for connection in _acting().filter(project=project)]


def of_audience(audience: str) -> Sequence[Use]:
    return [_use(connection, frozenset()) for connection in _acting().filter(settings__audience=audience)]


def _acting():
    """Connections of methods that speak as an identity, by project and name."""
    slugs = [method.slug for method in methods() if method.acts_as_agent or method.acts_as_project]
    rows = Connection.objects.filter(auth_method__in=slugs).select_related("project").prefetch_related("given")
    return rows.order_by("project__name", "name")


def _use(connection: Connection, everybody: frozenset[UUID]) -> Use:
    given = frozenset(row.agent_id for row in connection.given.all())
    return Use(
        connection.name,
        connection.project.name,
        reverse("connection", args=[connection.project.name, connection.name]),
        _host_and_port(connection),
        connection.settings.get("audience", ""),
        method_of(connection).acts_as_agent,
        everybody if connection.given_to_all else given,
        connection.addresses(),
    )


def _host_and_port(connection: Connection) -> str:
    return urlsplit(connection.endpoint).netloc.rpartition("@")[2]
