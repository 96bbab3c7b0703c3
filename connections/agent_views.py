"""Giving a connection to an agent, and taking it back, from the agent's side."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from connections import offering
from connections.methods import method_of
from connections.models import Connection
from portal.agents.models import Agent
from portal.agents.permission import agent_of
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission


class GiveForm(forms.Form):
    connections = forms.ModelMultipleChoiceField(
        queryset=None,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one connection."},
    )

    def __init__(self, *args, agent: Agent, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        free = agent.project.connections.filter(given_to_all=False).exclude(given__agent=agent)
        self.fields["connections"].queryset = free.order_by("name")
        self.fields["connections"].label_from_instance = _words

    @property
    def has_choice(self) -> bool:
        return self.fields["connections"].queryset.exists()


def _words(connection: Connection) -> str:
    disabled = "" if connection.is_enabled else ", disabled"
    return f"{connection.name} ({method_of(connection).label}{disabled})"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CONNECTION_WRITE)
def give(request: HttpRequest, project: Project, agent: str) -> HttpResponse:
    found = agent_of(project, agent)
    form = GiveForm(request.POST or None, agent=found)
    if form.is_valid():
        chosen = form.cleaned_data["connections"]
        for connection in chosen:
            offering.give(connection, found, request.user)
        names = ", ".join(connection.name for connection in chosen)
        messages.success(request, f"{found.name} can now call {names}.")
        return redirect("agent", project.name, found.name)
    context = {"project": project, "agent": found, "form": form, "connect_url": connect_url(found)}
    return render(request, "connections/give_to_agent.html", context, status=422 if form.is_bound else 200)


def connect_url(agent: Agent) -> str:
    """Where a new endpoint is connected; the page comes back with the connection given to this agent."""
    try:
        page = reverse("connection-new", args=[agent.project.name])
    except NoReverseMatch:
        return ""
    return f"{page}?{urlencode({'for_agent': agent.name})}"


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CONNECTION_WRITE)
def take_back(request: HttpRequest, project: Project, agent: str, connection: str) -> HttpResponse:
    found = agent_of(project, agent)
    given = get_object_or_404(project.connections.filter(given__agent=found), name=connection)
    if request.method == "POST":
        offering.take_back(given, found, request.user)
        messages.success(request, f"{found.name} can no longer call {given.name}.")
        return redirect("agent", project.name, found.name)
    return render(request, "confirm.html", _question(found, given))


def _question(agent: Agent, connection: Connection) -> dict:
    stops = f"The next call of {agent.name} through {connection.name} is refused, and open streams are closed."
    if connection.given_to_all:
        stops = f"{connection.name} is given to all agents of the project, so {agent.name} can still call it."
    return {
        "title": f"Take {connection.name} back from {agent.name}?",
        "consequences": [stops, "The connection and what is stored in it stay. You can give it again at any time."],
        "action_label": "Take back",
        "appearance": "destructive",
        "cancel_url": reverse("agent", args=[agent.project.name, agent.name]),
    }
