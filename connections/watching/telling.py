"""Telling people by mail, once, that a connection fails, and once that it does not any more.

What has to be told is a state of the rows, so a lost message of the queue loses nothing, and a mail that could not be
sent is sent later. Connections of one project that changed together come in one mail.
"""

import logging
import smtplib
from datetime import timedelta
from itertools import groupby

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.template.loader import render_to_string

from connections.models import TO_TELL, Watch
from connections.standing import Standing
from portal import due
from portal.audit.readable import readable
from portal.projects.models import Project, RoleAssignment
from portal.projects.roles import Permission, roles_with
from portal.users import User

logger = logging.getLogger(__name__)

AT_ONCE = 500
# Above the time that sending takes; what could not be sent is tried again after it.
LEASE = timedelta(minutes=5)


def tell() -> int:
    """Sends what is to be told; returns how many mails. Nothing where this portal sends no mail."""
    if not settings.EMAIL_HOST:
        return 0
    related = Watch.objects.select_related("connection__project", "connection__health")
    changed = related.filter(TO_TELL, connection__disabled_at=None)
    watches = due.claim(changed, until_column="tell_at", lease=LEASE, limit=AT_ONCE)
    watches.sort(key=lambda watch: (str(watch.connection.project_id), watch.connection.name.casefold()))
    by_project = groupby(watches, key=lambda watch: watch.connection.project)
    return sum(_tell(project, list(some)) for project, some in by_project)


def people_who_may_change(project: Project) -> list[User]:
    roles = RoleAssignment.objects.current().reaching(project).filter(role__in=roles_with(Permission.CONNECTION_WRITE))
    return list(User.objects.filter(is_active=True, role_assignments__in=roles).distinct().order_by("email"))


def _tell(project: Project, watches: list[Watch]) -> int:
    people = people_who_may_change(project)
    failing = [Standing(watch.connection) for watch in watches if not watch.told]
    better = [Standing(watch.connection) for watch in watches if watch.told]
    context = {"project": project, "failing": failing, "better": better, "url": settings.PUBLIC_URL}
    text = render_to_string("connections/health_changed.txt", context)
    subject = readable(_subject(project, failing, better))
    mails = [EmailMessage(subject, text, None, [person.email]) for person in people]
    try:
        get_connection().send_messages(mails)
    except (smtplib.SMTPException, OSError) as error:
        logger.warning("A change of health could not be mailed: %s", type(error).__name__)
        return 0
    for was_told in (False, True):
        done = [watch.pk for watch in watches if watch.told is was_told]
        Watch.objects.filter(pk__in=done, told=was_told).update(told=not was_told, tell_at=None)
    return len(mails)


def _subject(project: Project, failing: list[Standing], better: list[Standing]) -> str:
    if len(failing) + len(better) > 1:
        return f"{len(failing) + len(better)} connections of {project.name} changed"
    if failing:
        return f"{failing[0].connection.name} is failing"
    return f"{better[0].connection.name} no longer fails"
