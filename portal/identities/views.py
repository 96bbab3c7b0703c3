"""A project's identities: the list, one identity, its ids, disabling it, checking it."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from portal.identities import checking, making, pages, roster, setting_up, uses
from portal.identities.forms import ID_TAKEN, CheckForm, IdsForm
from portal.identities.models import Audience, Identity, Source
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission

NO_TENANT = "Set the blueprint first: the identity belongs to its tenant."


@require_safe
@requires(Permission.AGENT_READ)
def identities(request: HttpRequest, project: Project) -> HttpResponse:
    rows = pages.rows_of(project)
    source = roster.source_of(project)
    context = {
        "project": project,
        "rows": rows,
        "source": source,
        "lacks_proof": not source.proof_value and not source.is_proved_by_host,
        "proof_ends": pages.proof_ends(source),
        "today": timezone.localdate(),
        "may_change": request.access.allows(Permission.IDENTITY_WRITE),
        **pages.audiences_context(project),
    }
    return render(request, "identities/list.html", context)


@require_safe
@requires(Permission.AGENT_READ)
def identity(request: HttpRequest, project: Project, identity: UUID) -> HttpResponse:
    return render(request, "identities/identity.html", around(request, find(project, identity)))


def find(project: Project, pk: UUID) -> Identity:
    return get_object_or_404(pages.identities(project), pk=pk)


def around(request: HttpRequest, found: Identity) -> dict:
    """What every page of one identity shows."""
    row = pages.row_of(found)
    return {
        "project": found.project,
        "identity": found,
        "row": row,
        "is_of_entra": found.source == Source.ENTRA,
        "is_allotted": found.kind == Identity.Kind.PROJECT and found.source == Source.ENTRA,
        "is_present": found.source == roster.source_of(found.project).kind,
        "portal_owners": pages.portal_owners(),
        "may_change": request.access.allows(Permission.IDENTITY_WRITE),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.IDENTITY_WRITE)
def set_up(request: HttpRequest, project: Project, identity: UUID) -> HttpResponse:
    found = find(project, identity)
    if found.source != Source.ENTRA or found.kind == Identity.Kind.PROJECT:
        return redirect("identity", project.name, found.id)
    form = IdsForm(request.POST or None, initial={"client_id": found.client_id, "principal_id": found.principal_id})
    if form.is_valid():
        try:
            setting_up.enter_ids(found, **form.cleaned_data, by=request.user)
        except setting_up.IdTaken:
            form.add_error("client_id", ID_TAKEN)
        except setting_up.NoTenant:
            form.add_error(None, NO_TENANT)
        else:
            messages.success(request, f"The IDs of {found.name} are saved. Check gets a token to see that they work.")
            return redirect("identity", project.name, found.id)
    source = roster.source_of(project)
    steps = making.of_agent_identity(source, found.name)
    context = around(request, found) | {"form": form, "source": source, "steps": steps}
    return render(request, "identities/set_up.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.IDENTITY_WRITE)
def disable(request: HttpRequest, project: Project, identity: UUID) -> HttpResponse:
    found = find(project, identity)
    if request.method == "POST":
        setting_up.disable(found, request.user)
        messages.success(request, f"{found.name} is disabled. No token of it is used any more.")
        return redirect("identity", project.name, found.id)
    context = {
        "title": f"Disable {found.name}?",
        "consequences": [
            who_is_hit(found, "gets an error until the identity is enabled again"),
            "Its IDs and roles stay. A token that an endpoint has already got works there until it ends.",
        ],
        "action_label": "Disable",
        "appearance": "destructive",
        "cancel_url": reverse("identity", args=[project.name, found.id]),
    }
    return render(request, "confirm.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.IDENTITY_WRITE)
def enable(request: HttpRequest, project: Project, identity: UUID) -> HttpResponse:
    found = find(project, identity)
    if request.method == "POST":
        setting_up.enable(found, request.user)
        messages.success(request, f"{found.name} is enabled. Calls carry its tokens again.")
        return redirect("identity", project.name, found.id)
    context = {
        "title": f"Enable {found.name}?",
        "consequences": [who_is_hit(found, "carries its tokens again")],
        "action_label": "Enable",
        "cancel_url": reverse("identity", args=[project.name, found.id]),
    }
    return render(request, "confirm.html", context)


def who_is_hit(identity: Identity, what: str) -> str:
    """ "The next call of support-bot through hr-agent gets an error." """
    through = [use.connection for use in uses.of_identity(identity)]
    if not through:
        return "No connection that an agent can call uses it."
    agents = [agent.name for agent in uses.agents_of(identity)]
    return f"The next call of {_listed(agents) or 'any agent'} through {_listed(through)} {what}."


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.IDENTITY_WRITE)
def check(request: HttpRequest, project: Project, identity: UUID) -> HttpResponse:
    found = find(project, identity)
    listed = list(Audience.objects.order_by("name"))
    form = CheckForm(request.POST or None, listed=listed)
    checked = checking.check(found, form.cleaned_data["audience"], request.user) if form.is_valid() else None
    context = around(request, find(project, identity)) | {"form": form, "checked": checked, "audiences": listed}
    if checked and checked.failure:
        context["reason"] = pages.explained(checked.failure)
    context |= pages.audiences_context(project)
    return render(request, "identities/check.html", context, status=422 if form.is_bound and not checked else 200)
