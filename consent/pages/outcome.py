"""After the provider: connected, taken back at once, or refused there."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from connections.methods.base import Caller
from connections.troubleshooting import entry
from consent import flow, grants
from consent.models import ConsentRequest, Grant
from consent.pages.frame import consent_page

State = ConsentRequest.State


@consent_page("GET", "HEAD")
def done(request: HttpRequest, asking: UUID) -> HttpResponse:
    found = flow.find(asking, request.user)
    grant = _grant(found)
    if grant is None:
        return _not_connected(request, found)
    terms = found.asked
    missing = [terms.scope_words.get(name, name) for name in terms.scopes if name not in grant.scopes_given]
    context = {"asking": found, "terms": terms, "grant": grant, "narrower": missing}
    context["notes"] = [entry(code) for code in grant.account_notes]
    return render(request, "consent/done.html", context)


@consent_page("POST")
def undo(request: HttpRequest, asking: UUID) -> HttpResponse:
    """ "Not you?": the wrong account was signed in at the provider. Back to the question."""
    found = flow.find(asking, request.user)
    grant = _grant(found)
    if grant is None:
        return redirect("consent-done", found.id)
    grants.revoke(grant, request.user)
    account = grant.account or "The account"
    messages.success(request, f"{account} is disconnected. Sign in with another account at {found.asked.sign_in_host}.")
    return redirect("consent", flow.renew(found).id)


@consent_page("GET", "HEAD")
def refused(request: HttpRequest, asking: UUID) -> HttpResponse:
    found = flow.find(asking, request.user)
    if not found.error or found.state != State.WAITING:
        return redirect("consent", found.id)
    context = {"problem": entry(found.error), "link": f"/consent/{found.id}", "here": ""}
    return render(request, "consent/refused.html", context)


def _grant(asking: ConsentRequest) -> Grant | None:
    """What this person gave by it, while it stands."""
    if asking.state != State.GRANTED:
        return None
    grant = grants.of(asking.connection, Caller(asking.agent, asking.user))
    return grant if grant is not None and grant.state == Grant.State.ACTIVE else None


def _not_connected(request: HttpRequest, asking: ConsentRequest) -> HttpResponse:
    if asking.state != State.GRANTED:
        return redirect("consent", asking.id)
    sentence = f"{asking.agent.name} was connected by this link, and has been disconnected since."
    return render(request, "consent/ending.html", {"title": "Not connected any more", "sentences": [sentence]})
