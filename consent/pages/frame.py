"""What all pages of consent share: whose they are, what a browser may keep of them, and the page that says no."""

from collections.abc import Callable
from functools import wraps

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from connections.troubleshooting import entry
from consent.flow import FlowRefused
from portal.projects.access import signed_in

STATUSES = {"consent_wrong_person": 403, "role_needed_to_connect": 403, "consent_link_unknown": 404}


def consent_page(*methods: str) -> Callable:
    """Declares a page of a consent for whoever is signed in; a refusal becomes its own page."""

    def declare(view: Callable) -> Callable:
        @wraps(view)
        def shown(request: HttpRequest, *args, **kwargs) -> HttpResponse:
            try:
                response = view(request, *args, **kwargs)
            except FlowRefused as refused:
                response = refusal(request, refused)
            return keep_private(response)

        return require_http_methods(methods)(signed_in(shown))

    return declare


def keep_private(response: HttpResponse, *, has_form: bool = True) -> HttpResponse:
    """Nothing of it is cached, and no other site learns its address.

    A form on a page with `no-referrer` is sent with `Origin: null` (Fetch 3.1), which the CSRF check refuses;
    `same-origin` tells other sites as little.
    """
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "same-origin" if has_form else "no-referrer"
    return response


def refusal(request: HttpRequest, refused: FlowRefused, *, may_switch: bool = True) -> HttpResponse:
    """Why the flow can't go on. The wrong person is told neither who it is for nor which agent asks."""
    own = refused.request is not None
    context = {
        "problem": entry(refused.code),
        "here": "",
        "link": reverse("consent", args=[refused.request.id]) if own else "",
        "may_switch": may_switch and refused.code == "consent_wrong_person",
    }
    return render(request, "consent/refused.html", context, status=STATUSES.get(refused.code, 400))
