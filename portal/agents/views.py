"""Agents: the list, one agent, and what a person does with it. Keys and speaking have modules of their own."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_safe

from portal.agents import identity_card, pages, registering
from portal.agents.forms import DescriptionForm, RegisterForm
from portal.agents.models import Agent
from portal.agents.panels import panels
from portal.agents.permission import agent_of, changes_agent, may_change
from portal.identities.models import Source
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission


@require_safe
@requires(Permission.AGENT_READ)
def agents(request: HttpRequest, project: Project) -> HttpResponse:
    rows = pages.rows_of(project)
    context = {"project": project, "rows": rows, "columns": [panel.column for panel in panels()]}
    context["may_register"] = request.access.allows(Permission.AGENT_WRITE)
    context["disabled"] = sum(row.agent.disabled_at is not None for row in rows)
    return render(request, "agents/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.AGENT_WRITE)
def register(request: HttpRequest, project: Project) -> HttpResponse:
    come_back = own_path(request.GET.get("next", ""), project)
    form = RegisterForm(request.POST or None, project=project)
    if form.is_valid():
        try:
            agent = registering.register(project, by=request.user, **form.cleaned_data)
        except registering.NameTaken:
            form.add_error("name", "Somebody registered an agent with this name just now. Choose another name.")
        else:
            messages.success(request, f"{agent} is registered. Make a key for it, then give it a connection.")
            return redirect(come_back or reverse("agent", args=[project.name, agent.name]))
    context = {"project": project, "form": form, "cancel_url": come_back or reverse("agents", args=[project.name])}
    return render(request, "agents/register.html", context, status=422 if form.is_bound else 200)


def own_path(path: str, project: Project) -> str | None:
    """`path` where it leads to a page of this project, else None: a link can't send people elsewhere (T19)."""
    inside = path.startswith(f"/projects/{project.name}/") and "\\" not in path
    return path if inside and url_has_allowed_host_and_scheme(path, allowed_hosts=None) else None


@require_safe
@requires(Permission.AGENT_READ)
def agent(request: HttpRequest, project: Project, agent: str) -> HttpResponse:
    found = agent_of(project, agent)
    context = page_context(request, found) | {"tab": "overview", "card": identity_card.of(found)}
    return render(request, "agents/agent.html", context)


def page_context(request: HttpRequest, agent: Agent) -> dict:
    """What every page of one agent shows: the head, the commands, the counts of its tabs."""
    shown = [
        {"template": panel.template, "commands": panel.commands(request, agent)} | panel.context(request, agent)
        for panel in panels()
    ]
    permission = pages.speaking_of(agent)
    return {
        "project": agent.project,
        "agent": agent,
        "panels": shown,
        "speaking": permission,
        "people": permission.people.order_by("name") if permission else (),
        "ended_speaking": None if permission else getattr(agent, "speaking", None),
        "may_change": may_change(request.access, agent),
        "may_publish": request.access.allows(Permission.AGENT_PUBLISH),
        "may_let_speak": request.access.allows(Permission.SPEAKING_WRITE),
        **pages.keys_context(agent),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@changes_agent
def settings(request: HttpRequest, project: Project, agent: Agent) -> HttpResponse:
    initial = {"display_name": agent.display_name, "description": agent.description}
    form = DescriptionForm(request.POST or None, initial=initial)
    if form.is_valid():
        registering.describe(agent, request.user, **form.cleaned_data)
        messages.success(request, f"{agent} is saved.")
        return redirect("agent", project.name, agent.name)
    context = page_context(request, agent) | {"form": form, "tab": "settings"}
    return render(request, "agents/settings.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@changes_agent
def disable(request: HttpRequest, project: Project, agent: Agent) -> HttpResponse:
    if request.method == "POST":
        registering.disable(agent, request.user)
        messages.success(request, f"{agent.name} is disabled. Its next call is refused.")
        return redirect("agent", project.name, agent.name)
    consequences = [
        f"{agent.name} gets an error at its next call, and calls that stream now are closed within five seconds.",
        "Its keys, connections and permission to speak for users stay as they are, so that you can enable it again.",
    ]
    return _ask(request, agent, f"Disable {agent.name}?", consequences, "Disable")


@require_http_methods(["GET", "HEAD", "POST"])
@changes_agent
def enable(request: HttpRequest, project: Project, agent: Agent) -> HttpResponse:
    if request.method == "POST":
        registering.enable(agent, request.user)
        messages.success(request, f"{agent.name} is enabled. Its live keys work again.")
        return redirect("agent", project.name, agent.name)
    consequences = [f"{agent.name} can call its connections again, with the keys that are live."]
    return _ask(request, agent, f"Enable {agent.name}?", consequences, "Enable", appearance="primary")


@require_http_methods(["GET", "HEAD", "POST"])
@changes_agent
def delete(request: HttpRequest, project: Project, agent: Agent) -> HttpResponse:
    typed = request.POST.get("confirm_word", "").strip()
    if request.method == "POST" and typed == agent.name:
        registering.delete(agent, request.user)
        messages.success(request, f"{agent.name} is deleted. Its keys no longer work.")
        return redirect("agents", project.name)
    error = f"Type {agent.name} exactly, then choose Delete." if request.method == "POST" else ""
    consequences = [
        _keys_stop(agent),
        *_what_stops(agent),
        *_left_in_entra(agent),
        "The access log keeps its rows. This can't be undone.",
    ]
    extra = {"confirm_word": agent.name, "confirm_error": error}
    return _ask(request, agent, f"Delete {agent.name}?", consequences, "Delete", **extra)


def _keys_stop(agent: Agent) -> str:
    names = [key.name for key in agent.keys.live().order_by("name")]
    if not names:
        return "It has no live key."
    word = "key" if len(names) == 1 else "keys"
    return f"Its {word} {' and '.join(names)} {'stops' if len(names) == 1 else 'stop'} at once."


def _what_stops(agent: Agent) -> list[str]:
    return [sentence for panel in panels() for sentence in panel.what_stops(agent)]


def _left_in_entra(agent: Agent) -> list[str]:
    names = agent.identities.filter(source=Source.ENTRA).exclude(client_id="").values_list("name", flat=True)
    return [
        f"Its identity {name} stays in Microsoft Entra with its roles until somebody deletes it there."
        for name in names
    ]


def _ask(request: HttpRequest, agent: Agent, title: str, consequences: list[str], action: str, **extra) -> HttpResponse:
    context = {"title": title, "consequences": consequences, "action_label": action, "appearance": "destructive"}
    context["cancel_url"] = reverse("agent", args=[agent.project.name, agent.name])
    status = 422 if extra.get("confirm_error") else 200
    return render(request, "confirm.html", context | extra, status=status)
