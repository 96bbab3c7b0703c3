"""The link: who asks for what, and the person's answer. Looking at it changes nothing."""

from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from connections.methods.base import Caller
from connections.troubleshooting import Entry, entry
from consent import flow, grants, matching, stepping_up, telling
from consent.flow import FlowRefused
from consent.managed import apps
from consent.models import ConsentRequest
from consent.pages.frame import consent_page
from consent.tasks import mail_due
from consent.terms import Terms
from portal.waking import wake

COOKIE = "__Host-consent" if settings.HTTPS else "consent"
DECISIONS = ("continue", "decline", "not_asked")
State = ConsentRequest.State


@dataclass(frozen=True)
class Scope:
    """`is_new`: beside what the person has given already."""

    name: str
    words: str
    is_new: bool = False


def scopes_of(terms: Terms, given: list[str] | None) -> list[Scope]:
    """`given`: what the person has given before, where more is asked for; new ones come first."""
    named = [
        Scope(name, terms.scope_words.get(name, name), given is not None and name not in given) for name in terms.scopes
    ]
    return sorted(named, key=lambda scope: not scope.is_new)


@consent_page("GET", "HEAD", "POST")
def consent(request: HttpRequest, asking: UUID) -> HttpResponse:
    found = flow.find(asking, request.user)
    if request.method == "POST":
        return _decide(request, found, request.POST.get("decision", ""))
    if found.is_live:
        return _ask(request, found)
    if found.state == State.GRANTED:
        return redirect("consent-done", found.id)
    return _over(request, found)


def _decide(request: HttpRequest, asking: ConsentRequest, decision: str) -> HttpResponse:
    if asking.is_live and decision == "continue":
        return _leave(request, asking)
    if asking.is_live and decision == "decline":
        flow.decline(asking)
    elif asking.is_live and decision == "not_asked":
        flow.not_asked(asking)
        wake(mail_due)
    elif decision == "renew" and asking.state in (State.WAITING, State.ENDED):
        return redirect("consent", flow.renew(asking).id)
    elif decision in DECISIONS:
        flow.came_too_late(asking)
    return redirect("consent", asking.id)


def _leave(request: HttpRequest, asking: ConsentRequest) -> HttpResponse:
    """Answers 200: Chromium blocks a POST whose redirect leaves the site (security.md 6.1)."""
    departure = flow.begin(asking)
    context = {"asking": asking, "terms": asking.asked, "address": departure.address}
    response = render(request, "consent/leaving.html", context)
    response.set_cookie(
        COOKIE,
        departure.browser,
        max_age=flow.FLOW_LIVES,
        path="/",
        secure=settings.HTTPS,
        httponly=True,
        samesite="Lax",
    )
    return response


def _ask(request: HttpRequest, asking: ConsentRequest) -> HttpResponse:
    context = {
        "asking": asking,
        "terms": asking.asked,
        "scopes": scopes_of(asking.asked, _given(asking)),
        "own_account": asking.connection.settings.get("account_match") == matching.ENFORCE,
        "asks_for_more": asking.reason == stepping_up.ASKS_FOR_MORE,
        "why": entry(asking.reason) if asking.reason and asking.reason != "disconnected_by_user" else None,
        "app": apps.find(asking.asked.publisher) if asking.asked.publisher else None,
        "hindrance": _hindrance(asking),
        "told": telling.who_is_told(asking.agent),
        "here": request.path,
    }
    return render(request, "consent/ask.html", context)


def _given(asking: ConsentRequest) -> list[str] | None:
    if asking.reason != stepping_up.ASKS_FOR_MORE:
        return None
    grant = grants.of(asking.connection, Caller(asking.agent, asking.user))
    return grant.scopes_given if grant else []


def _hindrance(asking: ConsentRequest) -> Entry | None:
    """What would refuse the person after they have read everything."""
    try:
        flow.check_can_begin(asking)
    except FlowRefused as refused:
        return entry(refused.code)
    return None


def _over(request: HttpRequest, asking: ConsentRequest) -> HttpResponse:
    agent = asking.agent.name
    if asking.state == State.DECLINED:
        context = {
            "title": "You declined",
            "sentences": [f"{agent} was told that you don't want this. Nothing was shared."],
        }
    elif asking.state == State.NOT_ASKED:
        told = telling.was_told(asking.agent)
        context = {
            "title": f"Thank you. {agent} is blocked for you",
            "sentences": [f"{told} You can undo this in My consents."],
        }
    else:
        ended = entry("consent_link_ended")
        context = {"title": ended.title, "sentences": [ended.cause], "again_label": "Make a new one"}
        context |= {"again": request.path, "decision": "renew"}
    return render(request, "consent/ending.html", context)
