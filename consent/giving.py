"""Who could let an agent act for them through a connection, who has, and what keeps the others from being asked."""

from dataclasses import dataclass

from django.db.models import Q

from connections import calls
from connections.models import Connection
from connections.troubleshooting import Entry, entry
from consent import clients
from consent.models import Grant
from portal.agents.models import Agent, SpeakingPermission
from portal.agents.pages import speaking_of
from portal.agents.speaking import people_of
from portal.users import User


@dataclass(frozen=True)
class Hindrance:
    """Why people get no consent link through this agent; `agent` None for the connection as a whole."""

    agent: Agent | None
    title: str
    remedy: str


def agents_of(connection: Connection):
    """The agents that may call the connection and are enabled, by name."""
    given = Q(project=connection.project_id) if connection.given_to_all else Q(given__connection=connection)
    agents = Agent.objects.filter(given, project=connection.project_id, disabled_at=None)
    return agents.select_related("speaking", "registered_by").distinct().order_by("name")


def spoken_for(agent: Agent, able: set[User]) -> set[User]:
    """Those of `able` whom the agent may name as its user now. The portal's own calls for whoever is signed in."""
    if agent.is_playground:
        return able
    permission: SpeakingPermission | None = speaking_of(agent)
    if permission is None:
        return set()
    return able if permission.everyone else able & set(permission.people.all())


def people_who_gave(connection: Connection) -> int:
    return _people(connection, Grant.State.ACTIVE)


def state_of_grants(connection: Connection) -> str:
    """ "2 people connected, 1 needs consent again"; one counts once for each, whatever the number of agents."""
    people = {state: _people(connection, state) for state in (Grant.State.ACTIVE, Grant.State.NEEDS_CONSENT)}
    connected, again = people.values()
    words = [f"{connected} {'person' if connected == 1 else 'people'} connected"]
    if again:
        words.append(f"{again} need{'s' if again == 1 else ''} consent again")
    return ", ".join(words)


def _people(connection: Connection, state: str) -> int:
    return Grant.objects.filter(connection=connection, state=state).values("user").distinct().count()


def consented(connection: Connection) -> tuple[int, int]:
    """How many of those who can be asked have consented for every agent that may ask them.

    Nobody has to try the playground: it only counts where no other agent asks.
    """
    able, agents = set(people_of(connection.project)), list(agents_of(connection))
    agents = [agent for agent in agents if not agent.is_playground] or agents
    asked = {(agent.id, user.id) for agent in agents for user in spoken_for(agent, able)}
    active = Grant.objects.filter(connection=connection, state=Grant.State.ACTIVE)
    missing = asked - set(active.values_list("agent_id", "user_id"))
    people = {user for _, user in asked}
    return len(people - {user for _, user in missing}), len(people)


def withdrawn(connection: Connection) -> Entry | None:
    """Why nobody can use the publisher's app through the connection; None where there is nothing to say."""
    code = clients.hindrance(connection) if connection.settings.get("publisher") else ""
    return entry(code) if code else None


def hindrances(connection: Connection) -> list[Hindrance]:
    """What the A2A page means by "you don't get a consent link when you expect one", found rather than guessed."""
    agents = list(agents_of(connection))
    if not agents:
        return [Hindrance(None, "No agent may use this connection yet.", "Give it to an agent.")]
    called = calls.last_per_agent(connection)
    found = []
    for agent in agents:
        if agent.is_playground:
            continue
        if speaking_of(agent) is None:
            remedy = "An owner can allow it on the agent's page. Until then a call that names a user is refused."
            found.append(Hindrance(agent, f"{agent.name} may not speak for users.", remedy))
        elif agent.id not in called:
            remedy = "People get their link when it calls for them, or through Connect in My consents."
            found.append(Hindrance(agent, f"{agent.name} has never called this connection.", remedy))
    return found
