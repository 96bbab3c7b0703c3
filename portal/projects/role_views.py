"""Giving a role, and taking it away."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from portal.projects import assignments
from portal.projects.access import access_of
from portal.projects.assignments import Refused
from portal.projects.forms import AssignmentForm, gains
from portal.projects.models import RoleAssignment
from portal.projects.roles import Permission, Role
from portal.projects.scope import Scope


def give_role(request: HttpRequest, scope: Scope) -> HttpResponse:
    form = AssignmentForm(request.access, request.POST or None)
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data
        try:
            given = assignments.give(form.person, chosen["role"], form.project, request.user, chosen["until"])
        except Refused as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"{form.person} now has {given.role_words}.")
            return redirect(scope.url("access-control"))
    context = {"scope": scope, "form": form, "back": scope.url("access-control"), "invite": scope.url("invitation-new")}
    return render(request, "projects/give_role.html", context, status=422 if form.is_bound else 200)


def remove_role(request: HttpRequest, scope: Scope, assignment) -> HttpResponse:
    stored = get_object_or_404(scope.assignments, pk=assignment)
    if request.method == "POST":
        try:
            assignments.remove(stored, request.user)
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, f"{stored.user} no longer has {stored.role_words}.")
        return redirect(scope.url("access-control") if _may_still_look(request, scope) else "home")
    context = {
        "title": f"Remove {stored.get_role_display()} from {stored.user}?",
        "consequences": _losses(stored, scope),
        "action_label": "Remove role",
        "appearance": "destructive",
        "cancel_url": scope.url("access-control"),
    }
    return render(request, "confirm.html", context)


def _may_still_look(request: HttpRequest, scope: Scope) -> bool:
    return access_of(request.user, scope.project).allows(Permission.ROLE_READ)


def _losses(assignment: RoleAssignment, scope: Scope) -> list[str]:
    """What the person can no longer do, with what their other roles still give left out."""
    kept = [a for a in access_of(assignment.user, assignment.project).assignments if a.pk != assignment.pk]
    still = {words for a in kept for words in gains(Role(a.role))}
    lost = [words for words in gains(Role(assignment.role)) if words not in still]
    place = scope.project.name if scope.project else "every project"
    person = f"{assignment.user} ({assignment.user.email})"
    if not lost:
        return [f"{person} loses nothing on {place}: other roles give the same."]
    sentences = [f"{person} can no longer do this on {place}: {'; '.join(_lowered(lost))}."]
    if not kept:
        sentences.append("They have no other role here, and will not find it any more.")
    sentences.append("It works at the next request, at the latest one second later, for agents that call for them too.")
    return sentences


def _lowered(words: list[str]) -> list[str]:
    return [text[:1].lower() + text[1:] for text in words]
