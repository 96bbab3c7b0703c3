"""Home, and a project's own pages."""

from datetime import timedelta

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils import timezone

from portal.navigation import PAGES
from portal.projects import founding
from portal.projects.access import Access, access_of, projects_of, requires, signed_in
from portal.projects.assignments import lasting_owners
from portal.projects.forms import ProjectForm, ProjectSettingsForm
from portal.projects.invitations import open_invitations
from portal.projects.models import Project, RoleAssignment
from portal.projects.roles import Permission
from portal.projects.waiting import waiting

SOON = timedelta(days=14)


@signed_in
def home(request: HttpRequest) -> HttpResponse:
    on_portal = access_of(request.user, None)
    rows = [_row(access) for access in _accesses(request.user, on_portal)]
    context = {
        "rows": rows,
        "may_create": on_portal.allows(Permission.PROJECT_WRITE),
        "owners": lasting_owners().select_related("user").order_by("user__name")[:5] if not rows else [],
    }
    return render(request, "home.html", context)


def _accesses(user, on_portal: Access) -> list[Access]:
    """One Access per project, from one query."""
    own: dict = {}
    for row in RoleAssignment.objects.current().filter(user=user).exclude(project=None).order_by("given_at"):
        own.setdefault(row.project_id, []).append(row)
    return [Access(user, p, (*on_portal.assignments, *own.get(p.id, ()))) for p in projects_of(user)]


def _row(access: Access) -> dict:
    soon = timezone.now() + SOON
    return {
        "project": access.project,
        "url": reverse("project", args=[access.project.name]),
        "roles": dict.fromkeys(role.label for role in access.roles),
        "ending": [a for a in access.assignments if a.until and a.until < soon],
        "waiting": list(waiting(access.user, access.project)),
        "invitations": open_invitations(access.project).count() if access.allows(Permission.ROLE_WRITE) else 0,
    }


@requires(Permission.PROJECT_WRITE, on_portal=True)
def create_project(request: HttpRequest) -> HttpResponse:
    form = ProjectForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            project = founding.create(by=request.user, **form.cleaned_data)
        except founding.NameTaken:
            form.add_error("name", "This name was taken a moment ago. Choose another one.")
        else:
            messages.success(request, f"{project.name} was created. Connect a tool, or give people a role in it.")
            return redirect("project", project=project.name)
    return render(request, "projects/create.html", {"form": form}, status=422 if form.is_bound else 200)


@requires(Permission.PROJECT_READ)
def project(request: HttpRequest, project: Project) -> HttpResponse:
    """Leads to the first page of the project that this person may open."""
    for page in PAGES:
        if page.section != "Home" and (page.permission is None or request.access.allows(page.permission)):
            try:
                return redirect(page.route, project.name)
            except NoReverseMatch:
                continue
    return redirect("home")


@requires(Permission.PROJECT_READ, to_change=Permission.PROJECT_WRITE)
def project_settings(request: HttpRequest, project: Project) -> HttpResponse:
    now = {"display_name": project.display_name, "description": project.description}
    form = ProjectSettingsForm(request.POST or None, initial=now)
    if request.method == "POST" and form.is_valid():
        founding.change(project, request.user, **form.cleaned_data)
        messages.success(request, "The settings were saved.")
        return redirect("project-settings", project.name)
    context = {
        "project": project,
        "form": form,
        "may_change": request.access.allows(Permission.PROJECT_WRITE),
        "mine": request.access.assignments,
    }
    return render(request, "projects/settings.html", context, status=422 if form.is_bound else 200)
