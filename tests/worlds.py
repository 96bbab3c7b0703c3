"""A project with one of everything that an address can name: what the tests of isolation walk through.

Whoever adds a route with a new parameter adds it to `named_in_addresses`; the tests say so by name.
"""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from django.urls import URLPattern, get_resolver, reverse
from django.utils import timezone

from connections.models import Connection
from consent.models import Block, ClientKey, ConsentRequest, Grant, PublisherApp
from portal.agents.models import Agent
from portal.audit import events, log
from portal.audit.models import LogRow
from portal.identities import audiences, roster
from portal.identities.models import Identity
from portal.projects.invitations import digest_of
from portal.projects.models import Invitation, Project, RoleAssignment
from portal.projects.roles import Permission, Role
from portal.users import User
from tests import factories

# Stands in texts that no request of these tests sends, so that finding it in an answer is a leak.
MARK = "quetzalcoatlus"


@dataclass(frozen=True)
class World:
    project: Project
    person: User
    agent: Agent
    connection: Connection
    assignment: RoleAssignment
    invitation: Invitation
    token: str
    row: LogRow
    grant: Grant
    asking: ConsentRequest
    block: Block
    key_set: UUID
    identity: Identity
    on_portal: dict[str, object]

    def named_in_addresses(self) -> dict[str, object]:
        """Every parameter of every route, with this project's object under it."""
        return {
            "project": self.project.name,
            "agent": self.agent.name,
            "connection": self.connection.name,
            "key": self.agent.keys.get().id,
            "assignment": self.assignment.id,
            "invitation": self.invitation.id,
            "person": self.person.id,
            "token": self.token,
            "row": self.row.uid,
            "connection_id": self.connection.id,
            "agent_id": self.agent.id,
            "grant": self.grant.id,
            "asking": self.asking.id,
            "key_set": self.key_set,
            "block": self.block.id,
            "identity": self.identity.id,
            "publisher": "github",
        }

    def addresses_of(self, route: "Route") -> dict[str, object]:
        """What the route's parameters can name: on the portal's own pages, things that belong to no project."""
        return self.named_in_addresses() | (self.on_portal if route.on_portal else {})

    def in_queries(self) -> dict[str, str]:
        """The same under the names that forms and filters use, and the ids beside the names."""
        named = {name: str(value) for name, value in self.named_in_addresses().items()}
        ids = {
            "project_id": self.project.id,
            "agents": self.agent.id,
            "connections": self.connection.id,
            "give_to": self.agent.id,
            "people": self.person.id,
            "user": self.person.id,
            "on": self.project.name,
            "scope": "portal",
            "id": self.assignment.id,
        }
        return named | {name: str(value) for name, value in ids.items()}


def make(name: str, mark: str = "") -> World:
    project = factories.make_project(name, display_name=f"Project {mark}", description=f"About {mark}")
    owner = factories.make_user(f"Olive {mark}", email=f"{mark or 'plain'}.olive.{name}@contoso.example")
    factories.give(owner, Role.OWNER, project)
    person = factories.make_user(f"Pat {mark}", email=f"{mark or 'plain'}.pat.{name}@contoso.example")
    assignment = factories.give(person, Role.AI_USER, project)
    agent = factories.make_agent(project, f"agent-of-{name}", display_name=f"Agent {mark}", registered_by=owner)
    factories.make_key(agent)
    connection = factories.make_connection(project, name=f"connection-of-{name}", given_to=agent)
    token = f"token-of-{name}"
    invitation = _invite(f"{mark or 'plain'}.ivy@contoso.example", project, owner, token)
    log.record(events.PROJECT_CHANGED, log.Actor.of(owner), project=project, details={"changed": mark})
    row = LogRow.objects.filter(project_id=project.id).latest("id")
    consented = _consented(connection, agent, person)
    identity = roster.shared_by_agents(project)
    Identity.objects.filter(pk=identity.pk).update(name=f"Identity {mark}")
    on_portal = _on_portal(name, owner)
    return World(
        project, person, agent, connection, assignment, invitation, token, row, *consented, identity, on_portal
    )


def _consented(connection: Connection, agent: Agent, person: User) -> tuple[Grant, ConsentRequest, Block, UUID]:
    terms = {name: f"https://{name}.contoso.example" for name in ("authorization_url", "token_url", "refresh_url")}
    terms |= {"client_id": "c", "redirect_uri": "r", "endpoints": [connection.endpoint], "scopes": []}
    who = {"connection": connection, "agent": agent, "user": person}
    soon = timezone.now() + timedelta(hours=1)
    grant = Grant.objects.create(**who, terms=terms, account=f"octocat of {person.name}")
    asking = ConsentRequest.objects.create(**who, terms=terms, expires_at=soon)
    key = ClientKey.objects.create(connection=connection, key_set=uuid4(), addresses=[], public={"kid": "k"})
    return grant, asking, Block.objects.create(agent=agent, user=person), key.key_set


def _on_portal(name: str, owner: User) -> dict[str, object]:
    someone = factories.make_user(f"Paul of {name}")
    PublisherApp.objects.get_or_create(publisher="github", defaults={"client_id": "c", "listed_by": owner})
    log.record(events.SIGNED_IN, log.Actor.of(someone))
    return {
        "assignment": factories.give(someone, Role.READER).id,
        "invitation": _invite("ike@contoso.example", None, owner, f"portal-token-of-{name}").id,
        "person": someone.id,
        "row": LogRow.objects.filter(project_id=None).latest("id").uid,
        "audience": audiences.enter(f"api://{name}", ["https://hr.contoso.example"], "", owner).id,
    }


def _invite(email: str, project: Project | None, by: User, token: str) -> Invitation:
    return Invitation.objects.create(
        email=email,
        token_digest=digest_of(token),
        role=Role.AI_USER,
        project=project,
        created_by=by,
        expires_at=timezone.now() + timedelta(days=1),
    )


@dataclass(frozen=True)
class Route:
    name: str
    view: object
    parameters: tuple[str, ...]

    @property
    def declares(self):
        return getattr(self.view, "declares", None)

    @property
    def on_portal(self) -> bool:
        return getattr(self.view, "on_portal", False)

    @property
    def needs(self) -> set[Permission]:
        """The permissions that open it; `unless_own` is asked of everybody whose own the thing is not."""
        return {self.declares, getattr(self.view, "unless_own", self.declares)}

    def url(self, values: dict[str, object]) -> str:
        missing = set(self.parameters) - set(values)
        assert not missing, f"Add {missing} of the route {self.name} to World.named_in_addresses (tests/worlds.py)."
        return reverse(self.name, kwargs={name: values[name] for name in self.parameters})


def routes() -> list[Route]:
    """Every address of the portal, allauth's included."""
    return list(_walk(get_resolver().url_patterns))


def own_routes() -> list[Route]:
    return [route for route in routes() if not route.view.__module__.startswith("allauth.")]


def _walk(patterns, outer: tuple[str, ...] = ()):
    for pattern in patterns:
        parameters = (*outer, *pattern.pattern.converters, *pattern.pattern.regex.groupindex)
        if isinstance(pattern, URLPattern):
            yield Route(pattern.name, pattern.callback, tuple(dict.fromkeys(parameters)))
        else:
            yield from _walk(pattern.url_patterns, parameters)
