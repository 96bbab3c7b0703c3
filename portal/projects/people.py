"""Lets people in and keeps them out: deactivating ends every session and every right at once."""

from importlib import import_module

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone

from portal.audit import events, log
from portal.projects import leaving
from portal.projects.access import access_of
from portal.projects.assignments import Refused, changing_roles, check_an_owner_stays
from portal.projects.roles import Permission
from portal.users import User


def deactivate(person: User, by: User) -> None:
    """Their roles stay and count for nothing until they are reactivated. Raises Refused."""
    with changing_roles():
        _check_may_change(by)
        if person == by:
            raise Refused("You can't deactivate yourself. Ask another Owner.")
        if User.objects.filter(pk=person.pk, is_active=True).update(is_active=False):
            check_an_owner_stays()
            end_sessions(person)
            for one in leaving.registered():
                one.ends(person, by)
            _log(events.PERSON_DEACTIVATED, person, by)


def reactivate(person: User, by: User) -> None:
    """They sign in again, with the roles they had. Raises Refused."""
    with changing_roles():
        _check_may_change(by)
        if User.objects.filter(pk=person.pk, is_active=False).update(is_active=True):
            _log(events.PERSON_REACTIVATED, person, by)


def end_sessions(person: User) -> int:
    """Signs the person out everywhere; returns how many sessions ended."""
    store = import_module(settings.SESSION_ENGINE).SessionStore()
    live = Session.objects.filter(expire_date__gt=timezone.now()).iterator()
    theirs = [row.pk for row in live if store.decode(row.session_data).get(SESSION_KEY) == str(person.pk)]
    return Session.objects.filter(pk__in=theirs).delete()[0]


def _check_may_change(by: User) -> None:
    if not access_of(by, None).allows(Permission.PERSON_WRITE):
        raise Refused("Only an Owner of the portal deactivates and reactivates people.")


def _log(event: events.Event, person: User, by: User) -> None:
    log.record(event, log.Actor.of(by), details={"person": str(person), "email": person.email})
