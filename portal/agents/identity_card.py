"""Who an agent is to endpoints: now, and after publishing or taking it back; what the change breaks, by name."""

from dataclasses import dataclass

from portal.agents import publishing
from portal.agents.models import Agent
from portal.identities import roster, uses
from portal.identities.models import Identity, Source
from portal.identities.pages import what_to_assign
from portal.identities.uses import Use


@dataclass(frozen=True)
class IdentityCard:
    """`own` is None while the agent has never had one of its own, from the present source."""

    agent: Agent
    shared: Identity
    own: Identity | None
    uses: list[Use]

    @property
    def own_name(self) -> str:
        return roster.name_of_own(self.agent.project, self.agent.name)

    @property
    def now(self) -> Identity:
        return self.own if self.agent.is_published and self.own else self.shared

    @property
    def waits(self) -> bool:
        """Nobody has made the identity yet that the agent's calls need: a published one says so before it calls."""
        return not self.now.is_set_up and (self.agent.is_published or bool(self.uses))

    @property
    def shared_by(self) -> list[str]:
        """The agents that act as the shared identity now."""
        return [agent.name for agent in uses.agents_of(self.shared)]

    @property
    def others(self) -> list[str]:
        return [name for name in self.shared_by if name != self.agent.name]

    @property
    def assign(self) -> str:
        return what_to_assign(self.own, self.uses) if self.own and self.own.is_set_up else ""

    @property
    def assign_shared(self) -> str:
        return what_to_assign(self.shared, self.uses) if self.shared.is_set_up else ""

    @property
    def is_of_entra(self) -> bool:
        return self.shared.source == Source.ENTRA


def of(agent: Agent) -> IdentityCard:
    shared = roster.shared_by_agents(agent.project)
    kept = agent.identities.filter(source=shared.source, kind=Identity.Kind.AGENT).first()
    own = publishing.own_of(agent) if kept or agent.is_published else None
    return IdentityCard(agent, shared, own, uses.of_agent(agent.project, agent.id))
