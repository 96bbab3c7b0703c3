"""Mails before a stored value expires: once 14 days and once 1 day before, to the people who can replace it.

A worker claims the row before it sends, so that two never send the same one, and the claim expires: a mail that a
killed worker owed is sent by the next sweep. The pages warn whether or not mail is configured.
"""

import logging
import smtplib
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import F, Q
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from connections.models import Connection, Secret
from portal.audit.readable import readable
from portal.projects.access import people_with
from portal.projects.roles import Permission

logger = logging.getLogger(__name__)

DAYS_BEFORE = (14, 1)
CLAIM = timedelta(minutes=5)


def send() -> int:
    """Sends what is due; returns how many mails. A row whose mail could not be sent stays due."""
    if not settings.EMAIL_HOST:
        return 0
    return sum(_sent(secret, days) for days in sorted(DAYS_BEFORE) for secret in _due(days))


def _due(days: int) -> Iterator[Secret]:
    """The more urgent first; one that was told of does not fall due for the longer term again."""
    today = timezone.localdate()
    rows = Secret.objects.filter(_not_told(days), expires_on__range=(today, today + timedelta(days=days)))
    yield from rows.exclude(value="").select_related("connection__project").order_by("expires_on", "pk")


def _not_told(days: int) -> Q:
    return Q(reminded=None) | Q(reminded__gt=days)


def _sent(secret: Secret, days: int) -> bool:
    same = Secret.objects.filter(_not_told(days), pk=secret.pk, expires_on=secret.expires_on)
    free = Q(reminding_until=None) | Q(reminding_until__lt=Now())
    if not same.filter(free).update(reminding_until=Now() + CLAIM):
        return False
    sent = _mail(secret)
    same.update(reminded=days if sent else F("reminded"), reminding_until=None)
    return sent


def _mail(secret: Secret) -> bool:
    connection = secret.connection
    to = [person.email for person in people_with(Permission.CONNECTION_WRITE, connection.project)]
    if not to:
        return True
    text = render_to_string("connections/expires.txt", {"secret": secret, "url": _replace_url(connection)})
    day = f"{secret.expires_on:%d %B %Y}".lstrip("0")
    try:
        send_mail(readable(f"The credential value of {connection.name} expires on {day}"), text, None, to)
    except (smtplib.SMTPException, OSError) as error:
        logger.warning("A reminder could not be sent: %s", type(error).__name__)
        return False
    return True


def _replace_url(connection: Connection) -> str:
    return settings.PUBLIC_URL + reverse("connection-replace", args=[connection.project.name, connection.name])
