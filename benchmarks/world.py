"""What `make bench` calls through: one project, an agent with its key, a user, and a connection of each method."""

import json
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from connections import secrets
from connections.methods import method_of
from connections.models import Connection, Given
from consent.models import Grant
from consent.terms import Terms
from portal import vault
from portal.agents import keys, speaking
from portal.agents.models import Agent
from portal.identities import audiences
from portal.projects.models import Project, RoleAssignment
from portal.projects.roles import Role
from portal.users import User

AUDIENCE = "api://bench"
KEY, NEXT_KEY, TOKEN = "the-key-of-the-benchmark", "the-next-key-of-the-benchmark", "the-token-of-the-benchmark"
CREDENTIALS = json.dumps({KEY: "key", NEXT_KEY: "next", f"Bearer {TOKEN}": "oauth"})
METHODS = {
    "key": "key-based",
    "oauth": "oauth-identity-passthrough",
    "entra": "microsoft-entra-agent-identity",
}
SETTINGS = {
    "key": {},
    "entra": {"audience": AUDIENCE},
    "oauth": {
        "client_id": "bench",
        "authorization_url": "http://127.0.0.1:9/authorize",
        "token_url": "http://127.0.0.1:9/token",
        "scopes": ["read"],
    },
}
NO_LIMIT = {"calls_per_minute": 100_000_000, "calls_at_once": 10_000}


@dataclass(frozen=True)
class Way:
    """A connection and who calls through it; `word` is what the endpoint says of its credential."""

    word: str
    connection: Connection
    agent: Agent
    user: User
    key: str

    @property
    def path(self) -> str:
        return f"/a2a/{self.connection.project.name}/{self.connection.name}"

    @property
    def headers(self) -> dict[str, str]:
        spoken = {"X-MS-User-Identity": self.user.email}
        return {"Authorization": f"Bearer {self.key}", "A2A-Version": "1.0", **spoken}


def make_owner(endpoint: str) -> User:
    """Who may change everything; and what the portal's owner has allowed."""
    owner = User.objects.create_user("owner@bench.example", None, name="Olive Owner")
    RoleAssignment.objects.create(user=owner, role=Role.OWNER, project=None)
    audiences.enter(AUDIENCE, [audiences.origin_of(endpoint)], "", owner)
    return owner


def make_way(word: str, endpoint: str, owner: User, number: int = 0) -> Way:
    """With a project, agent, user and key of its own. Sealed as always; the grant's token lives for a day."""
    project = Project.objects.create(name=f"bench-{word}-{number}")
    agent = Agent.objects.create(project=project, name="caller")
    user = User.objects.create_user(f"ben.{word}.{number}@bench.example", None, name="Ben Bench")
    RoleAssignment.objects.create(user=user, role=Role.AI_USER, project=project)
    speaking.allow(agent, owner, people=[user], until=None)
    connection = Connection.objects.create(
        project=project,
        name=f"{word}-{number}",
        endpoint=endpoint,
        auth_method=METHODS[word],
        settings=SETTINGS[word],
        interfaces=[{"url": endpoint, "binding": "JSONRPC", "version": "1.0"}],
        **NO_LIMIT,
    )
    Given.objects.create(connection=connection, agent=agent)
    _store_credential(word, connection, agent, user)
    return Way(word, connection, agent, user, keys.make(agent, "bench", owner)[1])


def _store_credential(word: str, connection: Connection, agent: Agent, user: User) -> None:
    if word == "key":
        addresses = method_of(connection).addresses(connection, "credential")
        secrets.store(connection, secrets.NewSecret("credential", 0, "x-api-key", KEY), addresses, by=None)
    elif word == "oauth":
        terms = Terms.now(connection).stored()
        grant = Grant(connection=connection, agent=agent, user=user, terms=terms, scopes_given=terms["scopes"])
        grant.access_token = vault.seal(TOKEN, grant.binding("access_token"))
        grant.refresh_token = vault.seal("never used", grant.binding("refresh_token"))
        grant.expires_at = timezone.now() + timedelta(days=1)
        grant.save()
