"""Tools: what is connected, how it stands, and what needs somebody."""

import time
from collections import Counter
from datetime import UTC, datetime

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from connections import probes
from connections.methods import methods
from connections.models import Health
from connections.standing import STATES, UNFINISHED, Standing, standings
from portal.projects.access import requires
from portal.projects.models import Project
from portal.projects.roles import Permission

AT_ONCE, SECONDS = 20, 25.0
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class Filter(forms.Form):
    """What the list is narrowed to; nonsense in the address narrows nothing."""

    q = forms.CharField(required=False, max_length=200)
    method = forms.ChoiceField(required=False)
    status = forms.ChoiceField(required=False, choices=[("", "Any status"), *STATES.items()])

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, auto_id="filter-%s", **options)
        known = [(method.slug, method.label) for method in methods()]
        self.fields["method"].choices = [("", "Any authentication"), *known]
        for name, label in (("method", "Authentication"), ("status", "Status")):
            self.fields[name].widget.attrs["aria-label"] = label
        self.is_valid()

    def __bool__(self) -> bool:
        return any(self.cleaned_data.values())

    def keeps(self, standing: Standing) -> bool:
        wanted = {name: self.cleaned_data.get(name, "") for name in ("q", "method", "status")}
        connection, words = standing.connection, wanted["q"].casefold()
        named = f"{connection.name} {connection.display_name} {connection.endpoint}".casefold()
        return (
            words in named
            and wanted["method"] in ("", connection.auth_method)
            and wanted["status"] in ("", standing.state)
        )


@require_http_methods(["GET", "HEAD"])
@requires(Permission.CONNECTION_READ)
def tools(request: HttpRequest, project: Project) -> HttpResponse:
    everything, chosen = standings(project), Filter(request.GET)
    shown = [standing for standing in everything if chosen.keeps(standing)]
    sort, descending = _order(request.GET.get("sort", ""))
    shown.sort(key=_by_use if sort == "used" else _by_name, reverse=descending)
    context = {
        "project": project,
        "standings": shown,
        "total": len(everything),
        "filter": chosen,
        "sort": sort,
        "descending": descending,
        "counts": _counts(shown),
        "expiring": [standing for standing in everything if standing.expiring],
        "as_of": timezone.now(),
        "may_write": request.access.allows(Permission.CONNECTION_WRITE),
    }
    return render(request, "connections/tools.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@requires(Permission.CONNECTION_WRITE)
def test_all(request: HttpRequest, project: Project) -> HttpResponse:
    """A GET, where somebody had to sign in first, only leads back to the button."""
    if request.method == "POST":
        _test_all(request, project)
    return redirect("tools", project.name)


def _test_all(request: HttpRequest, project: Project) -> None:
    """Those whose last test is the longest ago come first, so that a second press goes on with the rest."""
    waiting = [standing for standing in standings(project) if standing.connection.is_enabled]
    waiting.sort(key=lambda standing: standing.health and standing.health.checked_at or _NEVER)
    ends, results = time.monotonic() + SECONDS, []
    for standing in waiting[:AT_ONCE]:
        if time.monotonic() > ends:
            break
        found = probes.test(standing.connection, request.user).state
        results.append(found if standing.is_finished else UNFINISHED)
    messages.add_message(request, *_summary(results, len(waiting)))


def _summary(results: list[str], waiting: int) -> tuple[int, str]:
    words = f"Tested {len(results)} of {waiting}: {_counted(results)}." if results else "There is nothing to test."
    if len(results) < waiting:
        words += f" At most {AT_ONCE} are tested at once; press Test all again for the rest."
    return (messages.WARNING if Health.State.FAILING in results else messages.SUCCESS), words


def _order(sort: str) -> tuple[str, bool]:
    name = sort.removeprefix("-")
    return (name, sort.startswith("-")) if name in ("name", "used") else ("name", False)


def _by_name(standing: Standing) -> str:
    return standing.connection.name.casefold()


def _by_use(standing: Standing):
    return standing.last_used or _NEVER


def _counts(shown: list[Standing]) -> str:
    return _counted([standing.state for standing in shown])


def _counted(states: list[str]) -> str:
    counted = Counter(states)
    return ", ".join(f"{counted[state]} {label.lower()}" for state, label in STATES.items() if counted[state])
