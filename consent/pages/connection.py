"""Who has consented to one connection, for its administrator. Tokens are shown to nobody."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from connections.pages.frame import around, find
from consent import accounts, endings, giving, grants, revocation, stepping_up
from consent.models import Block, Grant
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission

TAB = "connection-consents"


@require_http_methods(["GET", "HEAD"])
@requires(Permission.CONNECTION_WRITE)
def consents(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    found = find(project, connection)
    rows = Grant.objects.filter(connection=found).select_related("agent", "user", "connection")
    agents = giving.agents_of(found)
    context = around(request, found, TAB) | {
        "accounts": [accounts.Account(grant, None) for grant in rows.order_by("user__name", "agent__name")],
        "ended": accounts.ended_through(found),
        "blocks": Block.objects.filter(agent__in=agents).select_related("agent", "user").order_by("-at"),
        "withdrawn": giving.withdrawn(found),
        "hindrances": giving.hindrances(found),
        "wanted": stepping_up.lately(found),
    }
    return render(request, "consent/connection.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CONNECTION_WRITE)
def revoke(request: HttpRequest, project: Project, connection: str, grant: UUID) -> HttpResponse:
    found = find(project, connection)
    rows = Grant.objects.select_related("connection__project", "agent", "user").exclude(state=Grant.State.REVOKED)
    given = get_object_or_404(rows, pk=grant, connection=found)
    back = reverse(TAB, args=[project.name, found.name])
    if request.method == "POST":
        host, spared = given.asked.sign_in_host, revocation.spares_others(given)
        is_told = grants.revoke(given, request.user, reason="disconnected_by_administrator")
        there = f" {host} is told to cancel the access." if is_told else ""
        there = f" {endings.stays_signed_in(host)}" if spared else there
        messages.success(request, f"The consent of {given.user} for {given.agent.name} is revoked.{there}")
        return redirect(back)
    context = {
        "title": f"Revoke the consent of {given.user}?",
        "consequences": [
            f"{given.agent.name} can no longer act for {given.user} through {found.name}, from its next call on.",
            *endings.at_providers([given]),
            f"{given.user} can consent again when the agent asks.",
        ],
        "action_label": "Revoke",
        "appearance": "destructive",
        "cancel_url": back,
    }
    return render(request, "confirm.html", context)
