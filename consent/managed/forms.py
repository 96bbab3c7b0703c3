"""The forms of the portal owner's pages of publishers' apps."""

import re
from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from connections.pages.values import FormerForm
from consent.models import PublisherApp
from consent.publishers import Publisher, Variable
from portal.identities.fields import CODE, OriginsField
from portal.outbound import policy
from portal.outbound.errors import OutboundError

VARIABLE = "variable-"
SECRET_AGAIN = "Enter the client secret again. It is not kept until the app is saved."  # noqa: S105 -- a sentence


class VariableField(forms.CharField):
    """A part of the publisher's addresses; its pattern is the record's."""

    def __init__(self, variable: Variable) -> None:
        self.variable = variable
        super().__init__(
            label=variable.label,
            max_length=200,
            help_text=f"Such as {variable.example}.",
            initial=variable.default,
            widget=forms.TextInput(CODE),
            error_messages={"required": f"Enter it; such as {variable.example}."},
        )

    def clean(self, value: Any) -> str:
        found = super().clean(value)
        if found and not re.fullmatch(self.variable.pattern, found):
            raise ValidationError(
                f"This does not fit into the publisher's addresses. Enter it as {self.variable.example}."
            )
        return found


class AppForm(forms.Form):
    """What an app is and where its tokens may go: client id, the record's variables, origins."""

    use_required_attribute = False

    client_id = forms.CharField(
        label="Client ID",
        max_length=500,
        widget=forms.TextInput(CODE),
        error_messages={"required": "Enter the client ID that the publisher gave the app."},
    )
    origins = OriginsField(
        label="Destination origins",
        help_text="One on each line, such as https://review.contoso.example. Projects can use the app only with "
        "endpoints there, and its tokens are sent nowhere else.",
        error_messages={"required": "Enter at least one origin."},
    )

    def __init__(self, record: Publisher, *args: Any, app: PublisherApp | None = None, **options: Any) -> None:
        self.record = record
        super().__init__(*args, initial=_now(app), **options)
        for variable in record.variables:
            self.fields[VARIABLE + variable.name] = VariableField(variable)
            if app is not None:
                self.initial[VARIABLE + variable.name] = app.variables.get(variable.name, variable.default)
        self.order_fields(["client_id", "client_secret", "expires_on", *map(_field_of, record.variables), "origins"])

    @property
    def variables(self) -> dict[str, str]:
        return {one.name: self.cleaned_data[_field_of(one)] for one in self.record.variables}

    @property
    def described(self) -> dict[str, Any]:
        """As `listing.change` takes it."""
        given = self.cleaned_data
        return {"client_id": given["client_id"], "variables": self.variables, "origins": given["origins"]}

    def clean(self) -> None:
        """What was entered must lead to addresses that the portal may call."""
        if self.errors:
            return
        given = PublisherApp(publisher=self.record.slug, client_id=self.cleaned_data["client_id"])
        given.variables = self.variables
        for name in ("authorization_url", "token_url", "refresh_url", "revocation_url", "userinfo_url"):
            if getattr(self.record, name):
                self._check(given.address(name))

    def _check(self, url: str) -> None:
        try:
            policy.check_url(url)
        except OutboundError as error:
            raise ValidationError(
                f"With these values the publisher's address would be {url}. {error.sentence}"
            ) from None


class SecretFields(forms.Form):
    """A client secret and when it expires. It never comes back to a page."""

    use_required_attribute = False

    client_secret = forms.CharField(
        label="Client secret",
        max_length=8_000,
        strip=False,
        help_text="Nobody can read it back. Projects use it through the app, and it is sent to the publisher only.",
        widget=forms.PasswordInput({"autocomplete": "new-password", "spellcheck": "false"}, render_value=False),
        error_messages={"required": "Enter the client secret."},
    )
    expires_on = forms.DateField(
        label="Expires on",
        required=False,
        help_text="If the publisher says when. This page warns 14 days before.",
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
    )

    def clean_expires_on(self) -> date | None:
        expires_on = self.cleaned_data["expires_on"]
        if expires_on and expires_on < timezone.localdate():
            raise ValidationError("This date has passed. Enter a later one, or leave the field empty.")
        return expires_on

    def ask_again(self) -> None:
        """A secret that was typed into a form that comes back is gone, and the form says so."""
        if self.errors and "client_secret" in self.fields and "client_secret" not in self.errors:
            self.add_error("client_secret", SECRET_AGAIN)


class NewAppForm(AppForm, SecretFields):
    """Both, for an app that is registered here for the first time."""

    def __init__(self, record: Publisher, *args: Any, **options: Any) -> None:
        super().__init__(record, *args, **options)
        if record.client_auth == "none":
            del self.fields["client_secret"], self.fields["expires_on"]


class SecretForm(FormerForm, SecretFields):
    """Another secret for the same app, and what becomes of the one that it replaces."""

    field_order = ("client_secret", "expires_on", "keep_former")

    @property
    def kept_for(self) -> timedelta | None:
        return self.chosen


def _field_of(variable: Variable) -> str:
    return VARIABLE + variable.name


def _now(app: PublisherApp | None) -> dict[str, Any]:
    return {"client_id": app.client_id, "origins": app.origins} if app else {}
