"""An agent's keys: made, shown once, listed, revoked; only by whoever may change the agent."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from portal.agents import keys
from portal.agents.forms import KeyForm
from portal.agents.models import Agent
from portal.agents.permission import agent_of, changes_agent
from portal.agents.views import page_context
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission

TOO_MANY = "Two keys are live. Revoke one first."


@require_safe
@requires(Permission.AGENT_READ)
def agent_keys(request: HttpRequest, project: Project, agent: str) -> HttpResponse:
    return render(request, "agents/keys.html", page_context(request, agent_of(project, agent)) | {"tab": "keys"})


@require_http_methods(["GET", "HEAD", "POST"])
@changes_agent
def make_key(request: HttpRequest, project: Project, agent: Agent) -> HttpResponse:
    _not_of_playground(agent)
    form = KeyForm(request.POST or None, agent=agent)
    if form.is_valid():
        try:
            row, key = keys.make(agent, form.cleaned_data["name"], request.user, form.expires_at)
        except keys.TooManyKeys:
            form.add_error(None, TOO_MANY)
        else:
            return _show_once(request, agent, row, key)
    context = page_context(request, agent) | {"form": form, "too_many": TOO_MANY}
    return render(request, "agents/make_key.html", context, status=422 if form.is_bound else 200)


def _not_of_playground(agent: Agent) -> None:
    """The portal calls with its key, and nobody else ever has one."""
    if agent.is_playground:
        raise Http404


def _show_once(request: HttpRequest, agent: Agent, row, key: str) -> HttpResponse:
    # The POST's own answer, so that the key is in no session, link or cache. A reload sends the form again, and
    # the name is taken by then: no second key comes of it.
    context = {"project": agent.project, "agent": agent, "row": row, "key": key}
    response = render(request, "agents/key_made.html", context)
    response["Cache-Control"] = "no-store, private"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@changes_agent
def revoke_key(request: HttpRequest, project: Project, agent: Agent, key: UUID) -> HttpResponse:
    _not_of_playground(agent)
    row = get_object_or_404(agent.keys.select_related("agent__project"), pk=key)
    if request.method == "POST":
        keys.revoke(row, request.user)
        messages.success(request, f"The key {row.name} is revoked. Calls with it are refused.")
        return redirect("agent", project.name, agent.name)
    context = {
        "title": f"Revoke the key {row.name}?",
        "consequences": [_what_revoking_stops(agent, row), "A revoked key can't be restored."],
        "action_label": "Revoke",
        "appearance": "destructive",
        "cancel_url": reverse("agent", args=[project.name, agent.name]),
    }
    return render(request, "confirm.html", context)


def _what_revoking_stops(agent: Agent, row) -> str:
    others = [key.name for key in agent.keys.live().exclude(pk=row.pk)]
    stops = f"Whatever calls as {agent.name} with this key gets an error at its next call."
    rest = f"Its key {others[0]} goes on working." if others else "It has no other live key."
    return f"{stops} {rest}"
