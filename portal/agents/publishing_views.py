"""Publish an agent, and take that back. Each question says which identity every agent uses now and afterwards."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from portal.agents import identity_card, publishing
from portal.agents.models import Agent
from portal.agents.permission import agent_of
from portal.audit import changes
from portal.identities import making, roster, setting_up
from portal.identities.forms import ID_TAKEN, PublishForm
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission
from portal.users import User


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.AGENT_PUBLISH)
def publish(request: HttpRequest, project: Project, agent: str) -> HttpResponse:
    found = agent_of(project, agent)
    if found.is_published:
        return redirect("agent", project.name, found.name)
    form = PublishForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            _publish(found, form, request.user)
        except setting_up.IdTaken:
            form.add_error("client_id", ID_TAKEN)
        except setting_up.NoTenant:
            form.add_error(None, "Set the blueprint of the project first, or publish without IDs.")
        else:
            _tell(request, found)
            return redirect("agent", project.name, found.name)
    source = roster.source_of(project)
    card = identity_card.of(found)
    steps = making.of_agent_identity(source, card.own_name) if card.is_of_entra else []
    context = {"project": project, "agent": found, "card": card, "form": form, "steps": steps, "source": source}
    return render(request, "agents/publish.html", context, status=422 if form.is_bound else 200)


@require_POST
@requires(Permission.AGENT_PUBLISH)
def make_identity(request: HttpRequest, project: Project, agent: str) -> HttpResponse:
    found = agent_of(project, agent)
    # Whoever administers the tenant makes those of Entra.
    if not found.is_published and not identity_card.of(found).is_of_entra:
        own = publishing.make_own(found, request.user)
        messages.success(request, f"{own.name} is made. {found.name} acts as it once it is published.")
    return redirect(reverse("agent-publish", args=[project.name, found.name]) + "#assign")


def _publish(agent: Agent, form: PublishForm, by: User) -> None:
    """Ids and publishing together or not at all. The portal's own issuer knows the ids already."""
    with changes.announced():
        if form.has_ids and identity_card.of(agent).is_of_entra:
            setting_up.enter_ids(publishing.own_of(agent), **form.cleaned_data, by=by)
        publishing.publish(agent, by)


def _tell(request: HttpRequest, agent: Agent) -> None:
    own = publishing.identity_of(agent)
    if own.is_set_up:
        messages.success(request, f"{agent.name} is published. It acts as {own.name} from its next call on.")
    else:
        messages.warning(request, f"{agent.name} is published. It waits for its identity: enter the IDs of {own.name}.")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.AGENT_PUBLISH)
def take_back(request: HttpRequest, project: Project, agent: str) -> HttpResponse:
    found = agent_of(project, agent)
    if request.method == "POST":
        shared = publishing.unpublish(found, request.user)
        messages.success(request, f"{found.name} acts as {shared.name} again, from its next call on.")
        return redirect("agent", project.name, found.name)
    if not found.is_published:
        return redirect("agent", project.name, found.name)
    context = {"project": project, "agent": found, "card": identity_card.of(found)}
    return render(request, "agents/take_back.html", context)
