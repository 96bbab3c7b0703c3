"""The access log's pages: the filtered list and one line opened, for a project and for the whole portal."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from portal.access_log import call, own_readings
from portal.access_log.chart import chart_of
from portal.access_log.filters import FilterForm, Filters
from portal.access_log.lines import Page, Reading
from portal.access_log.options import options_for
from portal.access_log.shown import line_of
from portal.audit.models import LogRow
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission

BIGGEST = 2**63 - 1


@require_safe
@requires(Permission.LOG_READ)
def access_log(request: HttpRequest, project: Project) -> HttpResponse:
    return _list(request, project)


@require_safe
@requires(Permission.LOG_READ, on_portal=True)
def portal_access_log(request: HttpRequest) -> HttpResponse:
    return _list(request, None)


@require_safe
@requires(Permission.LOG_READ)
def access_log_row(request: HttpRequest, project: Project, row: UUID) -> HttpResponse:
    return _one(request, project, get_object_or_404(LogRow, uid=row, project_id=project.id))


@require_safe
@requires(Permission.LOG_READ, on_portal=True)
def portal_access_log_row(request: HttpRequest, row: UUID) -> HttpResponse:
    return _one(request, None, get_object_or_404(LogRow, uid=row))


def _list(request: HttpRequest, project: Project | None) -> HttpResponse:
    form = FilterForm(request.GET)
    valid = form.is_valid()
    filters = form.filters() if valid else Filters()
    if valid:
        own_readings.note(request, project, {"filters": form.said()})
    scope = project.id if project else None
    form.offer(options_for(project, Reading(scope, Filters(filters.since, filters.until))))
    context = {"project": project, "form": form, "clear_url": _list_url(project), "zone": _zone()}
    if valid:
        context |= _what_matches(request, project, Reading(scope, filters))
    return render(request, "access_log/list.html", context, status=200 if valid else 422)


def _what_matches(request: HttpRequest, project: Project | None, reading: Reading) -> dict:
    page = reading.page(before=_number(request, "before"), after=_number(request, "after"))
    count, is_exact = reading.count()
    return {
        "page": page,
        "lines": [line_of(row, project) for row in page.lines],
        "count": count,
        "is_exact": is_exact,
        "shown": reading.place(page),
        "chart": chart_of(reading),
        **_turning(page),
    }


def _turning(page: Page) -> dict:
    """Row numbers that the links Newer and Older carry, so that new rows don't shift a page."""
    older = page.lines[-1].id if page.has_older else None
    return {"newer": page.lines[0].id if page.lines and page.has_newer else None, "older": older}


def _number(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return min(int(text), BIGGEST) if text.isascii() and text.isdecimal() and len(text) < 20 else None


def _one(request: HttpRequest, project: Project | None, row: LogRow) -> HttpResponse:
    own_readings.note(request, project, {"row": str(row.uid)})
    opened = call.opened(row, project)
    context = {"project": project, "opened": opened, "line": opened.line, "list_url": _list_url(project)}
    context["agent_url"] = _agent_url(request, project, opened.attempt)
    return render(request, "access_log/row.html", context)


def _agent_url(request: HttpRequest, project: Project | None, row: LogRow) -> str:
    """The agent's page, while the agent is there and the reader may open it."""
    if project is None or row.agent_id is None or not request.access.allows(Permission.AGENT_READ):
        return ""
    agent = project.agents.filter(id=row.agent_id).first()
    return reverse("agent", args=[project.name, agent.name]) if agent else ""


def _list_url(project: Project | None) -> str:
    return reverse("access-log", args=[project.name]) if project else reverse("portal-access-log")


def _zone() -> str:
    return timezone.get_current_timezone_name()
