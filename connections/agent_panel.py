"""What this storey adds to an agent's pages: the connections given to it. See `portal.agents.panels`."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse

from connections.methods import method_of, methods
from connections.models import Connection, Given
from portal.agents.models import Agent
from portal.agents.panels import AgentPanel, Command
from portal.audit import calls
from portal.projects.models import Project
from portal.projects.roles import Permission
from portal.users import User


@dataclass(frozen=True)
class Row:
    """A connection that the agent can call: given to it by somebody, or given to all agents."""

    connection: Connection
    acts_as: str
    given_by: User | None
    last: calls.Ended | None
    to_all: bool

    @property
    def method(self) -> str:
        return method_of(self.connection).label


class GivenConnections(AgentPanel):
    template = "connections/agent_panel.html"
    column = "Connections"

    def context(self, request: HttpRequest, agent: Agent) -> dict:
        may_read = request.access.allows(Permission.CONNECTION_READ)
        return {
            "rows": rows_of(agent) if may_read else [],
            "may_read": may_read,
            "never": "never" if calls.are_all_newest(agent.id) else "not lately",
            "may_give": request.access.allows(Permission.CONNECTION_WRITE),
        }

    def counts(self, project: Project) -> dict[UUID, int]:
        to_all = project.connections.filter(given_to_all=True).count()
        given = Given.objects.filter(connection__project=project, connection__given_to_all=False)
        counted = Counter(given.values_list("agent_id", flat=True))
        return {agent_id: to_all + counted[agent_id] for agent_id in project.agents.values_list("id", flat=True)}

    def commands(self, request: HttpRequest, agent: Agent) -> Sequence[Command]:
        if not request.access.allows(Permission.CONNECTION_WRITE):
            return ()
        give = reverse("agent-connection-give", args=[agent.project.name, agent.name])
        return (Command("Give a connection", "plug-connected", give),)

    def what_stops(self, agent: Agent) -> Sequence[str]:
        names = [connection.name for connection in callable_by(agent)]
        given = [sentence for method in methods() for sentence in method.what_stops_with(agent)]
        if not names:
            return given
        word = "connection" if len(names) == 1 else "connections"
        return (f"It can no longer call the {word} {', '.join(names)}. What is stored in them stays.", *given)

    def before_deletion(self, agent: Agent, by: User) -> None:
        for method in methods():
            method.before_agent_goes(agent, by)


def callable_by(agent: Agent):
    """The connections that the agent may call, by name."""
    mine = Q(given_to_all=True) | Q(given__agent=agent)
    return Connection.objects.filter(mine, project=agent.project_id).distinct().order_by("name")


def rows_of(agent: Agent) -> list[Row]:
    given = {row.connection_id: row for row in agent.given.select_related("given_by")}
    last = calls.last_per_connection(agent.id)
    return [
        Row(
            connection,
            method_of(connection).acts_as(connection, agent),
            given[connection.id].given_by if connection.id in given else None,
            last.get(connection.id),
            connection.id not in given,
        )
        for connection in callable_by(agent).select_related("project")
    ]
