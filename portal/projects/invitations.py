"""Invites people: one link, one e-mail address, one role.

The link is shown once and only its digest is kept. Opening it changes nothing. It never sets the password of somebody
who already has an account here: they sign in, and receive the role. Whoever invited must still be allowed to give the
role when the link is used.
"""

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from portal.audit import events, log
from portal.projects.access import access_of
from portal.projects.assignments import Refused, assign, changing_roles, check_may_give
from portal.projects.models import Invitation, Project, RoleAssignment
from portal.projects.roles import Role
from portal.users import User

LIFETIME = timedelta(days=7)


class NotOpen(Exception):
    """The link is unknown, used, withdrawn or expired, or its inviter may no longer give the role."""


class NotTheirs(Exception):
    """The invitation is for another e-mail address, or for somebody who has to sign in first."""


def invite(
    email: str, role: Role, project: Project | None, by: User, name: str = "", role_until: datetime | None = None
) -> tuple[Invitation, str]:
    """(invitation, link). The link is in no other place; an earlier one for the same is withdrawn. Raises Refused."""
    email = email.strip().casefold()
    token = secrets.token_urlsafe(32)
    with changing_roles():
        check_may_give(by, role, project)
        _check_invitable(email, by)
        for earlier in open_invitations(project).filter(email=email, role=role):
            _withdraw(earlier, by)
        invitation = Invitation.objects.create(
            email=email,
            name=name,
            token_digest=digest_of(token),
            role=role,
            project=project,
            role_until=role_until,
            created_by=by,
            expires_at=timezone.now() + LIFETIME,
        )
        _log(events.PERSON_INVITED, invitation, log.Actor.of(by))
    return invitation, link_of(token)


def withdraw(invitation: Invitation, by: User) -> None:
    """The link stops working. Raises Refused; withdrawing twice is no error."""
    with changing_roles():
        check_may_give(by, Role(invitation.role), invitation.project)
        _withdraw(invitation, by)


def find(token: str) -> Invitation:
    """Raises NotOpen."""
    rows = Invitation.objects.select_related("project", "created_by")
    invitation = rows.filter(token_digest=digest_of(token)).first()
    if invitation is None or not invitation.is_open or not _role_would_count(invitation):
        raise NotOpen
    return invitation


def has_account(invitation: Invitation) -> bool:
    return User.objects.filter(email=invitation.email).exists()


def accept(token: str, person: User) -> RoleAssignment:
    """Gives the role to the signed-in person it was meant for. Raises NotOpen, NotTheirs."""
    with _accepting(token) as invitation:
        if person.email != invitation.email or not person.is_active:
            raise NotTheirs
        return _accept(invitation, person)


def accept_as_new(token: str, name: str, password: str) -> User:
    """Makes the person. Raises NotOpen; NotTheirs where an account with that address exists by now."""
    with _accepting(token) as invitation:
        if has_account(invitation):
            raise NotTheirs
        person = User.objects.create_user(invitation.email, password, name=name)
        _accept(invitation, person)
        return person


def open_invitations(project: Project | None):
    now = timezone.now()
    rows = Invitation.objects.filter(project=project, accepted_at=None, withdrawn_at=None, expires_at__gt=now)
    return rows.select_related("created_by").order_by("-created_at")


def digest_of(token: str) -> str:
    # A plain digest is enough: the token has 256 random bits.
    return hashlib.sha256(token.encode()).hexdigest()


def link_of(token: str) -> str:
    return f"{settings.PUBLIC_URL}{reverse('invitation-open', args=[token])}"


@contextmanager
def _accepting(token: str) -> Iterator[Invitation]:
    # Under the lock of all role changes, so that a link serves once and a removed inviter gives nothing.
    with changing_roles():
        yield find(token)


def _accept(invitation: Invitation, person: User) -> RoleAssignment:
    Invitation.objects.filter(pk=invitation.pk).update(accepted_at=timezone.now(), accepted_by=person)
    _log(events.INVITATION_ACCEPTED, invitation, log.Actor.of(person))
    scope = {"role": invitation.role, "project": invitation.project}
    held = RoleAssignment.objects.current().filter(user=person, **scope).first()
    if held:
        return held
    inviter = invitation.created_by
    return assign(
        person,
        Role(invitation.role),
        invitation.project,
        log.Actor.of(inviter),
        given_by=inviter,
        until=invitation.role_until,
        through="invitation",
    )


def _role_would_count(invitation: Invitation) -> bool:
    if invitation.role_until is not None and invitation.role_until <= timezone.now():
        return False
    inviter = invitation.created_by
    return inviter is not None and Role(invitation.role) in access_of(inviter, invitation.project).may_give()


def _check_invitable(email: str, by: User) -> None:
    known = User.objects.filter(email=email).first()
    if known == by:
        raise Refused("You can't invite yourself.")
    if known and not known.is_active:
        raise Refused(f"{known} is deactivated. An Owner of the portal can reactivate them.")


def _withdraw(invitation: Invitation, by: User) -> None:
    still_open = Invitation.objects.filter(pk=invitation.pk, accepted_at=None, withdrawn_at=None)
    if still_open.update(withdrawn_at=timezone.now()):
        _log(events.INVITATION_WITHDRAWN, invitation, log.Actor.of(by))


def _log(event: events.Event, invitation: Invitation, actor: log.Actor) -> None:
    details = {
        "email": invitation.email,
        "role": invitation.get_role_display(),
        "scope": invitation.project.name if invitation.project else "portal",
        "expires_at": invitation.expires_at.isoformat(timespec="seconds"),
    }
    log.record(event, actor, project=invitation.project, details=details)
