"""A person's set: exported and erased, by themself, and by an owner for somebody who has left."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from consent import endings, personal
from consent.models import Grant
from consent.pages.frame import consent_page, keep_private
from portal.projects.access import requires
from portal.projects.roles import Permission
from portal.projects.scope import Scope
from portal.users import User


@consent_page("POST")
def export_mine(request: HttpRequest) -> HttpResponse:
    return _file(request.user, request.user)


@consent_page("GET", "HEAD", "POST")
def erase_mine(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        personal.erase(request.user, request.user)
        messages.success(request, "Everything that you had allowed is ended and erased.")
        return redirect("consents")
    words = ["Agents that you blocked may ask you again.", "You can connect agents again whenever you like."]
    return _ask(request, request.user, "Erase all your consents?", words, reverse("consents"))


@require_http_methods(["POST"])
@requires(Permission.PERSON_WRITE, on_portal=True)
def export_of_leaver(request: HttpRequest, person) -> HttpResponse:
    found = get_object_or_404(User, pk=person)
    return _their_own(request, found) if found.is_active else keep_private(_file(found, request.user))


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.PERSON_WRITE, on_portal=True)
def erase_of_leaver(request: HttpRequest, person) -> HttpResponse:
    found, back = get_object_or_404(User, pk=person), Scope(None).url("people")
    if found.is_active:
        return _their_own(request, found)
    if request.method == "POST":
        personal.erase(found, request.user)
        messages.success(request, f"What {found} had allowed is erased.")
        return redirect(back)
    export = reverse("person-consents-export", args=[found.id])
    return _ask(request, found, f"Erase the consents of {found}?", [], back, export=export)


def _their_own(request: HttpRequest, person: User) -> HttpResponse:
    """Whoever can sign in decides for themself."""
    messages.error(request, f"{person} can sign in, and exports and erases what they allowed in My consents.")
    return redirect(Scope(None).url("people"))


def _file(person: User, by: User) -> HttpResponse:
    answer = JsonResponse(personal.exported(person, by), json_dumps_params={"indent": 2, "ensure_ascii": False})
    answer["Content-Disposition"] = 'attachment; filename="consents.json"'
    return answer


def _ask(request: HttpRequest, person: User, title: str, words: list[str], back: str, export: str = "") -> HttpResponse:
    count = Grant.objects.filter(user=person).count()
    context = {
        "title": title,
        "consequences": [
            f"{count} consent{'' if count == 1 else 's'}, every link and every block are deleted here.",
            *endings.sentences(Grant.objects.filter(user=person)),
            *words,
            "The access log keeps its rows. This can't be undone.",
        ],
        "action_label": "Erase",
        "appearance": "destructive",
        "cancel_url": back,
        "export": export,
    }
    return render(request, "consent/erase.html", context)
