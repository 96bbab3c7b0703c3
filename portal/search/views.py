"""The page behind the search in the banner."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from portal.audit import reasons
from portal.projects.access import signed_in
from portal.search import found, requests

LONGEST = 2_000


@require_safe
@signed_in
def search(request: HttpRequest) -> HttpResponse:
    words = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
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
