"""The choice between a publisher's app and one's own registration, in the form of a connection.

What was typed under the other choice is carried along in hidden inputs: it is kept while somebody looks around, and
neither judged nor saved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django import forms

from consent.forms import OAuthSettings, ScopesField
from consent.managed import allowing, apps
from consent.models import PublisherApp
from consent.publishers import PUBLISHERS, Publisher
from portal.identities.audiences import origin_of
from portal.identities.pages import portal_owners
from portal.outbound.errors import OutboundError
from portal.users import User

MANAGED, CUSTOM = "managed", "custom"
OPTIONS = [(MANAGED, "Managed OAuth"), (CUSTOM, "Custom OAuth")]
CODE = {"autocomplete": "off", "spellcheck": "false", "data-code": True}


def is_managed(settings: Mapping[str, Any]) -> bool:
    """Of settings as they are stored, which name no option, and as the form has them."""
    return settings["option"] == MANAGED if "option" in settings else bool(settings.get("publisher"))


class Carried(forms.Field):
    """What was typed under the other choice."""

    def __init__(self, *, many: bool = False) -> None:
        self.hidden_widget = forms.MultipleHiddenInput if many else forms.HiddenInput
        super().__init__(required=False, widget=self.hidden_widget)


@dataclass(frozen=True)
class ScopeRow:
    name: str
    words: str
    is_ticked: bool


class PassthroughSettings(OAuthSettings):
    """Cleaned, this is `Connection.settings`: of custom OAuth its fields as they are, of managed OAuth
    {"publisher", "scopes"} and what both ask for (BOTH). `scopes_of` says whose scopes the page showed.
    """

    OF_MANAGED = ("publisher", "scopes_of", "ticked", "further")
    BOTH = ("account_match", "account_claim", "keep_alive_days")

    app: PublisherApp | None = None

    option = forms.ChoiceField(choices=OPTIONS, required=False, widget=forms.RadioSelect)
    publisher = forms.CharField(label="Publisher", max_length=60, required=False)
    scopes_of = forms.CharField(max_length=60, required=False, widget=forms.HiddenInput)
    ticked = forms.MultipleChoiceField(
        label="Scopes",
        required=False,
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "invalid_choice": "%(value)s is none of the scopes in the list. Enter it under Further scopes."
        },
    )
    further = ScopesField(
        label="Further scopes",
        required=False,
        help_text="Separated by spaces, as the publisher spells them. People read their names without an explanation.",
        widget=forms.TextInput(CODE),
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # A copy: what came in may be the connection's own settings.
        self.initial = dict(self.initial)
        is_stored = not self.is_bound and bool(self.initial) and "option" not in self.initial
        self.is_managed = self._option(is_stored=is_stored) == MANAGED
        self.initial["option"] = MANAGED if self.is_managed else CUSTOM
        if self.is_managed:
            self._carry(name for name in OAuthSettings.base_fields if name not in self.BOTH)
            self._choose_publisher(is_stored=is_stored)
        else:
            self._carry(self.OF_MANAGED)

    def _option(self, *, is_stored: bool) -> str:
        if self.is_bound:
            return MANAGED if self._sent("option") == MANAGED else CUSTOM
        if is_stored:
            return MANAGED if self.initial.get("publisher") else CUSTOM
        typed = self.initial.get("option")
        return typed if typed in (MANAGED, CUSTOM) else MANAGED if apps.usable() else CUSTOM

    def _sent(self, name: str) -> Any:
        return self[name].data if self.is_bound else self.initial.get(name)

    def _carry(self, names) -> None:
        for name in names:
            self.fields[name] = Carried(many=name == "ticked")

    def _choose_publisher(self, *, is_stored: bool) -> None:
        self.app = apps.find(self._sent("publisher") or "")
        # Of custom OAuth "scopes" is a text; these are the publisher's.
        stored = self.initial.pop("scopes", []) if is_stored else []
        if self.record is None:
            self.initial.setdefault("further", stored)
            return
        self.fields["ticked"].choices = [(scope.name, scope.words) for scope in self._choosable]
        if not self.is_bound:
            self.initial |= self._stored_scopes(stored) if is_stored else self._typed_scopes()
            self.initial["scopes_of"] = self.record.slug

    @property
    def record(self) -> Publisher | None:
        """Of the publisher that is chosen, if its app may be chosen."""
        return self.app.record if self.app else None

    @property
    def _choosable(self) -> list:
        return [scope for scope in self.record.scopes if scope.name not in self.record.fixed_scopes]

    def _stored_scopes(self, stored: list[str]) -> dict[str, Any]:
        known = {scope.name for scope in self.record.scopes} | set(self.record.fixed_scopes)
        return {"ticked": stored, "further": [name for name in stored if name not in known]}

    def _typed_scopes(self) -> dict[str, Any]:
        """What is ticked of another publisher says nothing about this one."""
        if self.initial.get("scopes_of") == self.record.slug:
            return {name: self.initial.get(name) for name in ("ticked", "further")}
        return {"ticked": list(self.record.default_scopes), "further": ""}

    @property
    def shows_others_scopes(self) -> bool:
        return self.is_bound and self.record is not None and self._sent("scopes_of") != self.record.slug

    @property
    def scope_rows(self) -> list[ScopeRow]:
        ticked = self.record.default_scopes if self.shows_others_scopes else self._sent("ticked") or ()
        return [ScopeRow(scope.name, scope.words, scope.name in ticked) for scope in self._choosable]

    @property
    def fixed_rows(self) -> list[ScopeRow]:
        words = {scope.name: scope.words for scope in self.record.scopes}
        return [ScopeRow(name, words.get(name, name), True) for name in self.record.fixed_scopes]

    @property
    def carried(self) -> list[forms.BoundField]:
        """Those that have something to carry; scopes, too, while there is no publisher that they could be shown for."""
        waiting = self.OF_MANAGED[1:] if self.is_managed and self.record is None else ()
        names = [name for name, field in self.fields.items() if isinstance(field, Carried) or name in waiting]
        return [self[name] for name in names if self[name].value()]

    def full_clean(self) -> None:
        """Nothing of what is carried is judged."""
        every = self.fields
        self.fields = {name: field for name, field in every.items() if not isinstance(field, Carried)}
        try:
            super().full_clean()
        finally:
            self.fields = every

    def clean(self) -> dict[str, Any]:
        super().clean()
        given = self.cleaned_data
        if not self.is_managed:
            return {name: given[name] for name in given if name in OAuthSettings.base_fields}
        self._check_publisher()
        scopes = dict.fromkeys([*given.get("ticked", ()), *given.get("further", ())])
        return {
            "publisher": given.get("publisher", ""),
            "scopes": list(scopes),
            **{name: given[name] for name in self.BOTH if name in given},
        }

    def tells_account(self, cleaned: dict[str, Any]) -> bool:
        """A publisher's record says where it is asked."""
        if not self.is_managed or self.record is None:
            return super().tells_account(cleaned)
        return bool(self.record.userinfo_url)

    @property
    def more(self) -> list[forms.BoundField]:
        return [self[name] for name in (self.BOTH if self.is_managed else self.MORE)]

    def _check_publisher(self) -> None:
        if self.app is None:
            self.add_error("publisher", "Choose a publisher.")
        elif self.shows_others_scopes:
            sentence = f"These are the scopes of {self.app} now. Look at them, then save again."
            self.add_error("publisher", sentence)


