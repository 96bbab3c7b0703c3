"""One connection: is it working, for whom, and what is left to do."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from connections import calls, keeping, validation
from connections.agent_card import Card
from connections.forms import BINDINGS, LimitsForm
from connections.methods import method_of, methods
from connections.models import Connection
from connections.pages.agents import given_rows
from connections.pages.frame import around, find
from connections.pages.probes import probed_how_often, probing
from connections.pages.testing import result_for
from connections.snippets import SNIPPETS
from connections.watching import history
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission

LAST, PAGE = 10, 50


@require_http_methods(["GET", "HEAD"])
@requires(Permission.CONNECTION_READ)
def connection(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    found = find(project, connection)
    context = around(request, found, "overview")
    given = given_rows(found)
    last = calls.recent(found, LAST)
    checks = validation.checks(context["standing"], [row["agent"].name for row in given], last[0] if last else None)
    context |= {
        "result": result_for(request, found),
        **probing(found, history.DAY),
        "calls_lately": calls.count_since(found, timezone.now() - history.DAY),
        "checks": checks,
        "done": sum(check.state == "done" for check in checks),
        "given": given,
        "card": Card.of(found.card) if found.card else None,
        "calls": last,
        **_credentials(found),
        **_panel(found),
        **_snippet(request, found),
    }
    return render(request, "connections/connection.html", context)


def _credentials(connection: Connection) -> dict:
    known = connection.auth_method in methods()
    method = method_of(connection) if known else None
    secrets = list(connection.secrets.select_related("set_by"))
    sent_to = {url for one in secrets if method for url in method.addresses(connection, one.field)}
    return {
        "facts": method.facts(connection) if method else (),
        "elsewhere": method.elsewhere(connection) if method else (),
        "secrets": secrets,
        "has_former": any(one.has_former for one in secrets),
        "sent_to": sorted(url.removeprefix("https://") for url in sent_to),
        "spoken": [BINDINGS[f"{item['binding']} {item['version']}"] for item in connection.interfaces],
    }


def _panel(connection: Connection) -> dict:
    """The method's own card."""
    method = method_of(connection) if connection.auth_method in methods() else None
    if method is None or method.panel_template is None:
        return {}
    return {"panel_template": method.panel_template, **method.panel(connection)}


def _snippet(request: HttpRequest, connection: Connection) -> dict:
    chosen = request.GET.get("snippet", "")
    chosen = chosen if chosen in SNIPPETS else next(iter(SNIPPETS))
    tabs = [(slug, label, slug == chosen) for slug, (label, _) in SNIPPETS.items()]
    return {"snippet": SNIPPETS[chosen][1](connection).rstrip(), "snippets": tabs}


@require_http_methods(["GET", "HEAD"])
@requires(Permission.CONNECTION_READ)
def connection_calls(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    found = find(project, connection)
    before = request.GET.get("before", "")
    rows = calls.recent(found, PAGE + 1, int(before) if before.isdecimal() and len(before) < 19 else None)
    context = around(request, found, "calls") | {
        "calls": rows[:PAGE],
        "older": rows[PAGE - 1].row.id if len(rows) > PAGE else None,
        "is_newest": not before,
    }
    return render(request, "connections/calls.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CONNECTION_READ)
def settings(request: HttpRequest, project: Project, connection: str) -> HttpResponse:
    found = find(project, connection)
    if request.method == "POST":
        request.access.require(Permission.CONNECTION_WRITE)
    form = LimitsForm(found, request.POST or None)
    if form.is_valid():
        return _limit(request, found, form)
    context = around(request, found, "settings") | {
        "form": form,
        "asks_people": "consent_answer" in form.fields,
        "probed": probed_how_often(found),
    }
    return render(request, "connections/settings.html", context, status=422 if form.is_bound else 200)


def _limit(request: HttpRequest, connection: Connection, form: LimitsForm) -> HttpResponse:
    try:
        keeping.limit(connection, form.cleaned_data, request.user)
    except keeping.ChangedMeanwhile:
        messages.error(request, "Somebody else changed this connection just now, so nothing was saved. Try again.")
    else:
        messages.success(request, f"The settings of {connection.name} are saved.")
    return redirect("connection-settings", connection.project.name, connection.name)
