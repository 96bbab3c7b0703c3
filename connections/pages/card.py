"""A changed card: what was confirmed and what the endpoint shows now. Nothing moves until somebody confirms it."""

from copy import copy

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from connections import keeping
from connections.agent_card import Card
from connections.first_look import Look, digest_of, look
from connections.methods import method_of, methods
from connections.models import Connection
from connections.pages.edit import as_read
from connections.pages.frame import around, find
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission

CHANGED_AGAIN = "The card changed again while you were reading it, so nothing was saved. Below is the newest one."


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CONNECTION_WRITE)
def card(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    stored = find(project, connection)
    seen = look(stored, request.user)
    if request.method == "POST" and seen.is_usable:
        if seen.digest == request.POST.get("digest"):
            return _confirm(request, stored, seen)
        messages.warning(request, CHANGED_AGAIN)
    return _compare(request, stored, seen)


def _confirm(request: HttpRequest, stored: Connection, seen: Look) -> HttpResponse:
    clearing = request.POST.get("clearing") == "yes"
    try:
        keeping.confirm_card(
            as_read(stored, request.POST), seen.card.raw, list(seen.interfaces), request.user, clearing=clearing
        )
    except (keeping.WouldClear, keeping.ChangedMeanwhile):
        messages.warning(request, "The connection was changed meanwhile, so nothing was saved. Look again.")
        return redirect("connection-card", stored.project.name, stored.name)
    messages.success(request, "The card is confirmed. Calls go where it says.")
    page = "connection-replace" if stored.secrets.filter(value="").exists() else "connection"
    return redirect(page, stored.project.name, stored.name)


def _compare(request: HttpRequest, stored: Connection, seen: Look) -> HttpResponse:
    context = around(request, stored) | {
        "look": seen,
        "old": Card.of(stored.card) if stored.card else None,
        "old_urls": _urls(stored.interfaces),
        "new_urls": _urls(seen.interfaces),
        "differs": seen.card is not None and seen.digest != digest_of(stored.card),
        "clears": _moves(stored, seen) and stored.secrets.exclude(value="").exists(),
        "costs": _costs(stored, seen),
        "read_at": stored.changed_at.isoformat(),
    }
    return render(request, "connections/card.html", context)


def _urls(interfaces) -> list[str]:
    return [f"{interface['url']} ({interface['binding']} {interface['version']})" for interface in interfaces]


def _moves(stored: Connection, seen: Look) -> bool:
    """Whether a stored value would be sent somewhere else."""
    if stored.auth_method not in methods():
        return False
    method, moved = method_of(stored), _moved(stored, seen)
    fields = [field.slug for field in method.secret_fields]
    return any(method.addresses(stored, slug) != method.addresses(moved, slug) for slug in fields)


def _costs(stored: Connection, seen: Look) -> str:
    """What else the new addresses end; without any, nothing can be confirmed."""
    if stored.auth_method not in methods() or not seen.is_usable:
        return ""
    return method_of(stored).lost_by(_moved(stored, seen))


def _moved(stored: Connection, seen: Look) -> Connection:
    """The connection as it would be, not saved."""
    moved = copy(stored)
    moved.interfaces = list(seen.interfaces)
    return moved
