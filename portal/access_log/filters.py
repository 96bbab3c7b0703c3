"""Which rows the reader asked for: the one-line form above the log, read from the address."""

import re
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from uuid import UUID

from django import forms
from django.core.validators import RegexValidator
from django.http import QueryDict
from django.utils import timezone

from portal.audit.events import Outcome

RANGES = {
    "hour": ("Last hour", timedelta(hours=1)),
    "day": ("Last 24 hours", timedelta(days=1)),
    "week": ("Last 7 days", timedelta(days=7)),
    "month": ("Last 30 days", timedelta(days=30)),
}
ALL, DATES = "all", "dates"
UUID_TEXT = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
NOT_AN_ID = "Choose one from the list. The log knows people, agents and connections by their ids."
is_uuid = RegexValidator(rf"^{UUID_TEXT}\Z", NOT_AN_ID)
is_actor = RegexValidator(rf"^(system|nobody|(user|agent_key):{UUID_TEXT})\Z", NOT_AN_ID)


@dataclass(frozen=True)
class Filters:
    """What rows must match. Times are aware and inclusive; empty or None means any."""

    since: datetime | None = None
    until: datetime | None = None
    actor_kind: str = ""
    actor_id: UUID | None = None
    on_behalf_of: UUID | None = None
    agent: UUID | None = None
    connection: UUID | None = None
    outcome: str = ""


class FilterForm(forms.Form):
    """Takes any well-formed value, also of what is deleted by now: the log still knows it."""

    time = forms.ChoiceField(
        required=False,
        choices=[*((name, label) for name, (label, _) in RANGES.items()), (ALL, "All time"), (DATES, "From … to …")],
    )
    who = forms.CharField(required=False, validators=[is_actor], widget=forms.Select)
    on_behalf_of = forms.CharField(label="On behalf of", required=False, validators=[is_uuid], widget=forms.Select)
    agent = forms.CharField(required=False, validators=[is_uuid], widget=forms.Select)
    connection = forms.CharField(required=False, validators=[is_uuid], widget=forms.Select)
    outcome = forms.ChoiceField(
        required=False, choices=[("", "Any outcome"), *((outcome.value, outcome.label) for outcome in Outcome)]
    )
    start = forms.DateField(
        label="From", required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    end = forms.DateField(label="To", required=False, widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))

    use_required_attribute = False

    def __init__(self, query: QueryDict) -> None:
        super().__init__(self._asked(query))
        self.is_empty = not any(query.get(name) for name in self.fields if name != "time") and (
            self.data["time"] == "day"
        )

    def _asked(self, query: QueryDict) -> dict[str, str]:
        asked = {name: query.get(name, "") for name in self.base_fields}
        # Bidirectional and control characters can't be in any valid value; a NUL would upset the database.
        asked = {name: re.sub(r"[^\w:.\- ]", "", value) for name, value in asked.items()}
        return asked | {"time": asked["time"] or "day"}

    def offer(self, options: dict[str, list[tuple[str, str]]]) -> None:
        """Sets what the selects offer, the chosen value included."""
        for name, choices in options.items():
            chosen = self.data.get(name)
            known = any(value == chosen for value, _ in choices)
            self.fields[name].widget.choices = choices if known or not chosen else [*choices, (chosen, chosen)]

    def clean(self) -> None:
        super().clean()
        start, end = self.cleaned_data.get("start"), self.cleaned_data.get("end")
        if start and end and end < start:
            self.add_error("end", "Enter a day that is not before the first one.")

    @property
    def shows_dates(self) -> bool:
        return self.data["time"] == DATES

    def filters(self) -> Filters:
        """Only for a valid form."""
        asked = self.cleaned_data
        since, until = self._times()
        kind, _, actor = asked["who"].partition(":")
        return Filters(
            since,
            until,
            kind,
            UUID(actor) if actor else None,
            *(UUID(asked[name]) if asked[name] else None for name in ("on_behalf_of", "agent", "connection")),
            asked["outcome"],
        )

    def _times(self) -> tuple[datetime | None, datetime | None]:
        asked = self.cleaned_data
        if asked["time"] in RANGES:
            return timezone.now() - RANGES[asked["time"]][1], None
        if asked["time"] == DATES:
            start, end = asked["start"], asked["end"]
            return _at(start, time.min) if start else None, _at(end, time.max) if end else None
        return None, None

    def said(self) -> dict[str, str]:
        """What was asked for, for the log's own row about this reading."""
        return {name: value for name, value in self.data.items() if value}


def _at(day, moment: time) -> datetime:
    return timezone.make_aware(datetime.combine(day, moment))
