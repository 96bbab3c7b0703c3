"""The forms of the agents' pages."""

from datetime import datetime, time, timedelta

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from portal.agents.models import Agent, agent_name
from portal.agents.speaking import people_of
from portal.audit.readable import readable

DAYS = {"30": "In 30 days", "90": "In 90 days", "180": "In 180 days", "365": "In 365 days"}
ON_A_DATE, NEVER = "date", "never"


class ReadableField(forms.CharField):
    """One line that other people will read, so nothing in it may hide or turn their reading around (T29)."""

    def to_python(self, value):
        return readable(super().to_python(value) or "")


class DescriptionForm(forms.Form):
    display_name = ReadableField(
        label="Display name", max_length=120, required=False, help_text="Optional. Shown instead of the name."
    )
    description = ReadableField(
        max_length=500,
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What it does and for whom. People read it when they decide whether to trust it.",
    )


class RegisterForm(DescriptionForm):
    field_order = ("name", "display_name", "description")
    name = forms.CharField(
        max_length=63,
        validators=[agent_name],
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false", "autocapitalize": "off"}),
        help_text="3 to 63 letters, digits, hyphens or underscores. It can't be changed later.",
        error_messages={"required": "Enter a name."},
    )

    def __init__(self, *args, project, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.project = project

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        if name.lower() == "new":
            raise ValidationError("No agent can be named new: that is the address of this page.")
        if self.project.agents.filter(name__iexact=name).exists():
            raise ValidationError(f"This project has an agent named {name} already. Choose another name.")
        return name


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class KeyForm(forms.Form):
    name = ReadableField(
        max_length=60,
        help_text="Where the key will live, for example web or ci. The access log shows it beside each call.",
        error_messages={"required": "Enter a name."},
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    expires = forms.ChoiceField(
        choices=[*DAYS.items(), (ON_A_DATE, "On a date"), (NEVER, "Never")],
        initial="90",
        help_text="A key that never expires works until somebody revokes it, also after everybody has forgotten it.",
    )
    date = forms.DateField(
        label="Date",
        required=False,
        widget=DateInput,
        help_text="Only for “On a date”: the last day on which the key works.",
    )

    def __init__(self, *args, agent: Agent, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.agent = agent

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        if self.agent.keys.live().filter(name__iexact=name).exists():
            raise ValidationError(f"A live key of this agent is named {name}. Choose another name.")
        return name

    def clean(self) -> None:
        super().clean()
        if self.cleaned_data.get("expires") == ON_A_DATE and "date" not in self.errors:
            self._check_date(self.cleaned_data.get("date"))

    def _check_date(self, day) -> None:
        if day is None:
            self.add_error("date", "Enter the last day on which the key works.")
        elif day < timezone.localdate():
            self.add_error("date", "Enter a day that is not over.")

    @property
    def expires_at(self) -> datetime | None:
        """None for a key that never expires; a date is meant in the reader's own time zone."""
        chosen = self.cleaned_data["expires"]
        if chosen == NEVER:
            return None
        if chosen == ON_A_DATE:
            return end_of(self.cleaned_data["date"])
        return timezone.now() + timedelta(days=int(chosen))


class SpeakingForm(forms.Form):
    EVERYONE, NAMED = "everyone", "named"
    whom = forms.ChoiceField(
        label="For whom",
        choices=[(NAMED, "The people chosen below"), (EVERYONE, "Everyone in the project")],
        widget=forms.RadioSelect,
        initial=NAMED,
        help_text="Everyone means whoever may interact with agents here at the moment of a call.",
        error_messages={"required": "Choose for whom it may speak."},
    )
    people = forms.ModelMultipleChoiceField(queryset=None, required=False, widget=forms.CheckboxSelectMultiple)
    until = forms.DateField(
        required=False,
        widget=DateInput,
        help_text="Optional. The last day on which it is allowed. Without one it stays until somebody withdraws it.",
    )

    def __init__(self, *args, project, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["people"].queryset = people_of(project)
        self.fields["people"].label_from_instance = lambda person: f"{person} ({person.email})"

    def clean_until(self):
        until = self.cleaned_data["until"]
        if until and until < timezone.localdate():
            raise ValidationError("Enter a day that is not over, or leave it empty.")
        return until

    def clean(self) -> None:
        super().clean()
        named = self.cleaned_data.get("whom") == self.NAMED
        if named and "people" not in self.errors and not self.cleaned_data.get("people"):
            self.add_error("people", "Choose at least one person, or choose everyone.")

    @property
    def chosen(self) -> list | None:
        """The named people, or None for everyone."""
        return None if self.cleaned_data["whom"] == self.EVERYONE else list(self.cleaned_data["people"])

    @property
    def until_end(self) -> datetime | None:
        until = self.cleaned_data["until"]
        return end_of(until) if until else None


def end_of(day) -> datetime:
    """The last moment of a day, in the reader's time zone."""
    return timezone.make_aware(datetime.combine(day, time.max))
