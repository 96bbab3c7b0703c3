"""Where a project's identities come from, and their ids: chosen, entered, allotted, disabled.

What was obtained under other ids or from another source is forgotten in the same transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from django.utils import timezone

from portal import vault
from portal.audit import changes, log
from portal.identities import entra, events, roster, tokens
from portal.identities.models import Identity, IdentitySource, Proof, Source
from portal.installation import Installation
from portal.projects.access import access_of
from portal.projects.models import Project
from portal.projects.roles import Permission
from portal.users import User

OF_BLUEPRINT = (Identity.Kind.SHARED, Identity.Kind.AGENT)


class IdTaken(Exception):
    """Another identity or blueprint of this portal has the client id; whose it is, is not said."""


class NoTenant(Exception):
    """The blueprint, and with it the tenant, has to be set first."""


class WouldClear(Exception):
    """The change makes the stored proof useless, and the ids of these identities; saving it removes them (T01)."""

    def __init__(self, *, proof: bool, identities: Sequence[Identity]) -> None:
        super().__init__("stored values would be cleared")
        self.proof, self.identities = proof, identities


@dataclass(frozen=True)
class Blueprint:
    """What a person entered. An empty `value` keeps the stored one, where it still fits."""

    tenant: str
    blueprint: str
    proof: Proof
    host_identity: str = ""
    expires_on: date | None = None
    value: str = field(default="", repr=False)


def choose_source(project: Project, kind: Source, by: User) -> None:
    """Agents and connections act as other identities from the next call on. Choosing the same twice is no error."""
    with changes.announced():
        source = _locked(project)
        if source.kind == kind:
            return
        source.kind, source.changed_at = kind, timezone.now()
        source.save()
        tokens.forget(project.identities.all())
        log.record(events.SOURCE_CHOSEN, log.Actor.of(by), project=project, details={"source": kind.label})


def set_blueprint(project: Project, entered: Blueprint, by: User, *, clearing: bool = False) -> None:
    """Raises WouldClear unless `clearing`, IdTaken, and NeedsRole where the host would speak for another blueprint.

    A blueprint has one project: whoever can prove it gets tokens of all its agent identities.
    """
    with changes.announced():
        source = _locked(project)
        _check_free(entered.blueprint, project=project)
        moved = (source.tenant, source.blueprint) != (entered.tenant, entered.blueprint)
        refitted = moved or source.proof != entered.proof
        if entered.proof.is_of_host and (refitted or source.host_identity != entered.host_identity):
            access_of(by, None).require(Permission.AUDIENCE_WRITE)
        stale = list(_with_ids(project)) if moved else []
        lost = bool(source.proof_value) and refitted
        if (stale or lost and not entered.value) and not clearing:
            raise WouldClear(proof=lost and not entered.value, identities=stale)
        source.tenant, source.blueprint, source.proof = entered.tenant, entered.blueprint, entered.proof
        source.host_identity = entered.host_identity if entered.proof.is_of_host else ""
        if refitted:
            source.proof_value, source.proof_set_at, source.proof_set_by = "", None, None
        source.proof_expires_on = None if entered.proof.is_of_host else entered.expires_on
        _seal(source, entered.value, by)
        source.changed_at = timezone.now()
        source.save()
        for identity in stale:
            _set_ids(identity, "", "", "", None)
        tokens.forget(project.identities.all())
        _log_blueprint(source, entered, by)


def enter_ids(identity: Identity, client_id: str, principal_id: str, by: User) -> None:
    """The ids of an agent identity of the project's blueprint. Raises NoTenant or IdTaken.

    Never of one that the portal's own issuer speaks for: whoever chose its ids could name another project's, and the
    portal would sign that. The page may have looked before the source was switched, so it is asked here.
    """
    with changes.announced():
        source = _locked(identity.project)
        of_blueprint = identity.source == Source.ENTRA and identity.kind in OF_BLUEPRINT
        if not of_blueprint or not source.tenant or not source.blueprint:
            raise NoTenant
        _check_free(client_id, identity=identity)
        _set_ids(identity, source.tenant, client_id, principal_id, by)
        _log(events.IDENTITY_SET_UP, identity, by)


def allot(project: Project, proof: Proof, tenant: str, client_id: str, principal_id: str, by: User) -> Identity:
    """A managed or workload identity of the host becomes the project's. Raises IdTaken, and NeedsRole."""
    access_of(by, None).require(Permission.AUDIENCE_WRITE)
    with changes.announced():
        source = _locked(project)
        identity = roster.managed_of(project, Source.ENTRA)
        _check_free(client_id, identity=identity)
        source.project_proof = proof
        source.save()
        _set_ids(identity, tenant, client_id, principal_id, by)
        _log(events.IDENTITY_ALLOTTED, identity, by, proof=proof.label)
    return identity


