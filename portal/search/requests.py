"""What became of one request, for whoever it concerns: the id stands in every answer of the gateway and of the pages.

The log itself is for auditors. The person for whom an agent called, whoever registered the agent, and whoever may see
the connection learn how it ended and what to do; another person's request is as unknown as one that never was.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse

from portal.access_log.shown import Line, label_of, sentence_of
from portal.agents.models import Agent
from portal.audit import reasons
from portal.audit.models import LogRow
from portal.audit.reasons import Explanation
from portal.projects.access import access_of
from portal.projects.models import Project
from portal.projects.roles import Permission
from portal.users import User

REQUEST_ID = re.compile(r"req_[0-9a-f]{20}")
# At least 8 characters: fewer are the beginning of too many. People leave the ellipsis of what they copied.
BEGINNING = re.compile(r"(req_[0-9a-f]{4,19})(?:…|\.\.\.)?")
MOST_ROWS = 100
# Gives the address of a connection's page, "" for whom may not open it.
Leader = Callable[[User, UUID], str]
_leaders: list[Leader] = []


def register(leader: Leader) -> None:
    if leader not in _leaders:
        _leaders.append(leader)


@dataclass(frozen=True)
class Traced:
    """`began` as lists of calls show it; each address only for those who may open the page."""

    sentence: str
    line: Line
    began: datetime
    outcome: str
    explanation: Explanation | None
    log_url: str = ""
    connection_url: str = ""

    @property
    def outcome_label(self) -> str:
        return label_of(self.outcome)


def id_in(words: str) -> str:
    """The request id in what somebody pasted, which may be a whole sentence of an error; "" without one."""
    match = REQUEST_ID.search(words.lower())
    return match[0] if match else ""


def beginning_in(words: str) -> str:
    """What somebody typed of a request id and nothing else; "" for other words."""
    match = BEGINNING.fullmatch(words.lower())
    return match[1] if match else ""


def traced(user: User, request_id: str) -> list[Traced]:
    """What the request did, one for each call or act; the outcome of a call stands for its attempt.

    Of a beginning, what the newest requests did whose ids begin so.
    """
    rows = _rows_of(request_id).order_by("-id")[:MOST_ROWS][::-1]
    ended = {row.call_id: row for row in rows if row.kind == LogRow.Kind.OUTCOME}
    began = [row for row in rows if row.kind != LogRow.Kind.OUTCOME]
    told = [(row, ended.get(row.call_id, row) if row.call_id else row) for row in began]
    return [_traced(user, first, last) for first, last in told if _concerns(user, last)]


def _rows_of(request_id: str) -> QuerySet:
    if REQUEST_ID.fullmatch(request_id):
        return LogRow.objects.filter(request_id=request_id)
    # Between two bounds, so that the index serves; "g" comes after every hexadecimal digit.
    between = LogRow.objects.filter(request_id__gte=request_id, request_id__lt=f"{request_id}g")
    return between.filter(request_id__startswith=request_id)


def _traced(user: User, first: LogRow, last: LogRow) -> Traced:
    explanation = reasons.explain(last.reason) if last.reason else None
    urls = _log_url(user, first), _connection_url(user, first)
    return Traced(sentence_of(last), Line(last, ""), first.time, last.outcome, explanation, *urls)


def _connection_url(user: User, row: LogRow) -> str:
    urls = (leader(user, row.connection_id) for leader in _leaders) if row.connection_id else ()
    return next(filter(None, urls), "")


def _concerns(user: User, row: LogRow) -> bool:
    if user.id in (row.on_behalf_of_id, row.actor_id):
        return True
    access = access_of(user, _project_of(row))
    own_agent = row.agent_id and Agent.objects.filter(id=row.agent_id, registered_by=user).exists()
    if own_agent and access.allows(Permission.AGENT_READ):
        return True
    is_call = row.connection_id is not None and access.allows(Permission.CONNECTION_READ)
    return is_call or access.allows(Permission.LOG_READ)


def _log_url(user: User, row: LogRow) -> str:
    project = _project_of(row)
    if access_of(user, None).allows(Permission.LOG_READ):
        return reverse("portal-access-log-row", args=[row.uid])
    if project and access_of(user, project).allows(Permission.LOG_READ):
        return reverse("access-log-row", args=[project.name, row.uid])
    return ""


def _project_of(row: LogRow) -> Project | None:
    return Project.objects.filter(id=row.project_id).first() if row.project_id else None
