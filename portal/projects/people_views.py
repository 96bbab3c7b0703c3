"""Everybody who has an account here, and the two acts that keep one out and let one in again."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from portal.projects import leaving, people
from portal.projects.access import requires
from portal.projects.assignments import Refused
from portal.projects.roles import Permission
from portal.projects.scope import Scope
from portal.projects.tabs import frame
from portal.users import User


@requires(Permission.ROLE_READ, on_portal=True)
def list_people(request: HttpRequest) -> HttpResponse:
    known = User.objects.prefetch_related("role_assignments__project").order_by("name", "email")
    may = request.access.allows(Permission.PERSON_WRITE)
    rows = [
        {
            "person": person,
            "roles": [a for a in person.role_assignments.all() if a.until is None or a.until > timezone.now()],
            "action": may and person != request.user,
            "acts": [act for one in leaving.registered() for act in one.acts(person)] if may else [],
        }
        for person in known
    ]
    return render(request, "projects/people.html", frame(request, Scope(None), "people") | {"rows": rows})


@requires(Permission.PERSON_WRITE, on_portal=True)
def deactivate_person(request: HttpRequest, person) -> HttpResponse:
    return _change_person(request, person, people.deactivate, "deactivated", _deactivation)


@requires(Permission.PERSON_WRITE, on_portal=True)
def reactivate_person(request: HttpRequest, person) -> HttpResponse:
    return _change_person(request, person, people.reactivate, "reactivated", _reactivation)


def _change_person(request: HttpRequest, person, change, done: str, explain) -> HttpResponse:
    found = get_object_or_404(User, pk=person)
    back = Scope(None).url("people")
    if request.method == "POST":
        try:
            change(found, request.user)
        except Refused as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, f"{found} was {done}.")
        return redirect(back)
    return render(request, "confirm.html", explain(found) | {"cancel_url": back})


def _deactivation(person: User) -> dict:
    return {
        "title": f"Deactivate {person}?",
        "consequences": [
            f"{person} ({person.email}) is signed out everywhere and can't sign in.",
            "Agents that call for them are refused.",
            *(sentence for one in leaving.registered() for sentence in one.what_ends(person)),
            "Their roles stay listed and count for nothing until somebody reactivates them.",
        ],
        "action_label": "Deactivate",
        "appearance": "destructive",
    }


def _reactivation(person: User) -> dict:
    return {
        "title": f"Reactivate {person}?",
        "consequences": [f"{person} ({person.email}) can sign in again, with the roles listed for them."],
        "action_label": "Reactivate",
    }
