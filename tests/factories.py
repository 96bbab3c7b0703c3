"""Things to test with. Each function makes one row (or thing) and takes only what the test cares about."""

import itertools

from connections import secrets
from connections.methods import method_of
from connections.models import Connection, Given
from portal.agents import keys
from portal.agents.models import Agent
from portal.projects.models import Project, RoleAssignment
from portal.projects.roles import Role
from portal.users import User

_numbers = itertools.count(1)
PASSWORD = "correct horse battery"


def make_user(name: str = "Ana Ruiz", **fields) -> User:
    email = fields.pop("email", None) or f"{name.lower().replace(' ', '.')}.{next(_numbers)}@contoso.example"
    return User.objects.create_user(email, PASSWORD, name=name, **fields)


def make_project(name: str | None = None, **fields) -> Project:
    return Project.objects.create(name=name or f"project-{next(_numbers)}", **fields)


def give(user: User, role: Role, project: Project | None = None, **fields) -> RoleAssignment:
    return RoleAssignment.objects.create(user=user, role=role, project=project, **fields)


def make_member(project: Project | None, *roles: Role, name: str = "Ben Okafor") -> User:
    user = make_user(name)
    for role in roles:
        give(user, role, project)
    return user


def make_agent(project: Project, name: str | None = None, **fields) -> Agent:
    return Agent.objects.create(project=project, name=name or f"agent-{next(_numbers)}", **fields)


def make_key(agent: Agent, name: str = "web", **fields) -> str:
    """The key itself, as an agent holds it."""
    by = fields.pop("by", None) or make_user("Key Maker")
    return keys.make(agent, name, by, **fields)[1]


def make_connection(
    project: Project,
    endpoint: str = "https://ledger.contoso.example/a2a",
    name: str | None = None,
    credential: tuple[str, str] | None = ("x-api-key", "ledger-secret-value"),
    given_to: Agent | None = None,
    **fields,
) -> Connection:
    """Key-based with one credential, or unauthenticated where `credential` is None."""
    fields.setdefault("auth_method", "key-based" if credential else "unauthenticated")
    fields.setdefault("interfaces", [{"url": endpoint, "binding": "JSONRPC", "version": "1.0"}])
    connection = Connection.objects.create(
        project=project, endpoint=endpoint, name=name or f"connection-{next(_numbers)}", **fields
    )
    if credential:
        addresses = method_of(connection).addresses(connection, "credential")
        secrets.store(connection, secrets.NewSecret("credential", 0, *credential), addresses, by=None)
    if given_to:
        Given.objects.create(connection=connection, agent=given_to)
    return connection
