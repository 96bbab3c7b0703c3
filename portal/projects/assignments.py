"""Gives and removes roles.

Nobody gives or removes more than `Access.may_give` says, nobody raises themself, and the portal always keeps an Owner
(T12). Every change of roles takes one lock, so that two of them at once can't both be "not the last one".
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone

from portal.audit import changes, events, log
from portal.projects.access import access_of
from portal.projects.models import Project, RoleAssignment
from portal.projects.roles import Role
from portal.users import User

ROLES_LOCK = 0x6A7E_201


class Refused(Exception):
    """A change of roles or people that the rules forbid. The sentence is for the person who asked for it."""


@contextmanager
def changing_roles() -> Iterator[None]:
    """One transaction, and the only one that changes roles or people while it runs."""
    with changes.announced():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [ROLES_LOCK])
        yield


def give(person: User, role: Role, project: Project | None, by: User, until: datetime | None = None) -> RoleAssignment:
    """`project` None gives the role on the whole portal. Raises Refused."""
    with changing_roles():
        _check_person(person)
        _check_end(until)
        check_may_give(by, role, project)
        if person == by:
            _check_not_raising(by, project, until)
        current = RoleAssignment.objects.current().filter(user=person, role=role, project=project).first()
        if current:
            raise Refused(f"{person} already has {role.label} here. Remove it first to change its last day.")
        return assign(person, role, project, log.Actor.of(by), given_by=by, until=until)


def assign(
    person: User,
    role: Role,
    project: Project | None,
    actor: log.Actor,
    given_by: User | None = None,
    until: datetime | None = None,
    **details: str,
) -> RoleAssignment:
    """The row and its log row, without asking whether it is allowed. An ended one of the same role makes room."""
    RoleAssignment.objects.filter(user=person, role=role, project=project).delete()
    made = RoleAssignment.objects.create(user=person, role=role, project=project, until=until, given_by=given_by)
    _log(events.ROLE_GIVEN, made, actor, **details)
    return made


def remove(assignment: RoleAssignment, by: User) -> None:
    """Works at the next request. Raises Refused; removing twice is no error."""
    with changing_roles():
        stored = RoleAssignment.objects.filter(pk=assignment.pk).select_related("user", "project").first()
        if stored is None:
            return
        check_may_give(by, Role(stored.role), stored.project)
        stored.delete()
        check_an_owner_stays()
        _log(events.ROLE_REMOVED, assignment, log.Actor.of(by))


def check_may_give(by: User, role: Role, project: Project | None) -> None:
    """Raises Refused unless this person may, at this moment, give and remove the role there."""
    if role not in access_of(by, project).may_give():
        place = project.name if project else "the portal"
        raise Refused(f"Your roles don't let you give or remove {role.label} on {place}.")


def lasting_owners() -> QuerySet[RoleAssignment]:
    """The assignments that keep the portal from being left without an Owner."""
    return RoleAssignment.objects.filter(role=Role.OWNER, project=None, until=None, user__is_active=True)


def check_an_owner_stays() -> None:
    """Called after the change and before its commit: raises Refused where no lasting Owner is left."""
    if not lasting_owners().exists():
        raise Refused("You can't remove the last Owner. First give Owner to somebody else, without a last day.")


def _check_person(person: User) -> None:
    if not person.is_active:
        raise Refused(f"{person} is deactivated. An Owner of the portal can reactivate them.")


def _check_end(until: datetime | None) -> None:
    if until is not None and until <= timezone.now():
        raise Refused("The last day must not be in the past.")


def _check_not_raising(by: User, project: Project | None, until: datetime | None) -> None:
    """Who is Owner there may give anything, also to themself, but not beyond the end of being Owner."""
    ends = [a.until for a in access_of(by, project).assignments if a.role == Role.OWNER]
    if not any(end is None or (until is not None and until <= end) for end in ends):
        raise Refused("You can't give yourself a role. Ask an Owner.")


def _log(event: events.Event, assignment: RoleAssignment, actor: log.Actor, **details: str) -> None:
    person = assignment.user
    details |= {"person": str(person), "email": person.email, "role": assignment.get_role_display()}
    details["scope"] = assignment.project.name if assignment.project else "portal"
    if assignment.until:
        details["until"] = assignment.until.isoformat()
    log.record(event, actor, project=assignment.project, details=details)
