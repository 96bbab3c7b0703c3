"""The portal's own agent in each project: through it a person sends a message to a connection as themself.

It is an agent like any other: it uses what was given to it, is logged, and can be disabled. Only nobody has its key:
the digest is that of nothing, and the gateway is called inside the process.
"""

import secrets

from portal.agents.keys import PREFIX_LENGTH, PREFIX_LETTERS
from portal.agents.models import Agent, AgentKey
from portal.audit import changes, events, log
from portal.projects.models import Project
from portal.users import User

NAME = "playground"


def of(project: Project) -> Agent | None:
    return Agent.objects.filter(project=project, is_playground=True).select_related("project").first()


def ensure(project: Project, by: User) -> Agent:
    """The project's, made when somebody first wants it."""
    return of(project) or _make(project, by)


def key_of(agent: Agent) -> AgentKey:
    return agent.keys.get()


def _make(project: Project, by: User) -> Agent:
    with changes.announced():
        # Held, so that two who want it at once get one.
        Project.objects.select_for_update().get(pk=project.pk)
        if made := of(project):
            return made
        agent = Agent.objects.create(
            project=project,
            name=_free_name(project),
            description="The portal's own. People try connections through it, each as themself.",
            is_playground=True,
        )
        prefix = "".join(secrets.choice(PREFIX_LETTERS) for _ in range(PREFIX_LENGTH))
        AgentKey.objects.create(agent=agent, name="portal", prefix=prefix, digest=b"")
        log.record(events.AGENT_REGISTERED, log.Actor.of(by), project=project, agent=agent)
    return agent


def _free_name(project: Project) -> str:
    taken = {name.casefold() for name in project.agents.values_list("name", flat=True)}
    names = (NAME, *(f"{NAME}-{number}" for number in range(2, 1000)))
    return next(name for name in names if name not in taken)
