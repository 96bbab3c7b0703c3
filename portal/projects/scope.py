"""A page of access control exists twice: for one project, and for the whole portal. `Scope` is where it stands."""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest
from django.urls import URLPattern, path, reverse

from portal.projects.access import requires
from portal.projects.models import Invitation, Project, RoleAssignment
from portal.projects.roles import Permission

PROJECT_PREFIX, PORTAL_PREFIX = "projects/<str:project>/access-control/", "access-control/"


@dataclass(frozen=True)
class Scope:
    project: Project | None

    def __str__(self) -> str:
        return self.project.name if self.project else "the whole portal"

    def url(self, name: str, *args) -> str:
        return reverse(name, args=[self.project.name, *args]) if self.project else reverse(f"portal-{name}", args=args)

    @property
    def assignments(self):
        """Those that can be removed here."""
        return RoleAssignment.objects.filter(project=self.project).select_related("user", "project")

    @property
    def invitations(self):
        return Invitation.objects.filter(project=self.project)


def in_both_scopes(
    route: str, view: Callable, name: str, permission: Permission, to_change: Permission | None = None
) -> list[URLPattern]:
    """The two addresses of a page; the view gets (request, scope, …)."""

    def on_project(request: HttpRequest, project: Project, **kwargs):
        return view(request, Scope(project), **kwargs)

    def on_portal(request: HttpRequest, **kwargs):
        return view(request, Scope(None), **kwargs)

    declared = {"to_change": to_change}
    return [
        path(PROJECT_PREFIX + route, requires(permission, **declared)(on_project), name=name),
        path(PORTAL_PREFIX + route, requires(permission, on_portal=True, **declared)(on_portal), name=f"portal-{name}"),
    ]
