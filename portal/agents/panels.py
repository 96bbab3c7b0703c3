"""What upper storeys add to an agent's pages, so that this storey need not know them.

A storey above subclasses `AgentPanel` and registers it in its AppConfig.ready:

    panels.register(GivenConnections())

The agent's page then shows the panel's template and commands, the list of agents its column, and the confirmations of
"Disable" and "Delete" name what it says will stop.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.http import HttpRequest

from portal.agents.models import Agent
from portal.projects.models import Project
from portal.users import User


@dataclass(frozen=True)
class Command:
    """One more entry of the agent's command bar."""

    label: str
    icon: str
    url: str


class AgentPanel:
    template: str
    column: str

    def context(self, request: HttpRequest, agent: Agent) -> dict:
        """What the template needs; `agent` is there already."""
        raise NotImplementedError

    def counts(self, project: Project) -> dict[UUID, int]:
        """Agent id to the number in the list's column; an agent left out has none."""
        raise NotImplementedError

    def commands(self, request: HttpRequest, agent: Agent) -> Sequence[Command]:
        return ()

    def what_stops(self, agent: Agent) -> Sequence[str]:
        """Sentences for whoever is about to disable or delete the agent."""
        return ()

    def before_deletion(self, agent: Agent, by: User) -> None:
        """Called in the transaction that deletes the agent, before it does."""


_panels: list[AgentPanel] = []


def register(panel: AgentPanel) -> None:
    _panels.append(panel)


def panels() -> Sequence[AgentPanel]:
    return tuple(_panels)
