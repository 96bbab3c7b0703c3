"""What a search can find. Everything is asked for the person who searches, and shows only what they may open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.db.models import Q
from django.urls import reverse

from portal.agents.models import Agent
from portal.identities.models import Identity
from portal.projects.access import projects_of
from portal.projects.models import RoleAssignment
from portal.projects.roles import PERMISSIONS, Permission, Role
from portal.users import User

MOST = 20
SHORTEST = 2


@dataclass(frozen=True)
class Found:
    """`kind` is the word before it ("Connection"), `where` the project."""

    kind: str
    name: str
    url: str
    where: str = ""
    hint: str = ""


Finder = Callable[[User, str], Sequence[Found]]
_finders: list[Finder] = []


def register(finder: Finder) -> None:
    if finder not in _finders:
        _finders.append(finder)


def named(user: User, words: str) -> list[Found]:
    """By name, in the projects where the person may see such things; nothing for a single letter.

    Of each sort there are few enough to show: a code that many explanations have is told with all of them.
    """
    if len(words) < SHORTEST:
        return []
    return [found for finder in (_projects, _agents, _identities, *_finders) for found in finder(user, words)]


def projects_with(user: User, permission: Permission):
    """The projects in which the person has a permission."""
    able = [role for role in Role if permission in PERMISSIONS[role]]
    mine = RoleAssignment.objects.current().filter(user=user, role__in=able)
    projects = projects_of(user)
    return projects if mine.filter(project=None).exists() else projects.filter(role_assignments__in=mine).distinct()


def _projects(user: User, words: str) -> list[Found]:
    rows = projects_with(user, Permission.PROJECT_READ).filter(name__icontains=words)[:MOST]
    return [Found("Project", row.name, reverse("project", args=[row.name]), hint=row.display_name) for row in rows]


def _agents(user: User, words: str) -> list[Found]:
    rows = Agent.objects.filter(project__in=projects_with(user, Permission.AGENT_READ), name__icontains=words)
    return [
        Found(
            "Agent", row.name, reverse("agent", args=[row.project.name, row.name]), row.project.name, row.display_name
        )
        for row in rows.select_related("project").order_by("name")[:MOST]
    ]


def _identities(user: User, words: str) -> list[Found]:
    """By name, or by the id that roles are assigned to; for those who may open the Identities page."""
    rows = Identity.objects.filter(project__in=projects_with(user, Permission.AGENT_READ))
    rows = rows.filter(Q(name__icontains=words) | Q(principal_id__istartswith=words)).select_related("project")
    return [
        Found(
            "Identity",
            row.name,
            reverse("identity", args=[row.project.name, row.id]),
            row.project.name,
            row.principal_id,
        )
        for row in rows.order_by("name")[:MOST]
    ]
