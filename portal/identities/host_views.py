"""What of the portal's host projects may be, and the keys of the portal's own issuer: the owner's pages."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from portal.audit import log
from portal.identities import issuer, roster, setting_up, signing_keys, uses
from portal.identities.audience_views import frame, owner_only
from portal.identities.forms import ID_TAKEN
from portal.identities.models import Identity, IdentitySource, Proof, Source
from portal.identities.portal_forms import AllotForm
from portal.projects.models import Project
from portal.templatetags import moments


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
    context = {"keys": signing_keys.current(), "issuer": issuer.issuer(), "jwks_uri": issuer.metadata()["jwks_uri"]}
    context |= {"days": settings.SIGNING_KEY_DAYS}
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
