"""Who may do what here. `@requires` on a view is the permission check and the lookup of the project in one.

A view without a declaration does not answer (DefaultDenyMiddleware). A stranger to a project gets 404; a member
without the permission gets a page that names the role that would do and who can give it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from uuid import UUID

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest
from django.utils import timezone

from portal.projects.models import Project, RoleAssignment
from portal.projects.roles import GIVES, PERMISSIONS, Permission, Role
from portal.users import User

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class NeedsRole(PermissionDenied):
    """The person is known here but lacks a permission; `portal.errors` renders the page."""

    def __init__(self, permission: Permission, project: Project | None) -> None:
        super().__init__(permission.label)
        self.permission, self.project = permission, project


@dataclass(frozen=True)
class Access:
    """What one person may do on one project (or, project None, on the portal), and through which assignments."""

    user: User
    project: Project | None
    assignments: tuple[RoleAssignment, ...]

    @property
    def roles(self) -> list[Role]:
        now = timezone.now()
        return [Role(a.role) for a in self.assignments if a.until is None or a.until > now]

    def allows(self, permission: Permission) -> bool:
        return any(permission in PERMISSIONS[role] for role in self.roles)

    def why(self, permission: Permission) -> list[RoleAssignment]:
        """The assignments that give it."""
        return [a for a in self.assignments if permission in PERMISSIONS[Role(a.role)]]

    def require(self, permission: Permission) -> None:
        if not self.allows(permission):
            raise NeedsRole(permission, self.project)

    def may_give(self) -> frozenset[Role]:
        """The roles that this person may give and remove here. Nobody gives more than these (T12)."""
        return frozenset().union(*(GIVES.get(role, frozenset()) for role in self.roles))


def access_of(user: User, project: Project | None) -> Access:
    rows = RoleAssignment.objects.none()
    if user.is_active:
        rows = RoleAssignment.objects.current().reaching(project).filter(user=user)
    return Access(user, project, tuple(rows.select_related("project", "given_by").order_by("given_at")))


def allows(user_id: UUID, project_id: UUID, permission: Permission) -> bool:
    """The same decision for a person named by a call: False for an unknown, inactive or roleless one."""
    roles = (
        RoleAssignment.objects.current()
        .filter(Q(project=None) | Q(project_id=project_id), user_id=user_id, user__is_active=True)
        .values_list("role", flat=True)
    )
    return any(permission in PERMISSIONS[Role(role)] for role in roles)


def people_with(permission: Permission, project: Project) -> list[User]:
    """Whoever may do it on the project now, by name."""
    roles = [role for role in Role if permission in PERMISSIONS[role]]
    rows = RoleAssignment.objects.current().reaching(project).filter(role__in=roles)
    return list(User.objects.filter(is_active=True, role_assignments__in=rows).distinct().order_by("name"))


def projects_of(user: User):
    """The projects this person has any role in, by name."""
    mine = RoleAssignment.objects.current().filter(user=user)
    if mine.filter(project=None).exists():
        return Project.objects.order_by("name")
    return Project.objects.filter(role_assignments__in=mine).distinct().order_by("name")


def requires(permission: Permission, *, to_change: Permission | None = None, on_portal: bool = False) -> Callable:
    """Declares a view that needs a permission on the project named in its URL, or on the portal.

    The view receives the Project in place of its name, and `request.access`. `to_change` is needed as well for
    everything but reading the page.
    """

    def declare(view: Callable) -> Callable:
        @wraps(view)
        def guarded(request: HttpRequest, *args, **kwargs):
            if not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            project = None if on_portal else _project_or_404(kwargs.pop("project"))
            request.access = access_of(request.user, project)
            if not request.access.assignments and not on_portal:
                raise Http404
            request.access.require(permission)
            if to_change and request.method not in SAFE_METHODS:
                request.access.require(to_change)
            return view(request, *args, **kwargs) if on_portal else view(request, project, *args, **kwargs)

        guarded.declares = permission
        guarded.to_change = to_change
        guarded.on_portal = on_portal
        return guarded

    return declare


def signed_in(view: Callable) -> Callable:
    """Declares a view for everybody who is signed in; it shows only what is the person's own."""

    @wraps(view)
    def guarded(request: HttpRequest, *args, **kwargs):
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        return view(request, *args, **kwargs)

    guarded.declares = "signed in"
    return guarded


def public(view: Callable) -> Callable:
    """Declares a view that answers everybody."""
    view.declares = "public"
    return view


def _project_or_404(name: str) -> Project:
    # Exactly, although names are unique ignoring case: one project has one address.
    try:
        return Project.objects.get(name=name)
    except Project.DoesNotExist:
        raise Http404 from None
