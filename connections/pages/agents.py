"""Use in an agent: which agents may call a connection, from the connection's side."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from connections import calls, offering
from connections.forms import UseForm
from connections.methods import method_of, methods
from connections.models import Connection
from connections.pages.frame import around, find
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission


@require_http_methods(["GET", "HEAD"])
@requires(Permission.CONNECTION_READ)
def agents(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    found = find(project, connection)
    context = around(request, found, "agents") | {"given": given_rows(found)}
    return render(request, "connections/agents.html", context)


def given_rows(connection: Connection) -> list[dict]:
    """Each agent it was given to, by whom, and when it called last."""
    last = calls.last_per_agent(connection)
    rows = connection.given.select_related("agent", "given_by").order_by("agent__name")
    method = method_of(connection) if connection.auth_method in methods() else None
    return [
        {
            "given": row,
            "agent": row.agent,
            "acts_as": method.acts_as(connection, row.agent) if method else "",
            "last_call": last.get(row.agent_id),
        }
        for row in rows
    ]


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CONNECTION_WRITE)
def use(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    found = find(project, connection)
    form = UseForm(found, data=request.POST or None, initial={"agent": request.GET.get("agent")})
    if form.is_valid():
        _give(request, found, form)
        return redirect("connection", project.name, found.name)
    here = reverse("connection-use", args=[project.name, found.name])
    context = around(request, found) | {
        "form": form,
        "has_choice": form.fields["agent"].queryset.exists(),
        "may_register": request.access.allows(Permission.AGENT_WRITE),
        "register_url": f"{reverse('agent-new', args=[project.name])}?{urlencode({'next': here})}",
    }
    return render(request, "connections/use.html", context, status=422 if form.is_bound else 200)


def _give(request: HttpRequest, connection: Connection, form: UseForm) -> None:
    if form.cleaned_data["everyone"]:
        offering.give_to_all(connection, request.user, on=True)
        messages.success(request, f"All agents of this project can now call {connection.name}.")
    else:
        agent = form.cleaned_data["agent"]
        offering.give(connection, agent, request.user)
        messages.success(request, f"{agent.name} can now call {connection.name}.")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CONNECTION_WRITE)
def take_back(request: HttpRequest, project: Project, connection: str, agent: str) -> HttpResponse:
    found = find(project, connection)
    taken = get_object_or_404(project.agents.filter(given__connection=found), name=agent)
    if request.method == "POST":
        offering.take_back(found, taken, request.user)
        messages.success(request, f"{taken.name} can no longer call {found.name}.")
        return redirect("connection-agents", project.name, found.name)
    stops = f"The next call of {taken.name} through {found.name} is refused, and open streams are closed."
    if found.given_to_all:
        stops = f"{found.name} is given to all agents of the project, so {taken.name} can still call it."
    return _confirm(request, found, f"Take {found.name} back from {taken.name}?", stops, "Take back")


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CONNECTION_WRITE)
def take_from_all(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    """Back to the agents that it was given to by name."""
    found = find(project, connection)
    if request.method == "POST":
        offering.give_to_all(found, request.user, on=False)
        messages.success(request, f"Only the agents that {found.name} was given to can call it now.")
        return redirect("connection-agents", project.name, found.name)
    names = list(found.given.order_by("agent__name").values_list("agent__name", flat=True))
    left = f"Only {', '.join(names)} can call it then." if names else "No agent can call it then."
    title = f"No longer give {found.name} to all agents?"
    return _confirm(request, found, title, f"{left} The next call of every other agent is refused.", "Take back")


def _confirm(request: HttpRequest, connection: Connection, title: str, stops: str, label: str) -> HttpResponse:
    context = {
        "title": title,
        "consequences": [stops, "The connection and what is stored in it stay. You can give it again at any time."],
        "action_label": label,
        "appearance": "destructive",
        "cancel_url": reverse("connection-agents", args=[connection.project.name, connection.name]),
    }
    return render(request, "confirm.html", context)
