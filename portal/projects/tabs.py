"""What the tabs of access control have in common."""

from django.http import HttpRequest

from portal.projects.invitations import open_invitations
from portal.projects.models import RoleAssignment
from portal.projects.scope import Scope
from portal.users import User


def frame(request: HttpRequest, scope: Scope, tab: str) -> dict:
    """What every tab of access control shows."""
    rows = RoleAssignment.objects.reaching(scope.project)
    tabs = [
        ("assignments", "Role assignments", scope.url("access-control"), rows.count()),
        ("roles", "Roles", scope.url("access-control-roles"), None),
        ("invitations", "Invitations", scope.url("invitations"), open_invitations(scope.project).count()),
    ]
    if scope.project is None:
        tabs.append(("people", "People", scope.url("people"), User.objects.count()))
    return {
        "scope": scope,
        "tabs": [{"label": label, "url": url, "count": n, "current": key == tab} for key, label, url, n in tabs],
        "may_give": bool(request.access.may_give()),
        "give_url": scope.url("role-give"),
        "invite_url": scope.url("invitation-new"),
    }
