"""Mail about what users gave: of an end that only they can move before it comes, of one that a sweep found, once.

Due mail is rows (`tell_at`), claimed as other work is. Killed between sending and writing it down, a worker leaves one
that is sent again; a mail server that can't be reached is tried again when the claim ends.
"""

import logging
import smtplib
from collections.abc import Iterator
from datetime import timedelta

from django.conf import settings
from django.core import mail
from django.db.models import QuerySet
from django.db.models.functions import Now
from django.template.loader import render_to_string

from connections.troubleshooting import entry
from consent import telling, timing
from consent.models import ConsentRequest, Grant
from portal import due
from portal.audit.readable import readable

logger = logging.getLogger(__name__)
CLAIM = timedelta(minutes=5)
# What nobody could be told for so long is no news: a portal that gets its mail server later says nothing of the past.
STALE = timedelta(days=2)
BATCH = 20
# Of one person's address or mailbox: the next one's may be taken.
UNDELIVERABLE = (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError, ValueError)
State = Grant.State


def send_due(limit: int = BATCH) -> int:
    """How many were sent. One after the other: a mail server is no place to hurry."""
    if not settings.EMAIL_HOST:
        return 0
    sent = 0
    try:
        with mail.get_connection() as server:
            for row, message in _due(limit):
                sent += _sent(message, server)
                _note(row)
    except (smtplib.SMTPException, OSError) as error:
        logger.warning("The mail server could not be used: %s", type(error).__name__)
    return sent


def _due(limit: int) -> Iterator[tuple[Grant | ConsentRequest, mail.EmailMessage]]:
    for grant in _claimed(_grants(), limit):
        yield grant, _about(grant)
    for asking in _claimed(_not_asked_for(), limit):
        yield asking, telling.to_owner(asking)


def _claimed(rows: QuerySet, limit: int) -> list:
    fresh = rows.filter(tell_at__gt=Now() - STALE).order_by("tell_at")
    return due.claim(fresh, until_column="tell_at", lease=CLAIM, limit=limit)


def _grants() -> QuerySet[Grant]:
    rows = Grant.objects.filter(state__in=(State.ACTIVE, State.NEEDS_CONSENT), user__is_active=True)
    return rows.select_related("connection__project", "agent", "user")


def _not_asked_for() -> QuerySet[ConsentRequest]:
    return ConsentRequest.objects.select_related(
        "connection__project", "agent__project", "agent__registered_by", "user"
    )


def _about(grant: Grant) -> mail.EmailMessage:
    has_ended = grant.state == State.NEEDS_CONSENT
    words = {
        "grant": grant,
        "host": grant.asked.sign_in_host,
        "end": timing.known_end(grant),
        "why": entry(grant.reason) if has_ended and grant.reason else None,
        "url": settings.PUBLIC_URL,
    }
    happens = "has lost" if has_ended else "will lose"
    subject = readable(f"{grant.agent.name} {happens} its access to your account at {grant.asked.sign_in_host}")
    text = render_to_string("consent/has_ended.txt" if has_ended else "consent/ends_soon.txt", words)
    return mail.EmailMessage(subject, text, to=[grant.user.email])


def _sent(message: mail.EmailMessage, server) -> int:
    message.connection = server
    try:
        return message.send()
    except UNDELIVERABLE as error:
        logger.warning("A mail was refused: %s", type(error).__name__)
        return 0


def _note(row: Grant | ConsentRequest) -> None:
    """Unless it is to be told of something later by now."""
    still_this = type(row).objects.filter(pk=row.pk, tell_at__lte=Now() + CLAIM)
    still_this.update(tell_at=None, **({"told_at": Now()} if isinstance(row, Grant) else {}))
