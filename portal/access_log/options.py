"""What the filters offer: what the project has now, and what its newest rows name besides."""

from django.db import connection

from portal.access_log.lines import Reading
from portal.agents.models import Agent, AgentKey
from portal.audit.readable import readable
from portal.projects.models import Project, RoleAssignment
from portal.users import User

# Enough to meet everybody who is active; the rest can be reached by choosing a time.
NEWEST = 5_000

NAMED = """
    SELECT DISTINCT actor_kind, actor_id, actor_name, on_behalf_of_id, on_behalf_of_name,
           agent_id, agent_name, connection_id, connection_name
    FROM (SELECT * FROM ({looked_at}) newest LIMIT %s) named
"""

Choices = list[tuple[str, str]]


def options_for(project: Project | None, reading: Reading) -> dict[str, Choices]:
    """Field name to (value, label) pairs; the first of each is "any"."""
    named = _named(reading)
    people, agents = _people(project), _agents(project)
    who = {f"user:{person.id}": str(person) for person in people}
    who |= {f"agent_key:{key.id}": f"{key.name} (key of {key.agent.name})" for key in _keys(project)}
    who |= {_actor(row): _actor_label(row) for row in named if row["actor_kind"]} | who
    return {
        "who": _choices("Anyone", who),
        "on_behalf_of": _choices("Anyone", _of(named, "on_behalf_of") | {str(p.id): str(p) for p in people}),
        "agent": _choices("Any agent", _of(named, "agent") | {str(agent.id): agent.name for agent in agents}),
        "connection": _choices("Any connection", _of(named, "connection")),
    }


def _choices(first: str, found: dict[str, str]) -> Choices:
    labelled = ((value, readable(label) or value) for value, label in found.items())
    return [("", first), *sorted(labelled, key=lambda choice: choice[1].casefold())]


def _named(reading: Reading) -> list[dict]:
    looked_at, values = reading.looked_at("*")
    with connection.cursor() as cursor:
        cursor.execute(NAMED.format(looked_at=looked_at), [*values, NEWEST])
        columns = [column.name for column in cursor.description]
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


def _of(named: list[dict], what: str) -> dict[str, str]:
    return {str(row[f"{what}_id"]): row[f"{what}_name"] for row in named if row[f"{what}_id"]}


def _actor(row: dict) -> str:
    return f"{row['actor_kind']}:{row['actor_id']}" if row["actor_id"] else row["actor_kind"]


def _actor_label(row: dict) -> str:
    if row["actor_kind"] == "nobody":
        return "Nobody (not signed in)"
    if row["actor_kind"] == "agent_key":
        return (
            f"{row['actor_name']} (key of {row['agent_name']})" if row["agent_name"] else f"{row['actor_name']} (key)"
        )
    return row["actor_name"]


def _people(project: Project | None):
    roles = RoleAssignment.objects.reaching(project) if project else RoleAssignment.objects.all()
    return User.objects.filter(role_assignments__in=roles).distinct()[:500]


def _agents(project: Project | None):
    return (project.agents.all() if project else Agent.objects.all())[:500]


def _keys(project: Project | None):
    keys = AgentKey.objects.select_related("agent")
    return (keys.filter(agent__project=project) if project else keys)[:500]
