"""The page behind the search in the banner."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.audit import reasons
from portal.projects.access import access_of, projects_of, signed_in
from portal.search import found, requests

LONGEST = 2_000


@require_safe
@signed_in
def search(request: HttpRequest) -> HttpResponse:
    words = _asked(request, "q")
    _stay_in_project(request)
    request_id = requests.id_in(words) or requests.beginning_in(words)
    context = {
        "words": words,
        "request_id": request_id,
        "is_beginning": requests.REQUEST_ID.fullmatch(request_id) is None,
        "traced": requests.traced(request.user, request_id) if request_id else [],
        "explanation": None if request_id else reasons.explain(words.lower()),
        "found": [] if request_id else found.named(request.user, words),
    }
    return render(request, "search.html", context)


def _asked(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "").replace("\0", "").strip()[:LONGEST]


def _stay_in_project(request: HttpRequest) -> None:
    """The frame keeps the project that the person searched from, where it is one of theirs; what is found is of all."""
    project = projects_of(request.user).filter(name=_asked(request, "in")).first()
    if project:
        request.access = access_of(request.user, project)
