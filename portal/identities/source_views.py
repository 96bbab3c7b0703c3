"""Where a project's identities come from: the choice, and the blueprint with its proof."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from django.views.decorators.http import require_http_methods

from portal.identities import making, pages, roster, setting_up, uses
from portal.identities.forms import ID_TAKEN, BlueprintForm, SourceForm
from portal.identities.models import IdentitySource, Proof, Source
from portal.projects.access import access_of, requires
from portal.projects.models import Project
from portal.projects.roles import Permission


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.IDENTITY_WRITE)
def choose_source(request: HttpRequest, project: Project) -> HttpResponse:
    source = roster.source_of(project)
    form = SourceForm(request.POST or None)
    if form.is_valid():
        kind = Source(form.cleaned_data["kind"])
        if kind != source.kind and request.POST.get("confirmed") != "yes":
            return render(request, "identities/switching.html", _switching(project, source, kind))
        return _chosen(request, project, kind)
    context = {"project": project, "form": form, "source": source, "sources": Source}
    return render(request, "identities/source.html", context, status=422 if form.is_bound else 200)


def _chosen(request: HttpRequest, project: Project, kind: Source) -> HttpResponse:
    setting_up.choose_source(project, kind, request.user)
    messages.success(request, f"The identities of {project.name} come from: {kind.label}.")
    if kind == Source.ENTRA and not roster.source_of(project).blueprint:
        return redirect("identity-blueprint", project.name)
    return redirect("identities", project.name)


def _switching(project: Project, source: IdentitySource, kind: Source) -> dict:
    """What stops, by name: each connection that speaks as an identity, and as which one then."""
    now = [row for row in pages.rows_of(project) if row.uses or row.agents]
    return {
        "project": project,
        "kind": kind,
        "uses": uses.of_project(project),
        "rows": now,
        "has_blueprint": bool(source.blueprint),
        "is_to_entra": kind == Source.ENTRA,
        "was_used": project.identities.filter(source=kind).exclude(client_id="").exists(),
    }


@require_http_methods(["GET", "HEAD", "POST"])
@sensitive_post_parameters()
@sensitive_variables()
@requires(Permission.IDENTITY_WRITE)
def blueprint(request: HttpRequest, project: Project) -> HttpResponse:
    source = roster.source_of(project)
    if source.kind != Source.ENTRA:
        return redirect("identity-source", project.name)
    may_use_host = access_of(request.user, None).allows(Permission.AUDIENCE_WRITE)
    form = BlueprintForm(request.POST or None, source=source, may_use_host=may_use_host)
    if form.is_valid():
        try:
            setting_up.set_blueprint(
                project, form.entered, request.user, clearing=request.POST.get("clearing") == "yes"
            )
        except setting_up.WouldClear as question:
            return render(request, "identities/clearing.html", _clearing(project, form, question))
        except setting_up.IdTaken:
            form.add_error("blueprint", ID_TAKEN)
        else:
            messages.success(request, "The blueprint is saved.")
            wants_value = not form.entered.proof.is_of_host and not roster.source_of(project).proof_value
            return redirect("identity-blueprint" if wants_value else "identities", project.name)
    context = {
        "project": project,
        "source": source,
        "form": form,
        "may_use_host": may_use_host,
        "proofs": _proofs(form, may_use_host),
        "portal_owners": pages.portal_owners(),
        "steps": making.of_blueprint(source),
        "had_value": form.is_bound and any(request.POST.get(name) for name in ("secret", "certificate")),
    }
    return render(request, "identities/blueprint.html", context, status=422 if form.is_bound else 200)


HINTS = {
    Proof.CLIENT_SECRET: "A password of the blueprint. Quick to begin with; it expires.",
    Proof.CERTIFICATE: "A key pair whose public half the blueprint knows.",
    Proof.MANAGED_IDENTITY: "Nothing to keep and nothing that expires, where this portal runs in Azure.",
    Proof.TOKEN_FILE: "Nothing to keep, where this portal runs in Kubernetes with workload identity.",
}


def _proofs(form: BlueprintForm, may_use_host: bool) -> list[dict]:
    """The ways as radio cards; what the host is can only be chosen by the owner of the portal."""
    chosen = form["proof"].value()
    return [
        {
            "value": proof.value,
            "label": proof.label,
            "hint": HINTS[proof],
            "chosen": proof == chosen,
            "barred": proof.is_of_host and not may_use_host and proof != form.source.proof,
        }
        for proof in Proof
    ]


def _clearing(project: Project, form: BlueprintForm, question: setting_up.WouldClear) -> dict:
    """The question carries everything that was entered but a secret."""
    sent = ("tenant", "blueprint", "proof", "host_identity", "expires_on")
    return {
        "project": project,
        "question": question,
        "echo": [(name, form.data.get(name, "")) for name in sent],
        "typed": bool(form.entered.value),
        "cancel_url": reverse("identity-blueprint", args=[project.name]),
    }
