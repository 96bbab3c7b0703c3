"""What the portal's owner does with publishers' apps: each a change with its row in the log, announced to gateways."""

from collections.abc import Mapping, Sequence
from copy import copy
from datetime import date, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from consent import events
from consent.managed import ending
from consent.models import PublisherApp
from portal import vault
from portal.audit import changes, log
from portal.audit.events import Event
from portal.audit.models import LastUse
from portal.users import User

NO_FORMER = {"former_secret": "", "former_until": None}


class AlreadyListed(Exception):
    """The publisher has an app here."""


@sensitive_variables()
def enter(
    publisher: str,
    client_id: str,
    secret: str,
    variables: Mapping[str, str],
    origins: Sequence[str],
    by: User,
    expires_on: date | None = None,
) -> PublisherApp:
    """Raises AlreadyListed."""
    app = PublisherApp(publisher=publisher, client_id=client_id, variables=dict(variables), listed_by=by)
    app.origins = sorted(set(origins))
    _seal(app, secret, by, expires_on)
    try:
        with changes.announced():
            with transaction.atomic():
                app.save(force_insert=True)
            _log(events.APP_LISTED, app, by)
    except IntegrityError:
        raise AlreadyListed(publisher) from None
    return app


def proposed(app: PublisherApp, client_id: str, variables: Mapping[str, str], origins: Sequence[str]) -> PublisherApp:
    """The app as it would be, not saved. Another client id or another address destroys the secret (T21)."""
    to_be = copy(app)
    to_be.client_id, to_be.variables, to_be.origins = client_id, dict(variables), sorted(set(origins))
    if (to_be.client_id, to_be.secret_addresses) != (app.client_id, app.secret_addresses):
        to_be.client_secret, to_be.secret_set_at, to_be.secret_set_by, to_be.secret_expires_on = "", None, None, None
        to_be.former_secret, to_be.former_until = "", None
    return to_be


def change(
    app: PublisherApp, client_id: str, variables: Mapping[str, str], origins: Sequence[str], by: User
) -> PublisherApp:
    """What no longer fits ends with it: an origin that is taken away gets no token from the next call on."""
    with changes.announced():
        stored = PublisherApp.objects.select_for_update().get(pk=app.pk)
        to_be = proposed(stored, client_id, variables, origins)
        ending.end(stored, to_be, by)
        to_be.save()
        _log(events.APP_CHANGED, to_be, by)
    return to_be


@sensitive_variables()
def replace_secret(
    app: PublisherApp, secret: str, by: User, expires_on: date | None = None, keep_former: timedelta | None = None
) -> None:
    """For `keep_former` the secret that it replaces is tried where the publisher refuses the new one."""
    with changes.announced():
        stored = PublisherApp.objects.select_for_update().get(pk=app.pk)
        former = _readable(stored) if keep_former else None
        stored.former_secret, stored.former_until = "", None
        if former is not None:
            stored.former_secret = vault.seal(former.reveal(), stored.binding("former_secret"))
            stored.former_until = timezone.now() + keep_former
        _seal(stored, secret, by, expires_on)
        stored.save()
        # "Once for each new secret", says the log of a former one that was taken.
        LastUse.objects.filter(subject=stored.pk).delete()
        _log(events.APP_SECRET_REPLACED, stored, by)


def remove(app: PublisherApp, by: User) -> None:
    """Ends everything that was given through it."""
    with changes.announced():
        stored = PublisherApp.objects.select_for_update().get(pk=app.pk)
        ending.end(stored, None, by)
        _log(events.APP_REMOVED, stored, by)
        stored.delete()


def end_former_secrets() -> int:
    """Destroys those whose time is over. They were not used any more: each use looks at the clock."""
    return PublisherApp.objects.filter(former_until__lte=timezone.now()).update(**NO_FORMER)


def _seal(app: PublisherApp, secret: str, by: User, expires_on: date | None) -> None:
    app.client_secret = vault.seal(secret, app.binding("client_secret")) if secret else ""
    app.secret_set_at, app.secret_set_by, app.secret_expires_on = timezone.now(), by, expires_on


def _readable(app: PublisherApp) -> vault.Secret | None:
    """One that can't be opened could not be sent either, and is not kept."""
    try:
        return vault.open_sealed(app.client_secret, app.binding("client_secret")) if app.client_secret else None
    except vault.VaultError:
        return None


def _log(event: Event, app: PublisherApp, by: User) -> None:
    details = {"publisher": str(app), "client_id": app.client_id, "origins": " ".join(app.origins)}
    log.record(event, log.Actor.of(by), details=details)
