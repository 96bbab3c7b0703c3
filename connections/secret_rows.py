"""The rows in which a method's secrets are entered: built from its declaration, never filled with a value."""

from collections.abc import Iterable, Mapping
from datetime import date

from django import forms
from django.utils import timezone

from connections.methods.base import AuthMethod, SecretField
from connections.models import Secret
from connections.secrets import NewSecret

AGAIN = "Enter the {} again. A value is not kept until the connection is saved."


class SecretRow(forms.Form):
    """One place of a secret field: credential name where it has one, value, expiry date.

    `stored` is the secret that is there already; its value stays when the field is left empty.
    """

    use_required_attribute = False

    def __init__(self, field: SecretField, position: int, *, stored: Secret | None = None, **options) -> None:
        self.field, self.position, self.stored = field, position, stored
        if stored is not None:
            options["initial"] = {"name": stored.name, "expires_on": stored.expires_on} | (options.get("initial") or {})
        super().__init__(prefix=f"{field.slug}-{position}", auto_id="%s", **options)
        if field.named:
            self.fields["name"] = self._name()
        self.fields["value"] = self._value()
        self.fields["expires_on"] = _expires_on()
        if stored is not None and position > 0:
            self.fields["remove"] = forms.BooleanField(label=f"Remove this {field.label.lower()}", required=False)

    @property
    def value_label(self) -> str:
        return f"{self.field.label} value" if self.field.named else self.field.label

    @property
    def keeps(self) -> bool:
        return self.stored is not None and self.stored.is_set

    @property
    def is_blank(self) -> bool:
        """Nothing entered in a further row, which then counts as not there."""
        return self.stored is None and not any(self.cleaned_data.get(part) for part in ("name", "value"))

    @property
    def is_removed(self) -> bool:
        return bool(self.cleaned_data.get("remove"))

    @property
    def had_value(self) -> bool:
        return bool(self["value"].data)

    def entered(self) -> NewSecret:
        """What stands in the row; `value` is empty where the stored one stays."""
        given = self.cleaned_data
        return NewSecret(
            self.field.slug, self.position, given.get("name", ""), given.get("value", ""), given.get("expires_on")
        )

    def clean(self) -> None:
        given = self.cleaned_data
        if self.is_removed or (self.is_blank and not self.is_needed):
            return
        self._check_pair(given.get("name", ""), given.get("value", ""))
        self._check_expiry(given.get("expires_on"), is_new=bool(given.get("value")))

    @property
    def is_needed(self) -> bool:
        return self.field.required and self.position == 0

    def _check_pair(self, name: str, value: str) -> None:
        if self.field.named and not name and "name" not in self.errors:
            self.add_error("name", f"Enter the {self.field.label.lower()} name.")
        if value or "value" in self.errors:
            return
        if self.keeps and name.casefold() == self.stored.name.casefold():
            return
        if not self.field.required and not name:
            return
        again = f"Enter the {self.value_label.lower()} again: it is stored under its name."
        self.add_error("value", again if self.keeps else f"Enter the {self.value_label.lower()}.")

    def _check_expiry(self, expires_on: date | None, *, is_new: bool) -> None:
        unchanged = self.stored is not None and self.stored.expires_on == expires_on and not is_new
        if expires_on and expires_on < timezone.localdate() and not unchanged:
            self.add_error("expires_on", "This date has passed. Enter a later one, or leave the field empty.")

    def _name(self) -> forms.CharField:
        return forms.CharField(
            label=f"{self.field.label} name",
            help_text=self.field.help_text,
            max_length=200,
            required=False,
            widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false", "data-code": True}),
        )

    def _value(self) -> forms.CharField:
        return forms.CharField(
            label=self.value_label,
            help_text="" if self.field.named else self.field.help_text,
            max_length=8_000,
            required=False,
            strip=False,
            widget=forms.PasswordInput({"autocomplete": "new-password", "spellcheck": "false"}, render_value=False),
        )


def _expires_on() -> forms.DateField:
    return forms.DateField(
        label="Expires on",
        help_text="You are warned 14 days before.",
        required=False,
        widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"),
    )


def rows_of(
    fields: Iterable[SecretField], stored: Iterable[Secret] = (), data: Mapping | None = None, *, more: bool = False
) -> list[SecretRow]:
    """A row for every stored secret, one more per field that has none, all that a field allows with `more`."""
    places = {(secret.field, secret.position): secret for secret in stored}
    return [
        SecretRow(field, position, stored=places.get((field.slug, position)), data=data)
        for field in fields
        for position in _positions(field, places, data, more)
    ]


def _positions(field: SecretField, places: Mapping, data: Mapping | None, more: bool) -> list[int]:
    taken = {position for slug, position in places if slug == field.slug}
    sent = {n for n in range(field.repeats) if data is not None and f"{field.slug}-{n}-value" in data}
    return sorted(taken | sent | {0} | (set(range(field.repeats)) if more else set()))


def check(method: AuthMethod, rows: Iterable[SecretRow]) -> None:
    """Lets the method judge what was entered, and puts its sentences at the fields."""
    meant = [row for row in rows if not row.is_blank and not row.is_removed]
    at = {(row.field.slug, row.position): row for row in meant}
    for (slug, position, part), sentence in method.check_secrets([row.entered() for row in meant]).items():
        row = at[slug, position]
        if part in row.fields and part not in row.errors:
            row.add_error(part, sentence)


def ask_again(rows: Iterable[SecretRow]) -> None:
    """A value that was typed into a form that comes back is gone, and the form says so."""
    for row in rows:
        if row.had_value and "value" not in row.errors:
            row.add_error("value", AGAIN.format(row.value_label.lower()))
