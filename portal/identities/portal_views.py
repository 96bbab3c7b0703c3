"""The portal owner's lists: audiences, what of the host is allotted to projects, the issuer's signing keys."""

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from portal.audit import log
from portal.identities import audiences, issuer, roster, setting_up, signing_keys, uses
from portal.identities.forms import ID_TAKEN, AllotForm, AudienceForm
from portal.identities.models import Audience, Identity, IdentitySource, Proof, Source
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission
from portal.templatetags import moments

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
        audiences.change(found, by=request.user, **form.cleaned_data)
        messages.success(request, f"{found.name} is changed. An origin that was taken off the list gets no token.")
        return redirect("portal-identities")
    return _audience_form(request, form, f"Edit {found.name}", "The audience was not changed.", found)


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
            _what_stops(found),
            "No token is made for it any more. One that an endpoint has already got works there until it ends.",
        ],
        "action_label": "Remove",
        "appearance": "destructive",
        "cancel_url": reverse("portal-identities"),
    }
    return render(request, "confirm.html", context)


def _what_stops(audience: Audience) -> str:
    names = [f"{use.connection} of {use.project}" for use in uses.of_audience(audience)]
    if not names:
        return "No connection uses it."
    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return f"The next call gets an error through: {shown}."


@require_safe
@owner_only
def list_managed(request: HttpRequest) -> HttpResponse:
    sources = {source.project_id: source for source in IdentitySource.objects.all()}
    found = Identity.objects.filter(kind=Identity.Kind.PROJECT, source=Source.ENTRA).select_related("set_up_by")
    identities = {identity.project_id: identity for identity in found}
    rows = [_managed_row(project, identities, sources) for project in Project.objects.order_by("name")]
    return render(request, "identities/portal/managed.html", frame("managed") | {"rows": rows})


def _managed_row(project: Project, identities: dict, sources: dict) -> dict:
    identity, source = identities.get(project.id), sources.get(project.id)
    allotted = identity is not None and identity.is_set_up
    return {
        "project": project,
        "identity": identity if allotted else None,
        "how": Proof(source.project_proof).label if allotted and source and source.project_proof else "",
        "comes_from": Source(source.kind if source else Source.PORTAL).label,
    }


@require_http_methods(["GET", "HEAD", "POST"])
@owner_only
def allot(request: HttpRequest, project: str) -> HttpResponse:
    found = get_object_or_404(Project, name=project)
    identity, source = roster.managed_of(found, Source.ENTRA), roster.source_of(found)
    form = AllotForm(request.POST or None, identity=identity, proof=source.project_proof)
    if form.is_valid():
        given = form.cleaned_data
        ids = (given["tenant"], given["client_id"], given["principal_id"])
        try:
            setting_up.allot(found, Proof(given["proof"]), *ids, by=request.user)
        except setting_up.IdTaken:
            form.add_error("client_id", ID_TAKEN)
        else:
            messages.success(request, f"{found.name} has a managed identity now.")
            return redirect("portal-identities-managed")
    context = {"of": found, "form": form, "identity": identity}
    return render(request, "identities/portal/allot.html", context, status=422 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@owner_only
def take_back(request: HttpRequest, project: str) -> HttpResponse:
    found = get_object_or_404(Project, name=project)
    if request.method == "POST":
        setting_up.take_back_allotted(found, request.user)
        messages.success(request, f"{found.name} no longer has a managed identity of this host.")
        return redirect("portal-identities-managed")
    names = [use.connection for use in uses.of_project(found) if not use.as_agent]
    context = {
        "title": f"Take the managed identity of {found.name} back?",
        "consequences": [
            f"The next call gets an error through: {', '.join(names)}." if names else "No connection uses it.",
            "The identity itself, and its roles, stay as they are in Azure.",
        ],
        "action_label": "Take back",
        "appearance": "destructive",
        "cancel_url": reverse("portal-identities-managed"),
    }
    return render(request, "confirm.html", context)


@require_safe
@owner_only
def list_keys(request: HttpRequest) -> HttpResponse:
    keys = signing_keys.current()
    context = {"keys": keys, "issuer": issuer.issuer(), "jwks_uri": issuer.metadata()["jwks_uri"]}
    context |= {"ready_at": keys.waiting.made_at + signing_keys.PUBLISHED_AHEAD, "days": settings.SIGNING_KEY_DAYS}
    return render(request, "identities/portal/keys.html", frame("keys") | context)


@require_http_methods(["GET", "HEAD", "POST"])
@owner_only
def rotate(request: HttpRequest) -> HttpResponse:
    if request.method == "POST":
        try:
            signing_keys.rotate(log.Actor.of(request.user))
        except signing_keys.TooSoon as wait:
            messages.warning(request, _too_soon(wait))
        else:
            messages.success(request, "The key is rotated. Tokens are signed by the key that waited.")
        return redirect("portal-identities-keys")
    context = {
        "title": "Rotate the signing key?",
        "consequences": [
            "The key that waits signs from now on, and a new one waits. No call breaks: endpoints know the waiting key "
            "already, and the old one stays published until its last token has ended.",
            "Endpoints that were given a key by hand, instead of the JWKS address, need the new one.",
        ],
        "action_label": "Rotate",
        "cancel_url": reverse("portal-identities-keys"),
    }
    return render(request, "confirm.html", context)


def _too_soon(wait: signing_keys.TooSoon) -> str:
    return (
        "The key was not rotated. The next one has to be published for an hour, so that every endpoint knows it "
        f"before it signs. Rotate it {moments.words(wait.at)}."
    )
