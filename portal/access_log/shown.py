"""A stored row as the pages show it. Whatever a row says was written by others, so it is made readable first (T29)."""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.urls import reverse

from portal.audit.events import CALL, Event, Outcome
from portal.audit.models import LogRow
from portal.audit.readable import readable
from portal.projects.models import Project

ELLIPSIS = "…"
_method_labels: list[Callable[[str], str]] = []


def register_method_labels(label: Callable[[str], str]) -> None:
    """An upper storey knows the authentication methods; `label` gives a slug's name, or ""."""
    if label not in _method_labels:
        _method_labels.append(label)


def method_label(slug: str) -> str:
    """The name of an authentication method; one that is no longer installed reads as its slug."""
    return next(filter(None, (label(slug) for label in _method_labels)), readable(slug))


@dataclass(frozen=True)
class Line:
    """One line of the list: a call with the outcome that followed it, or an act."""

    row: LogRow
    url: str

    @property
    def time(self) -> datetime:
        return self.row.time

    @cached_property
    def who(self) -> str:
        names = {"system": "Gatehouse", "nobody": "Nobody"}
        return readable(self.row.actor_name) or names.get(self.row.actor_kind, "—")

    @cached_property
    def on_behalf_of(self) -> str:
        return readable(self.row.on_behalf_of_name)

    @cached_property
    def agent(self) -> str:
        return readable(self.row.agent_name)

    @cached_property
    def connection(self) -> str:
        return readable(self.row.connection_name)

    @cached_property
    def project(self) -> str:
        return readable(self.row.project_name)

    @cached_property
    def method(self) -> str:
        """The A2A method of a call; empty for an act, which has a `label`."""
        return readable(self.row.method)

    @cached_property
    def label(self) -> str:
        return readable(Event.of(self.row.event).label)

    @property
    def outcome(self) -> str:
        return getattr(self.row, "ended_outcome", None) or self.row.outcome

    @property
    def outcome_label(self) -> str:
        return label_of(self.outcome)

    @property
    def duration(self) -> int | None:
        ended = getattr(self.row, "ended_duration", None)
        return ended if ended is not None else self.row.duration

    @property
    def in_progress(self) -> bool:
        return self.outcome == Outcome.IN_PROGRESS.value


def line_of(row: LogRow, project: Project | None) -> Line:
    url = reverse("access-log-row", args=[project.name, row.uid]) if project else _portal_url(row)
    return Line(row, url)


def _portal_url(row: LogRow) -> str:
    return reverse("portal-access-log-row", args=[row.uid])


def label_of(outcome: str) -> str:
    """The words of an outcome; one that is no longer known still reads."""
    return Outcome(outcome).label if outcome in set(Outcome) else readable(outcome) or "—"


def sentence_of(row: LogRow) -> str:
    """The row's event in a sentence; what it does not name reads as an ellipsis."""
    words = defaultdict(lambda: ELLIPSIS, {name: readable(str(value)) for name, value in details_of(row).items()})
    words |= {
        "who": readable(row.actor_name) or "Somebody",
        "agent": readable(row.agent_name) or ELLIPSIS,
        "connection": readable(row.connection_name) or ELLIPSIS,
        "project": readable(row.project_name) or ELLIPSIS,
        "on_behalf_of": readable(row.on_behalf_of_name) or ELLIPSIS,
    }
    return Event.of(row.event).sentence.format_map(words)


def details_of(row: LogRow) -> dict:
    try:
        details = json.loads(row.details or "{}")
    except ValueError:
        return {"details": row.details}
    return details if isinstance(details, dict) else {"details": details}


def facts_of(row: LogRow) -> list[tuple[str, str]]:
    """Label and value of each detail, in words."""
    return [(readable(name).replace("_", " ").capitalize(), _said(name, it)) for name, it in details_of(row).items()]


def _said(name: str, value: object) -> str:
    return method_label(value) if name == "method" and isinstance(value, str) else _value(value)


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_value(item) for item in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{readable(str(name)).replace('_', ' ')}: {_value(item)}" for name, item in value.items())
    return "—" if value in (None, "") else readable(str(value))


def is_call(row: LogRow) -> bool:
    return row.event == CALL.tag
