"""Disable, enable, delete. Each question names who is hit."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from connections import offering
from connections.methods import method_of, methods
from connections.models import Connection
from connections.pages.frame import find
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CONNECTION_WRITE)
def disable(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    found = find(project, connection)
    if request.method == "POST":
        offering.disable(found, request.user)
        messages.success(request, f"{found.name} is disabled.")
        return redirect("connection", project.name, found.name)
    context = {
        "title": f"Disable {found.name}?",
        "consequences": [
            who_is_hit(found, "gets an error until it is enabled again"),
            "The connection and its credential values stay.",
        ],
        "action_label": "Disable",
        "cancel_url": _page(found),
    }
    return render(request, "confirm.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CONNECTION_WRITE)
def enable(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    """A GET, where somebody had to sign in first, only leads back to the button."""
    found = find(project, connection)
    if request.method == "POST":
        offering.enable(found, request.user)
        messages.success(request, f"{found.name} is enabled. Agents can call it again.")
    return redirect("connection", project.name, found.name)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CONNECTION_DELETE)
def delete(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    found = find(project, connection)
    confirmed = request.POST.get("confirm_word", "").strip() == found.name
    if request.method == "POST" and confirmed:
        offering.delete(found, request.user)
        messages.success(request, f"{found.name} is deleted.")
        return redirect("tools", project.name)
    context = _deletion(found)
    if request.method == "POST":
        context["confirm_error"] = f"Type {found.name} exactly as it is written here. Nothing was deleted."
    return render(request, "confirm.html", context, status=422 if request.method == "POST" else 200)


def _deletion(connection: Connection) -> dict:
    held = connection.secrets.exclude(value="").count()
    destroyed = {
        0: "The connection stores no credential value.",
        1: "The credential value is destroyed and can't be restored.",
    }.get(held, f"Its {held} credential values are destroyed and can't be restored.")
    return {
        "title": f"Delete {connection.name}?",
        "consequences": [
            who_is_hit(connection, "gets an error"),
            destroyed,
            *(method_of(connection).what_stops(connection) if connection.auth_method in methods() else ()),
            "The access log keeps its rows.",
        ],
        "action_label": "Delete",
        "appearance": "destructive",
        "confirm_word": connection.name,
        "cancel_url": _page(connection),
    }


def who_is_hit(connection: Connection, what: str) -> str:
    """ "support-bot uses it; its next call gets an error." """
    if connection.given_to_all:
        return f"All agents of this project may use it; the next call of each {what}."
    names = [given.agent.name for given in connection.given.select_related("agent").order_by("agent__name")]
    if not names:
        return "No agent uses it."
    if len(names) == 1:
        return f"{names[0]} uses it; its next call {what}."
    return f"{', '.join(names[:-1])} and {names[-1]} use it; the next call of each {what}."


def _page(connection: Connection) -> str:
    return reverse("connection", args=[connection.project.name, connection.name])
