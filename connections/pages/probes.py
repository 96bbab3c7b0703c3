"""Probes: what the scheduled tests of one connection have found in 30 days, and what they saw last."""

from dataclasses import dataclass
from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from connections.first_look import digest_of
from connections.forms import how_often
from connections.methods import method_of, methods
from connections.models import Connection, Health, Probe, Watch
from connections.pages.frame import around, find
from connections.trial import NEEDS_AGENT
from connections.troubleshooting import entry
from connections.watching import history, plan
from connections.watching.chart import chart_of
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission

PAGE = 50
# Beyond its interval, before a page says that a probe is late.
PATIENCE = timedelta(minutes=2)


@dataclass(frozen=True)
class Line:
    """A row of the history, with what was found in words."""

    probe: Probe

    @property
    def found(self) -> str:
        reason, is_healthy = self.probe.reason, self.probe.state == Health.State.HEALTHY
        if is_healthy and reason == NEEDS_AGENT:
            return "Server and card; the credential is not tried"
        return entry(reason).title if reason else ""


@require_safe
@requires(Permission.CONNECTION_READ)
def connection_probes(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    found = find(project, connection)
    before = request.GET.get("before", "")
    rows = history.page(found, PAGE + 1, int(before) if before.isdecimal() and len(before) < 19 else None)
    context = around(request, found, "probes") | probing(found, history.MONTH)
    context |= {
        "lines": [Line(row) for row in rows[:PAGE]],
        "older": rows[PAGE - 1].id if len(rows) > PAGE else None,
        "is_newest": not before,
        "card_problem": entry(context["watch"].card_code) if context["watch"] and context["watch"].card_code else None,
    }
    return render(request, "connections/probes.html", context)


def probing(connection: Connection, lately: timedelta) -> dict:
    """What a page shows of a connection's probes: the drawing of `lately`, the schedule, what was seen last."""
    watch = Watch.objects.filter(pk=connection.pk).first()
    return {
        "chart": chart_of(history.of(connection, lately)),
        "watch": watch,
        "how_often": probed_how_often(connection),
        "is_watched": plan.is_watched(connection),
        "due": _due(watch),
        "is_late": _is_late(connection, watch),
        "without_credential": watch is not None and watch.reason == NEEDS_AGENT,
        "given_by_people": _given_by_people(connection),
        "card_differs": _card_differs(connection, watch),
    }


def probed_how_often(connection: Connection) -> str:
    return how_often(plan.interval_of(connection) // timedelta(minutes=1))


def _due(watch: Watch | None) -> str:
    """Of a probe that is too near to be told as a time."""
    now = timezone.now()
    if watch is None or watch.due_at > now + timedelta(minutes=1):
        return ""
    return "due now" if watch.due_at <= now else "within a minute"


def _is_late(connection: Connection, watch: Watch | None) -> bool:
    """So long that the workers seem to be down. It says nothing about the connection."""
    if watch is None or not plan.is_watched(connection):
        return False
    return watch.due_at < timezone.now() - plan.interval_of(connection) - PATIENCE


def _card_differs(connection: Connection, watch: Watch | None) -> bool:
    """From the one that was confirmed, where one was."""
    if watch is None or connection.card is None:
        return False
    return watch.card_digest not in ("", digest_of(connection.card))


def _given_by_people(connection: Connection) -> str:
    return method_of(connection).given_by_people(connection) if connection.auth_method in methods() else ""
