"""The whole form of a connection: its plain fields, the chosen method's settings and secrets, and the bindings."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from django import forms

from connections import secret_rows
from connections.agent_card import Suggestion
from connections.drafts import Draft
from connections.forms import BindingsForm, ConnectionForm
from connections.methods import methods
from connections.methods.base import AuthMethod, Elsewhere, Found
from connections.models import CARD_PATH, Connection
from connections.secret_rows import SecretRow
from portal.projects.models import Project


class Entry:
    """One form of several. Bound, it judges what was sent; unbound, it shows `typed` again without judging.

    Values of secrets are in neither: they are read from `data` once, and never written to a page.
    """

    def __init__(
        self,
        project: Project,
        connection: Connection | None = None,
        *,
        data: Mapping | None = None,
        typed: Mapping | None = None,
        method: str = "",
        more: bool = False,
        asks_bindings: bool | None = None,
    ) -> None:
        source = data if data is not None else typed
        self.project, self.connection, self.is_bound = project, connection, data is not None
        self.method = _chosen(method or (source or {}).get("auth_method", ""), connection)
        self.main = self._main(project, data, typed)
        self.settings = _shown(self.method.settings_form, data, typed, self._own("settings"), prefix="settings")
        self.rows = self._rows(data, typed, more)
        self.bindings = self._bindings(data, typed, asks=asks_bindings)
        self.found: Found | None = None

    def _own(self, name: str) -> dict | None:
        """What is stored, if it is this method's."""
        same = self.connection is not None and self.connection.auth_method == self.method.slug
        return getattr(self.connection, name) if same else None

    def _main(self, project: Project, data: Mapping | None, typed: Mapping | None) -> ConnectionForm:
        initial = _initial(self.connection)
        if typed is not None:
            initial = _as_typed(ConnectionForm(project, self.connection, data=typed))
        form = ConnectionForm(project, self.connection, data=data, initial=initial)
        form.initial["auth_method"] = self.method.slug
        return form

    def _bindings(self, data: Mapping | None, typed: Mapping | None, *, asks: bool | None) -> BindingsForm | None:
        """Asked once it is known that no card says it; the page then carries the mark `asks_bindings`.

        No longer where `asks` is False: a card was read meanwhile.
        """
        source = {} if asks is False else data if data is not None else typed
        if source is not None and "asks_bindings" in source:
            return _shown(BindingsForm, data, typed, None, auto_id="%s")
        initial = {"bindings": _bindings_of(self.connection)} if self.connection else None
        return BindingsForm(initial=initial, auto_id="%s") if asks else None

    def _rows(self, data: Mapping | None, typed: Mapping | None, more: bool) -> list[SecretRow]:
        kept = self._own("secrets")
        stored = list(kept.all()) if kept is not None else []
        fields = self.method.secret_fields_with(self._settings_now())
        rows = secret_rows.rows_of(fields, stored, data if data is not None else typed, more=more)
        if typed is None:
            return rows
        return [
            SecretRow(row.field, row.position, stored=row.stored, initial=_as_typed(row, leave_out="value"))
            for row in rows
        ]

    def _settings_now(self) -> dict:
        """As they stand in the form, judged or not."""
        if not self.settings.is_bound:
            return self.settings.initial
        return {name: self.settings[name].data for name in self.settings.fields}

    @property
    def parts(self) -> list[forms.Form]:
        return [self.main, *([self.bindings] if self.bindings else []), self.settings, *self.rows]

    def is_valid(self) -> bool:
        """Whether it can be saved; else the values have to be typed again, and each field says so."""
        results = [form.is_valid() for form in self.parts]
        if not any(row.errors for row in self.rows):
            secret_rows.check(self.method, self.rows)
        if all(results):
            self._check_settings()
        if all(form.is_valid() for form in self.parts):
            return True
        secret_rows.ask_again(self.rows)
        return False

    def _check_settings(self) -> None:
        problems = self.method.check_settings(self.settings.cleaned_data, self.main.cleaned_data["endpoint"])
        for name, sentence in problems.items():
            self.settings.add_error(name, sentence)

    def refuse(self, field: str, sentence: str) -> None:
        """For what shows only when it is saved."""
        self.main.add_error(field or None, sentence)
        secret_rows.ask_again(self.rows)

    def suggest(self, suggestion: Suggestion | None) -> None:
        """Fills in what the card says about the credential's name, where nothing was typed."""
        for row in self.rows[:1] if suggestion and suggestion.credential_name else []:
            if row.field.named and not row.initial.get("name"):
                row.initial["name"] = suggestion.credential_name

    def take(self, found: Found) -> None:
        """Fills in what "Find settings" came back with; what was not found stays as it was typed."""
        self.settings.initial.update(found.settings)
        self.found = found

    @cached_property
    def offers(self) -> dict:
        """What the method has to say beside its fields, for the endpoint that was typed."""
        return self.method.offers(self.project, self.main["endpoint"].value() or "")

    @property
    def may_add(self) -> bool:
        """Whether a secret field has places that are not shown yet."""
        places = sum(field.repeats for field in self.method.secret_fields)
        return bool(self.rows) and len(self.rows) < places

    @property
    def sent_to(self) -> list[str]:
        """Where the values of this form will be sent, as far as it is known before the card is read."""
        endpoint = self.main["endpoint"].value() or ""
        if self.connection is not None and endpoint == self.connection.endpoint:
            return [address.removeprefix("https://") for address in self.connection.addresses()]
        return [endpoint.removeprefix("https://")] if endpoint else []

    @property
    def elsewhere(self) -> Sequence[Elsewhere]:
        """What has to be entered at somebody else's site; known from the first save on."""
        return self.method.elsewhere(self.connection) if self.connection is not None else ()

    @property
    def value_names(self) -> list[str]:
        """The inputs whose content is never written to a page."""
        return [row["value"].html_name for row in self.rows]

    def draft(self) -> Draft:
        return self._draft(self.rows)

    def draft_for_card(self) -> tuple[Draft | None, str]:
        """What a card can be read with, or why it can't. Nothing else needs to be right yet."""
        valid = [form for form in self.parts if form.is_valid()]
        needed = ("endpoint", "card_path", "send_credentials_for_card")
        wrong = [sentence for name in needed for sentence in self.main.errors.get(name, [])]
        return (None, wrong[0]) if wrong else (self._draft([row for row in self.rows if row in valid]), "")

    def _draft(self, rows: list[SecretRow]) -> Draft:
        given = self.main.cleaned_data
        meant = [row for row in rows if not row.is_blank and not row.is_removed]
        chosen = {"bindings": self.bindings.pairs()} if self.bindings and self.bindings.is_valid() else {}
        return Draft(
            name=given.get("name", ""),
            display_name=given.get("display_name", ""),
            endpoint=given["endpoint"],
            card_path=given["card_path"],
            send_credentials_for_card=given.get("send_credentials_for_card", False),
            auth_method=self.method.slug,
            settings=self.settings.cleaned_data,
            secrets=tuple(row.entered() for row in meant if row.cleaned_data["value"]),
            kept={
                (row.field.slug, row.position): row.cleaned_data["expires_on"]
                for row in meant
                if not row.cleaned_data["value"]
            },
            **chosen,
        )

    def non_field_errors(self) -> list[str]:
        return [error for form in self.parts for error in form.non_field_errors()]

    def __iter__(self) -> Iterator[forms.BoundField]:
        """Every field in the order of the page, for the summary of errors."""
        for form in self.parts:
            yield from form


def _chosen(slug: str, connection: Connection | None) -> AuthMethod:
    stored = connection.auth_method if connection else ""
    return next((methods()[known] for known in (slug, stored) if known in methods()), next(iter(methods())))


def _initial(connection: Connection | None) -> dict:
    if connection is None:
        return {}
    path = connection.card_path
    return {
        "display_name": connection.display_name,
        "endpoint": connection.endpoint,
        "card_path": "" if path == CARD_PATH else path,
        "send_credentials_for_card": connection.send_credentials_for_card,
    }


def _bindings_of(connection: Connection) -> list[str]:
    return [f"{interface['binding']} {interface['version']}" for interface in connection.interfaces]


def _shown(form: type[forms.Form], data: Mapping | None, typed: Mapping | None, initial: dict | None, **options):
    if typed is not None:
        initial = _as_typed(form(data=typed, **options))
    return form(data=data, initial=initial, **options)


def _as_typed(form: forms.Form, leave_out: str = "") -> dict:
    return {name: form[name].data for name in form.fields if name != leave_out}
