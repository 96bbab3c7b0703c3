"""Publishing an agent gives it an identity of its own; before, the agents of a project share one.

Roles that were assigned to the shared identity do not carry over. Taking it back makes the agent use the shared one
again; its own is kept with its ids, so that publishing again needs no new assignments.
"""

from django.utils import timezone

from portal.agents.models import Agent
from portal.audit import changes, events, log
from portal.identities import roster
from portal.identities.models import Identity, Source
from portal.users import User


def identity_of(agent: Agent) -> Identity:
    """Who the agent is to endpoints now."""
    return own_of(agent) if agent.is_published else roster.shared_by_agents(agent.project)


def own_of(agent: Agent, source: Source | None = None) -> Identity:
    return roster.own_of_agent(agent.project, agent.id, agent.name, source)


def make_own(agent: Agent, by: User) -> Identity:
    """Before it is used, so that roles can be assigned to it."""
    with changes.announced():
        is_new = not agent.identities.filter(source=roster.source_of(agent.project).kind).exists()
        own = own_of(agent)
        if is_new:
            _log(events.AGENT_IDENTITY_MADE, agent, own, by)
    return own


def publish(agent: Agent, by: User) -> Identity:
    """The agent's own identity, used from the next call on; publishing twice is no error."""
    with changes.announced():
        own = own_of(agent)
        now = {"published_at": timezone.now(), "published_by": by}
        if Agent.objects.filter(pk=agent.pk, published_at=None).update(**now):
            _log(events.AGENT_PUBLISHED, agent, own, by)
            agent.published_at, agent.published_by = now.values()
    return own


def unpublish(agent: Agent, by: User) -> Identity:
    """The shared identity, used again from the next call on."""
    with changes.announced():
        shared = roster.shared_by_agents(agent.project)
        published = Agent.objects.filter(pk=agent.pk, published_at__isnull=False)
        if published.update(published_at=None, published_by=None):
            _log(events.AGENT_UNPUBLISHED, agent, shared, by)
            agent.published_at = agent.published_by = None
    return shared


def _log(event: events.Event, agent: Agent, identity: Identity, by: User) -> None:
    details = {"identity": identity.name, "client_id": identity.client_id}
    log.record(event, log.Actor.of(by), project=agent.project, agent=agent, details=details)
