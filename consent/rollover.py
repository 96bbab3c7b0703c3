"""Two client secrets in order, while an app registration rolls over: the new one first, and where the provider refuses
it, the former one once, for as long as it is kept (`connections.secrets.formerly`)."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from django.db import transaction
from django.utils import timezone

from connections.methods.base import CredentialUnavailable
from connections.models import Connection, Secret
from consent import clients, events
from consent.managed import apps
from consent.models import PublisherApp
from consent.oauth2 import Client, ClientRefused
from portal.audit import log
from portal.audit.models import LastUse

Answer = TypeVar("Answer")
NOTED_EVERY = timedelta(minutes=1)


def asked(
    connection: Connection, client: Client, ask: Callable[[Client], Answer], may_ask_again: Callable[[], bool]
) -> Answer:
    """What `ask` answers. A refused client has used up neither code nor refresh token, so it may be asked again."""
    try:
        return ask(client)
    except ClientRefused:
        former = _former(connection, client)
        if former is None or not may_ask_again():
            raise
    answer = ask(former)
    _note(connection)
    return answer


def _former(connection: Connection, client: Client) -> Client | None:
    try:
        return clients.former(connection, client.terms)
    except CredentialUnavailable:
        return None


def _note(connection: Connection) -> None:
    """In the log once for each new secret; when it was last, at most every minute."""
    secret = _secret(connection)
    if secret is None:
        return
    now = timezone.now()
    with transaction.atomic():
        _, is_first = LastUse.objects.get_or_create(subject=secret.pk, defaults={"at": now})
        LastUse.objects.filter(subject=secret.pk, at__lt=now - NOTED_EVERY).update(at=now)
        if is_first:
            columns = {"project": connection.project, "connection": connection, "auth_method": connection.auth_method}
            log.record(events.FORMER_SECRET, log.SYSTEM, **columns)


def last_used(connection: Connection) -> datetime | None:
    """When the provider last took the former secret only, while that is kept."""
    secret = _secret(connection)
    if secret is None or not secret.has_former:
        return None
    return LastUse.objects.filter(subject=secret.pk).values_list("at", flat=True).first()


def _secret(connection: Connection) -> Secret | PublisherApp | None:
    """The row that holds both: the connection's own, or that of the publisher's app."""
    if publisher := connection.settings.get("publisher"):
        return apps.find(publisher)
    return Secret.objects.filter(connection=connection, field=clients.SECRET_FIELD).first()