@dataclass(frozen=True)
class Offered:
    """A publisher's app on the form. `is_allowed` for the endpoint that was typed; None while none was."""

    app: PublisherApp
    is_allowed: bool | None


def offers(endpoint: str) -> dict[str, Any]:
    """What the form shows beside its fields."""
    origin, listers = _origin(endpoint), portal_owners()
    publishers = [Offered(app, origin in app.origins if origin else None) for app in apps.usable()]
    lacks_one = any(one.is_allowed is False for one in publishers)
    return {
        "publishers": publishers,
        "origin": origin,
        "listers": listers,
        "asking": _mail(listers, origin) if lacks_one else "",
    }


def not_listed(publisher: str, endpoint: str) -> str:
    """Why the app can't be used at the endpoint, in a sentence; "" where it can."""
    app = apps.find(publisher)
    if app is None or allowing.serves(app, [endpoint]):
        return ""
    return (
        f"The owner of this portal has not listed {_origin(endpoint) or 'this address'} for its app of {app}, so no "
        "access is asked for there. Ask the owner to list it, or choose Custom OAuth."
    )


def _mail(listers: Sequence[User], origin: str) -> str:
    """A link that opens a mail to whoever can list it; "" where nobody can."""
    if not listers:
        return ""
    to = ",".join(quote(person.email, safe="@") for person in listers)
    subject, body = "Managed OAuth in Gatehouse", f"Please list {origin} for the publisher's app."
    return f"mailto:{to}?subject={quote(subject)}&body={quote(body)}"


def _origin(endpoint: str) -> str:
    try:
        return origin_of(endpoint) if endpoint else ""
    except OutboundError:
        return ""


def registered(publisher: str) -> str:
    """ "GitHub, registered by Ana Ruiz" """
    app = apps.find(publisher)
    if app is None:
        name = PUBLISHERS[publisher].name if publisher in PUBLISHERS else publisher
        return f"{name}, not registered on this portal"
    return f"{app}, registered by {app.listed_by}" if app.listed_by else str(app)
