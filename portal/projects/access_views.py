"""Access control: who has which role here, what each role permits, and what one person may do."""

from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from portal.projects import check_access
from portal.projects.access import access_of, projects_of
from portal.projects.forms import PORTAL, gains
from portal.projects.models import RoleAssignment
from portal.projects.roles import NEW_NAMES, ROLE_IDS, Permission, Role
from portal.projects.scope import Scope
from portal.projects.tabs import frame
from portal.users import User

CHECKABLE_PROJECTS = 200


def role_assignments(request: HttpRequest, scope: Scope) -> HttpResponse:
    query = request.GET.get("q", "").strip()
    everyone = RoleAssignment.objects.reaching(scope.project).select_related("user", "project")
    shown = list(_matching(everyone, query).order_by("user__name", "user__email", "given_at"))
    context = frame(request, scope, "assignments") | {
        "query": query,
        "rows": [_row(request, scope, assignment) for assignment in shown],
        "people_count": len({assignment.user_id for assignment in shown}),
        "check": _check(request, scope),
    }
    return render(request, "projects/assignments.html", context)


def _matching(rows: QuerySet, query: str) -> QuerySet:
    if not query:
        return rows
    roles = [role for role in Role if query.casefold() in f"{role.label} {NEW_NAMES.get(role, '')}".casefold()]
    return rows.filter(Q(user__name__icontains=query) | Q(user__email__icontains=query) | Q(role__in=roles))


def _row(request: HttpRequest, scope: Scope, assignment: RoleAssignment) -> dict:
    inherited = assignment.project_id is None and scope.project is not None
    removable = not inherited and Role(assignment.role) in request.access.may_give()
    return {
        "assignment": assignment,
        "inherited": inherited,
        "ended": assignment.until is not None and assignment.until <= timezone.now(),
        "remove_url": scope.url("role-remove", assignment.id) if removable else "",
    }


def _check(request: HttpRequest, scope: Scope) -> dict:
    """The card's choices, and its answer when a person was chosen. Names only people who have a role here."""
    known = _people_here(scope)
    places = _places(request, scope)
    check = {"people": known, "places": places, "person": None, "on": next(iter(places))}
    if request.GET.get("person"):
        check["person"] = next((p for p in known if str(p.id) == request.GET["person"]), None)
        check["on"] = request.GET.get("on") or check["on"]
        if check["person"] is None or check["on"] not in places:
            raise Http404
        access = access_of(check["person"], places[check["on"]]["project"])
        check |= {"access": access, "lines": check_access.lines(access)}
    return check


def _people_here(scope: Scope) -> list[User]:
    """On the portal everybody; on a project only those whom it concerns."""
    rows = User.objects.order_by("name", "email")
    if scope.project:
        rows = rows.filter(role_assignments__in=RoleAssignment.objects.reaching(scope.project)).distinct()
    return list(rows)


def _places(request: HttpRequest, scope: Scope) -> dict[str, dict]:
    portal = {PORTAL: {"label": "The whole portal", "project": None}}
    if scope.project:
        here = {scope.project.name: {"label": f"Project {scope.project.name}", "project": scope.project}}
        return here | (portal if access_of(request.user, None).allows(Permission.ROLE_READ) else {})
    projects = projects_of(request.user)[:CHECKABLE_PROJECTS]
    return portal | {p.name: {"label": f"Project {p.name}", "project": p} for p in projects}


def roles(request: HttpRequest, scope: Scope) -> HttpResponse:
    held = set(request.access.roles)
    rows = [
        {
            "role": role,
            "new_name": NEW_NAMES.get(role, ""),
            "id": ROLE_IDS.get(role, ""),
            "gains": gains(role),
            "held": role in held,
        }
        for role in Role
    ]
    return render(request, "projects/roles.html", frame(request, scope, "roles") | {"rows": rows})
