"""Is this database ours, and is this key ring its? Checked by every process before it does anything.

The installation's id is kept wrapped beside itself: a process whose ring can't unwrap it, or that unwraps something
else, has the wrong keys or the wrong database, and ends with one sentence (F18). Demo rows are marked, so that the
demo's passwords never serve anything but a demo.
"""

import uuid

from django.conf import settings
from django.db import DatabaseError, models, transaction
from django.utils import timezone

from portal import vault


class WrongInstallation(Exception):
    """The sentence says what does not fit and what to do."""


class Installation(models.Model):
    """One row, made by the first start."""

    singleton = models.BooleanField(primary_key=True, default=True, editable=False)
    id = models.UUIDField(default=uuid.uuid4, editable=False)
    key_id = models.CharField(max_length=32)
    wrapped_id = models.TextField()
    is_demo = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "portal"


def verify() -> Installation:
    """The installation, made if the database is new. Raises WrongInstallation or vault.KeyUnavailable."""
    installation = Installation.objects.first() or _make()
    try:
        unwrapped = vault.unwrap(installation.key_id, installation.wrapped_id)
    except vault.KeyUnavailable as error:
        raise WrongInstallation(f"The key ring does not fit this database. {error}") from None
    if unwrapped != installation.id.bytes:
        raise WrongInstallation("The installation's id does not match its sealed copy. Restore the database.")
    if installation.is_demo and not settings.DEMO:
        raise WrongInstallation(
            "This database holds the demo, whose passwords are known. Use an empty database for anything else."
        )
    return installation


def unfit() -> str:
    """Why a process must not start on this database with these keys, in a sentence; empty when it may."""
    try:
        verify()
    except (WrongInstallation, vault.VaultError) as error:
        return str(error)
    except DatabaseError:
        return "The database does not answer, or is not migrated. Check DATABASE_URL and run manage.py migrate."
    return ""


@transaction.atomic
def _make() -> Installation:
    installation_id = uuid.uuid4()
    key_id, wrapped = vault.wrap(installation_id.bytes)
    made, _ = Installation.objects.get_or_create(
        singleton=True,
        defaults={"id": installation_id, "key_id": key_id, "wrapped_id": wrapped, "is_demo": settings.DEMO},
    )
    return made
