"""My consents: what agents may do in my name, what they did, and how I end it. No role is needed to see one's own."""

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse

from connections import calls
from connections.methods.base import Caller
from connections.models import Connection
from consent import accounts, endings, flow, giving, grants, revocation, telling
from consent.models import Block, Grant
from consent.pages.frame import consent_page
from portal.projects.access import access_of, projects_of
from portal.projects.roles import Permission
from portal.users import User

PAGE = 20
MOST_OWNERS = 5


@consent_page("GET", "HEAD")
def consents(request: HttpRequest) -> HttpResponse:
    me = request.user
    before = request.GET.get("before", "")
    used = calls.on_behalf_of(me, PAGE + 1, int(before) if before.isdecimal() and len(before) < 19 else None)
    connectable, without_role = accounts.connectable_by(me)
    context = {
        "accounts": accounts.accounts_of(me),
        "blocks": accounts.blocks_of(me),
        "ended": accounts.ended_of(me),
        "connectable": connectable,
        "without_role": without_role,
        "used": used[:PAGE],
        "older": used[PAGE - 1].row.id if len(used) > PAGE else None,
        "is_newest": not before,
        "owners": _owners(me),
    }
    return render(request, "consent/mine.html", context)


def _owners(me: User) -> list[User]:
    """Whom to tell; nobody is told to write to themself."""
    found = {owner.id: owner for project in projects_of(me)[:20] for owner in telling.owners_of(project)}
    return [owner for owner in found.values() if owner.id != me.id][:MOST_OWNERS]


@consent_page("POST")
def connect(request: HttpRequest, connection_id: UUID, agent_id: UUID) -> HttpResponse:
    """Begins a consent before, or again after, an agent asks for it."""
    connection = get_object_or_404(Connection.objects.select_related("project"), pk=connection_id)
    request.access = access_of(request.user, connection.project)
    if not request.access.assignments or connection.auth_method != accounts.SLUG:
        raise Http404
    request.access.require(Permission.AGENT_INTERACT)
    agent = get_object_or_404(giving.agents_of(connection), pk=agent_id)
    caller = Caller(agent, request.user)
    grant = grants.of(connection, caller)
    reason = grant.reason if grant and grant.state == Grant.State.NEEDS_CONSENT else ""
    return redirect("consent", flow.ask(connection, caller, reason, begun_by="person").id)


@consent_page("GET", "HEAD", "POST")
def disconnect(request: HttpRequest, grant: UUID) -> HttpResponse:
    rows = Grant.objects.select_related("connection__project", "agent", "user")
    found = get_object_or_404(rows.exclude(state=Grant.State.REVOKED), pk=grant, user=request.user)
    if request.method == "POST":
        spared = revocation.spares_others(found)
        _say(request, found, grants.revoke(found, request.user), spared)
        return redirect("consents")
    context = {
        "title": f"Disconnect {found.agent.name}?",
        "consequences": [
            f"{found.agent.name} loses access at its next call through {found.connection.name}.",
            _will_be_told(found),
        ],
        "action_label": "Disconnect",
        "appearance": "destructive",
        "cancel_url": reverse("consents"),
    }
    return render(request, "confirm.html", context)


def _will_be_told(grant: Grant) -> str:
    host = grant.asked.sign_in_host
    if grant.state == Grant.State.ACTIVE and revocation.spares_others(grant):
        return endings.stays_signed_in(host)
    if grant.state == Grant.State.ACTIVE and grant.asked.can_be_told:
        return f"{host} is told to cancel it."
    return f"{host} can't be told from here. To be sure, take the access back in your account there as well."


def _say(request: HttpRequest, grant: Grant, is_told: bool, spared: bool) -> None:
    done = f"{grant.agent.name} is disconnected."
    if spared:
        done += f" {endings.stays_signed_in(grant.asked.sign_in_host)}"
    elif is_told:
        done += f" {grant.asked.sign_in_host} is told to cancel the access; below you see when it has confirmed it."
    messages.success(request, done)


@consent_page("POST")
def unblock(request: HttpRequest, block: UUID) -> HttpResponse:
    found = get_object_or_404(Block.objects.select_related("agent__project", "user"), pk=block, user=request.user)
    flow.unblock(found)
    messages.success(request, f"{found.agent.name} is no longer blocked. It may ask you again.")
    return redirect("consents")
