"""The portal owner's list of audiences, and the tabs that it stands in."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from portal.identities import audiences, uses
from portal.identities.models import Audience, Identity, Source
from portal.identities.portal_forms import AudienceForm
from portal.projects.access import requires
from portal.projects.roles import Permission

owner_only = requires(Permission.AUDIENCE_WRITE, on_portal=True)


def frame(tab: str) -> dict:
    """The tabs of the portal owner's pages."""
    allotted = Identity.objects.filter(kind=Identity.Kind.PROJECT, source=Source.ENTRA).exclude(client_id="")
    tabs = [
        ("audiences", "Audiences", "portal-identities", Audience.objects.count()),
        ("managed", "Managed identities", "portal-identities-managed", allotted.count()),
        ("keys", "Signing keys", "portal-identities-keys", None),
    ]
    return {
        "tabs": [{"label": label, "url": reverse(to), "count": n, "current": key == tab} for key, label, to, n in tabs]
    }


@require_safe
@owner_only
def list_audiences(request: HttpRequest) -> HttpResponse:
    rows = [{"audience": one, "uses": uses.of_audience(one)} for one in Audience.objects.order_by("name")]
    return render(request, "identities/portal/audiences.html", frame("audiences") | {"rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
@owner_only
def new_audience(request: HttpRequest) -> HttpResponse:
    form = AudienceForm(request.POST or None)
    if form.is_valid():
        try:
            made = audiences.enter(**form.cleaned_data, by=request.user)
        except audiences.AlreadyListed:
            form.add_error("name", "This audience is listed already. Edit its origins instead.")
        else:
            messages.success(request, f"{made.name} is listed. Projects can use it at once.")
            return redirect("portal-identities")
    return _audience_form(request, form, "List an audience", "The audience was not listed.")


@require_http_methods(["GET", "HEAD", "POST"])
@owner_only
def edit_audience(request: HttpRequest, audience: UUID) -> HttpResponse:
    found = get_object_or_404(Audience, pk=audience)
    form = AudienceForm(request.POST or None, audience=found)
    if form.is_valid():
        stopped = uses.cut_off(found, form.cleaned_data["origins"])
        if stopped and request.POST.get("confirmed") != "yes":
            return render(request, "identities/portal/taking_away.html", _taking_away(found, form, stopped))
        audiences.change(found, by=request.user, **form.cleaned_data)
        messages.success(request, f"{found.name} is changed. An origin that was taken off the list gets no token.")
        return redirect("portal-identities")
    return _audience_form(request, form, f"Edit {found.name}", "The audience was not changed.", found)


def _taking_away(found: Audience, form: AudienceForm, stopped: list[uses.Use]) -> dict:
    """The question carries what was entered."""
    kept = form.cleaned_data["origins"]
    return {
        "audience": found,
        "gone": [origin for origin in found.origins if origin not in kept],
        "what_stops": _what_stops(stopped),
        "entered": {"origins": "\n".join(kept), "description": form.cleaned_data["description"]},
    }


def _audience_form(request: HttpRequest, form, title: str, refusal: str, found: Audience | None = None) -> HttpResponse:
    context = {"form": form, "title": title, "refusal": refusal, "audience": found}
    return render(request, "identities/portal/audience.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@owner_only
def remove_audience(request: HttpRequest, audience: UUID) -> HttpResponse:
    found = get_object_or_404(Audience, pk=audience)
    if request.method == "POST":
        audiences.remove(found, request.user)
        messages.success(request, f"{found.name} is no longer listed. No token is made for it.")
        return redirect("portal-identities")
    context = {
        "title": f"Remove {found.name}?",
        "consequences": [
            _what_stops(uses.of_audience(found)),
            "No token is made for it any more. One that an endpoint has already got works there until it ends.",
        ],
        "action_label": "Remove",
        "appearance": "destructive",
        "cancel_url": reverse("portal-identities"),
    }
    return render(request, "confirm.html", context)


def _what_stops(used: list[uses.Use]) -> str:
    names = [f"{use.connection} of {use.project}" for use in used]
    if not names:
        return "No connection uses it."
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return f"The next call gets an error through: {shown}."
