"""Which connections act as an identity. This storey knows no connections; the one above tells it, in its AppConfig:

uses.register(identity_uses.of_project, identity_uses.of_audience)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from portal.identities import audiences
from portal.identities.models import Audience, Identity
from portal.outbound.errors import OutboundError
from portal.projects.models import Project


@dataclass(frozen=True)
class Use:
    """A connection whose calls carry a token of an identity: the calling agent's, or the project's.

    `agents` are those that may call it; `host` is the endpoint's, with its port, as people read it; `addresses` are
    all those that the token is sent to.
    """

    connection: str
    project: str
    url: str
    host: str
    audience: str
    as_agent: bool
    agents: frozenset[UUID]
    addresses: tuple[str, ...]

    @property
    def origins(self) -> set[str]:
        """Where the token goes, as audiences list it."""
        return {origin for address in self.addresses if (origin := _origin(address))}


OfProject = Callable[[Project], Sequence[Use]]
OfAudience = Callable[[str], Sequence[Use]]
_sources: list[tuple[OfProject, OfAudience]] = []


def register(of_project: OfProject, of_audience: OfAudience) -> None:
    _sources.append((of_project, of_audience))


def of_project(project: Project) -> list[Use]:
    return [use for ask, _ in _sources for use in ask(project)]


def of_audience(audience: Audience) -> list[Use]:
    return [use for _, ask in _sources for use in ask(audience.name)]


def cut_off(audience: Audience, origins: Sequence[str]) -> list[Use]:
    """Those that get no token any more once the audience is listed for these origins only."""
    gone = set(audience.origins) - set(origins)
    return [use for use in of_audience(audience) if gone & use.origins]


def of_agent(project: Project, agent: UUID) -> list[Use]:
    """What the agent calls as itself."""
    return [use for use in of_project(project) if use.as_agent and agent in use.agents]


def of_identity(identity: Identity, known: Sequence[Use] | None = None, agents: Sequence | None = None) -> list[Use]:
    """`known` and `agents` are all those of the project, where somebody has asked already."""
    known = of_project(identity.project) if known is None else known
    if identity.kind == Identity.Kind.PROJECT:
        return [use for use in known if not use.as_agent]
    acting = {agent.id for agent in agents_of(identity, agents)}
    return [use for use in known if use.as_agent and acting & use.agents]


def agents_of(identity: Identity, agents: Sequence | None = None) -> list:
    """The agents that act as it now, by name."""
    agents = identity.project.agents.order_by("name") if agents is None else agents
    if identity.kind == Identity.Kind.SHARED:
        return [agent for agent in agents if not agent.is_published]
    if identity.kind == Identity.Kind.AGENT:
        return [agent for agent in agents if agent.is_published and agent.id == identity.agent_id]
    return list(agents)


def _origin(address: str) -> str:
    """Empty for an address that is not called at all at present."""
    try:
        return audiences.origin_of(address)
    except OutboundError:
        return ""