def take_back_allotted(project: Project, by: User) -> None:
    """The project gets no token of the host's from its next call on. Raises NeedsRole."""
    access_of(by, None).require(Permission.AUDIENCE_WRITE)
    with changes.announced():
        source = _locked(project)
        identity = roster.managed_of(project, Source.ENTRA)
        if not identity.is_set_up:
            return
        _log(events.IDENTITY_TAKEN_BACK, identity, by)
        source.project_proof = ""
        source.save()
        _set_ids(identity, "", "", "", None)


def disable(identity: Identity, by: User) -> None:
    """No token is made and no kept one is used. Disabling twice is no error."""
    with changes.announced():
        rows = Identity.objects.filter(pk=identity.pk, disabled_at=None)
        if rows.update(disabled_at=timezone.now(), disabled_by=by):
            tokens.forget([identity])
            _log(events.IDENTITY_DISABLED, identity, by)


def enable(identity: Identity, by: User) -> None:
    with changes.announced():
        rows = Identity.objects.filter(pk=identity.pk, disabled_at__isnull=False)
        if rows.update(disabled_at=None, disabled_by=None):
            _log(events.IDENTITY_ENABLED, identity, by)


def _locked(project: Project) -> IdentitySource:
    """The project's row, made where it never chose: two changes at once must not see the same past."""
    IdentitySource.objects.get_or_create(project=project)
    return IdentitySource.objects.select_for_update(of=("self",)).select_related("project").get(project=project)


def _with_ids(project: Project):
    rows = project.identities.filter(source=Source.ENTRA, kind__in=OF_BLUEPRINT)
    return rows.exclude(client_id="").select_related("agent").order_by("name")


def _seal(source: IdentitySource, value: str, by: User) -> None:
    if not value:
        return
    binding = source.binding(entra.token_endpoint_of(source.tenant))
    source.proof_value = vault.seal(value, binding)
    source.proof_set_at, source.proof_set_by = timezone.now(), by


def _check_free(client_id: str, *, identity: Identity | None = None, project: Project | None = None) -> None:
    """For this identity, or as this project's blueprint. Raises IdTaken.

    A tenant has several spellings (its names and its id), so the tables' own constraint is not enough.
    """
    Installation.objects.select_for_update().first()
    identities = Identity.objects.filter(source=Source.ENTRA, client_id=client_id)
    blueprints = IdentitySource.objects.filter(blueprint=client_id)
    if identities.exclude(pk=identity and identity.pk).exists() or blueprints.exclude(project=project).exists():
        raise IdTaken


def _set_ids(identity: Identity, tenant: str, client_id: str, principal_id: str, by: User | None) -> None:
    identity.tenant, identity.client_id, identity.principal_id = tenant, client_id, principal_id
    identity.set_up_at, identity.set_up_by = (timezone.now(), by) if client_id else (None, None)
    identity.save(update_fields=["tenant", "client_id", "principal_id", "set_up_at", "set_up_by"])
    tokens.forget([identity])


def _log_blueprint(source: IdentitySource, entered: Blueprint, by: User) -> None:
    details = {"tenant": source.tenant, "blueprint": source.blueprint, "proof": entered.proof.label}
    details["value"] = "replaced" if entered.value else "kept" if source.proof_value else "none"
    log.record(events.BLUEPRINT_SET, log.Actor.of(by), project=source.project, details=details)


def _log(event: events.Event, identity: Identity, by: User, **more: str) -> None:
    details = {"identity": identity.name, "tenant": identity.tenant, "client_id": identity.client_id, **more}
    log.record(event, log.Actor.of(by), project=identity.project, agent=identity.agent, details=details)
