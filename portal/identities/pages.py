"""What the identities' pages show: rows, failures in words, who lists audiences, what to assign."""

from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Prefetch
from django.utils import timezone

from portal.audit import reasons
from portal.identities import issuer, roster, uses
from portal.identities.entra import authority_of
from portal.identities.models import Audience, Identity, IdentitySource, IdentityToken, Source
from portal.identities.uses import Use
from portal.projects.models import Project, RoleAssignment
from portal.projects.roles import Permission, roles_with
from portal.users import User

WARN = timedelta(days=14)
Kind = Identity.Kind


@dataclass(frozen=True)
class Failure:
    """An audience for which no token could be had, since when, and why."""

    token: IdentityToken
    reason: reasons.Explanation


@dataclass(frozen=True)
class IdentityRow:
    identity: Identity
    agents: list
    uses: list[Use]

    @property
    def state(self) -> str:
        return self.identity.state.value

    @property
    def failures(self) -> list[Failure]:
        return [Failure(token, explained(token.failure)) for token in self.identity.tokens.all() if token.is_failing]

    @property
    def issuer(self) -> str:
        return issuer_of(self.identity)

    @property
    def waiting(self) -> list:
        """The published agents that wait for it."""
        return self.agents if self.state == Identity.State.NOT_SET_UP and self.identity.kind == Kind.AGENT else []

    @property
    def assign(self) -> str:
        return what_to_assign(self.identity, self.uses)


def explained(code: str) -> reasons.Explanation:
    return reasons.explain(code) or reasons.Explanation(f"No token could be had ({code}).")


def rows_of(project: Project) -> list[IdentityRow]:
    """The identities of the present source: shared, the project's, then those of agents by name.

    An agent's own that has no ids and that nobody uses is left out.
    """
    kind = Source(roster.source_of(project).kind)
    roster.shared_by_agents(project, kind)
    roster.managed_of(project, kind)
    agents = list(project.agents.order_by("name"))
    have = set(project.identities.filter(source=kind, kind=Kind.AGENT).values_list("agent_id", flat=True))
    for agent in agents:
        if agent.is_published and agent.id not in have:
            roster.own_of_agent(project, agent.id, agent.name, kind)
    order = {Kind.SHARED: 0, Kind.PROJECT: 1, Kind.AGENT: 2}
    found = sorted(identities(project).filter(source=kind), key=lambda one: (order[one.kind], one.name))
    known = uses.of_project(project)
    rows = [row_of(identity, known, agents) for identity in found]
    return [row for row in rows if row.agents or row.identity.is_set_up or row.identity.kind != Kind.AGENT]


def row_of(identity: Identity, known: list[Use] | None = None, agents: list | None = None) -> IdentityRow:
    return IdentityRow(identity, uses.agents_of(identity, agents), uses.of_identity(identity, known, agents))


def identities(project: Project):
    """The lookup inside the project keeps those of others out of reach (T04)."""
    tokens = Prefetch("tokens", IdentityToken.objects.defer("value").order_by("audience"))
    people = ("project", "agent", "set_up_by", "disabled_by")
    return project.identities.select_related(*people).prefetch_related(tokens)


def issuer_of(identity: Identity) -> str:
    """What the token's `iss` says; Entra has two spellings, by the version that the endpoint's application asks for."""
    if identity.source == Source.PORTAL:
        return issuer.issuer()
    return f"{authority_of(identity.tenant)}/v2.0" if identity.tenant else ""


def what_to_assign(identity: Identity, used: list[Use]) -> str:
    """Text for the owner of an endpoint."""
    lines = [
        f"Please assign the role that {_endpoints(used)} needs to this identity:",
        f"Name: {identity.name}",
        f"Principal ID (object ID): {identity.principal_id}",
        f"Client ID (application ID): {identity.client_id}",
        f"Tenant: {identity.tenant}",
        f"Issuer: {issuer_of(identity)}",
    ]
    if identity.source == Source.PORTAL:
        lines.append(f"Keys of the issuer: {issuer.metadata()['jwks_uri']}")
        lines.append("In its tokens, sub and oid are the principal ID.")
    audiences = sorted({use.audience for use in used if use.audience})
    return "\n".join([*lines, *(f"Audience: {audience}" for audience in audiences)])


def _endpoints(used: list[Use]) -> str:
    return " and ".join(sorted({f"{use.connection} ({use.host})" for use in used})) or "the endpoint"


def portal_owners() -> list[User]:
    """Who can list audiences and allot what the host is."""
    roles = roles_with(Permission.AUDIENCE_WRITE)
    rows = RoleAssignment.objects.current().filter(project=None, role__in=roles, user__is_active=True)
    return list(User.objects.filter(role_assignments__in=rows).distinct().order_by("name", "email"))


def audiences_context(project: Project) -> dict:
    """The listed audiences, and the request for another one. The connection form may include the same template."""
    return {
        "audiences": list(Audience.objects.order_by("name")),
        "portal_owners": portal_owners(),
        "request_for_audience": "\n".join(
            [
                f"Please list an audience for the project {project.name} (Home, Identities, Audiences):",
                "Audience: api://…",
                "Destination origin: https://…",
                "What it is: …",
            ]
        ),
    }


def proof_ends(source: IdentitySource) -> date | None:
    """The last day of the blueprint's proof, where it is near or over."""
    ends = source.proof_expires_on
    near = source.kind == Source.ENTRA and bool(source.proof_value)
    return ends if near and ends is not None and ends <= timezone.localdate() + WARN else None
