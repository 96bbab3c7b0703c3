"""Inviting people, and the page that an invitation's link opens."""

import smtplib

from allauth.account.internal.flows.login import perform_login
from allauth.account.models import Login
from django.conf import settings
from django.contrib import messages
from django.core.mail import send_mail
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters

from portal.projects import invitations
from portal.projects.access import public
from portal.projects.assignments import Refused
from portal.projects.forms import AcceptForm, InvitationForm
from portal.projects.models import Invitation
from portal.projects.roles import Permission, Role
from portal.projects.scope import Scope
from portal.projects.tabs import frame


def list_invitations(request: HttpRequest, scope: Scope) -> HttpResponse:
    may = request.access.may_give() if request.access.allows(Permission.ROLE_WRITE) else frozenset()
    rows = [
        {"invitation": row, "withdraw_url": scope.url("invitation-withdraw", row.id) if Role(row.role) in may else ""}
        for row in invitations.open_invitations(scope.project)
    ]
    return render(request, "projects/invitations.html", frame(request, scope, "invitations") | {"rows": rows})


def invite(request: HttpRequest, scope: Scope) -> HttpResponse:
    """The link is shown on the answer to the POST and nowhere else, so this one does not redirect."""
    form = InvitationForm(request.access, request.POST or None)
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data
        try:
            made, link = invitations.invite(
                chosen["email"], chosen["role"], form.project, request.user, chosen["name"], chosen["until"]
            )
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            context = {"scope": scope, "invitation": made, "link": link, "mail": _mail(made, link)}
            return render(request, "projects/invited.html", context | {"back": scope.url("invitations")})
    context = {"scope": scope, "form": form, "back": scope.url("invitations"), "mails": bool(settings.EMAIL_HOST)}
    return render(request, "projects/invite.html", context, status=422 if form.is_bound else 200)


def withdraw(request: HttpRequest, scope: Scope, invitation) -> HttpResponse:
    stored = get_object_or_404(scope.invitations, pk=invitation)
    if request.method == "POST":
        try:
            invitations.withdraw(stored, request.user)
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, f"The invitation of {stored.email} was withdrawn.")
        return redirect(scope.url("invitations"))
    context = {
        "title": f"Withdraw the invitation of {stored.email}?",
        "consequences": [f"The link stops working, and {stored.email} does not get {stored.get_role_display()}."],
        "action_label": "Withdraw",
        "appearance": "destructive",
        "cancel_url": scope.url("invitations"),
    }
    return render(request, "confirm.html", context)


@public
@sensitive_post_parameters()
def open_invitation(request: HttpRequest, token: str) -> HttpResponse:
    """GET burns nothing: mail scanners and previews open links too."""
    try:
        invitation = invitations.find(token)
        if request.user.is_authenticated:
            return _receive(request, token, invitation)
        if invitations.has_account(invitation):
            return _page(request, invitation, sign_in_url=f"{reverse('account_login')}?next={request.path}")
        return _join(request, token, invitation)
    except (invitations.NotOpen, invitations.NotTheirs):
        # One page and one status for every reason: the link of somebody else tells nothing.
        return render(request, "projects/invitation_closed.html", status=410)


def _receive(request: HttpRequest, token: str, invitation: Invitation) -> HttpResponse:
    if request.user.email != invitation.email:
        return _page(request, invitation, wrong_person=True, status=403)
    if request.method != "POST":
        return _page(request, invitation)
    given = invitations.accept(token, request.user)
    messages.success(request, f"You now have {given.role_words}.")
    return _welcome(invitation)


def _join(request: HttpRequest, token: str, invitation: Invitation) -> HttpResponse:
    form = AcceptForm(invitation.email, request.POST or None, initial={"name": invitation.name})
    if request.method != "POST" or not form.is_valid():
        return _page(request, invitation, form=form, status=422 if form.is_bound else 200)
    person = invitations.accept_as_new(token, form.cleaned_data["name"], form.cleaned_data["password"])
    return perform_login(request, Login(user=person, redirect_url=_welcome(invitation).url))


def _page(request: HttpRequest, invitation: Invitation, status: int = 200, **context) -> HttpResponse:
    return render(request, "projects/invitation.html", {"invitation": invitation, **context}, status=status)


def _welcome(invitation: Invitation) -> HttpResponse:
    return redirect("project", invitation.project.name) if invitation.project else redirect("home")


def _mail(invitation: Invitation, link: str) -> str:
    """ "sent", "failed", or "" where no mail server is set. A failure costs nothing: the link is on the page."""
    if not settings.EMAIL_HOST:
        return ""
    days = (invitation.expires_at - timezone.now()).days + 1
    text = render_to_string("projects/invitation.txt", {"invitation": invitation, "link": link, "days": days})
    try:
        send_mail(f"An invitation to {invitation.project or 'Gatehouse'}", text, None, [invitation.email])
    except (smtplib.SMTPException, OSError):
        return "failed"
    return "sent"
