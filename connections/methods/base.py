"""What an authentication method is. A new one is one class here beside the others, and one line in AUTH_METHODS.

The form, the vault, the log, the pages and the docs ask the method's own declaration; the gateway knows none by name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django import forms

from portal.vault import Secret as Plaintext

if TYPE_CHECKING:
    from connections.agent_card import Card
    from connections.models import Connection
    from connections.secrets import NewSecret
    from portal.agents.models import Agent
    from portal.projects.models import Project
    from portal.projects.roles import Permission
    from portal.users import User


@dataclass(frozen=True)
class Caller:
    """Who calls: an agent, and the user it speaks for where it said so (and may).

    Without an agent it is the portal itself: its test of a connection, its reading of a card. It then speaks for
    nobody, not even for the administrator who asked: a method whose credential belongs to an agent or a user raises
    CredentialUnavailable("test_needs_agent").
    """

    agent: "Agent | None"
    user: "User | None" = None


@dataclass(frozen=True)
class Credential:
    """What goes on the wire: header name and value pairs, added last and each exactly once (T06).

    `described` says in a few words what it is, for the log ("x-api-key, set 3 September"); never the value.
    `acted_as` names the identity that the endpoint sees, for the log too; "" where the method has none.
    `generation` tells a method that renews which of its tokens was refused; `used` are ids whose last use this is.
    """

    headers: tuple[tuple[str, Plaintext], ...] = ()
    described: str = ""
    acted_as: str = ""
    generation: int = 0
    used: tuple[UUID, ...] = ()


# Makes the credential of one call, at once and without a look-up; None once `credential` has to be asked again, as when
# a token is due. What is looked at while it is prepared must announce its changes, and what ends by the clock is looked
# at in each call.
Prepared = Callable[[], Credential | None]


class CredentialUnavailable(Exception):
    """The method can't make a credential now. `code` is an entry of connections/troubleshooting.py."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Consent:
    """What a user must be shown before the call can be made.

    `reason` is a troubleshooting code: why what the user allowed before no longer serves; "" the first time.
    """

    id: UUID
    link: str
    server_label: str
    scopes: tuple[str, ...]
    expires_at: Any
    reason: str = ""
    # The code that the log has for the call.
    why_asked: str = "consent_required"


class ConsentRequired(Exception):
    """The user has to allow it first; carries the link (protocols.md 1.4)."""

    def __init__(self, consent: Consent) -> None:
        super().__init__("consent required")
        self.consent = consent


@dataclass(frozen=True)
class SecretField:
    """A write-only field of a method.

    `repeats` fields may be given several times; each then has a credential name of its own when `named`.
    """

    slug: str
    label: str
    help_text: str = ""
    required: bool = True
    named: bool = False
    repeats: int = 1


class SettingsForm(forms.Form):
    """Validates `Connection.settings`. Fields become its JSON, so their cleaned values must be JSON."""


@dataclass(frozen=True)
class Found:
    """What "Find settings" came back with: fields that the form then shows filled, and the rest for `template`.

    Nothing of it is saved by itself.
    """

    settings: dict[str, Any]
    template: str
    shown: Any


@dataclass(frozen=True)
class Acted:
    """How a press of one of a method's own buttons ended, in a sentence or two."""

    done: bool
    sentence: str


@dataclass(frozen=True)
class Elsewhere:
    """What an administrator must enter at somebody else's site for the connection to work, such as a redirect URL."""

    label: str
    value: str
    hint: str = ""


@dataclass(frozen=True)
class Tab:
    """One more tab of a connection's pages, for those who have the permission.

    `route` is a URL name that takes the project's name and the connection's.
    """

    label: str
    route: str
    count: int
    permission: "Permission"


@dataclass(frozen=True)
class Goal:
    """A row of "Choose an authentication method" on the A2A page."""

    words: str
    order: int


class AuthMethod:
    """Base of the methods. Class attributes are the declaration; the methods below are what it can do.

    Most need no more than the declaration. What stands under "On the connection's pages" lets a method of an upper
    storey show and keep what this one does not know: the pages include the templates and ask the methods, and know
    neither a method nor its storey by name.
    """

    slug: ClassVar[str]
    label: ClassVar[str]
    description: ClassVar[str]
    foundry_auth_type: ClassVar[str]
    user_context_persists: ClassVar[bool] = False
    goals: ClassVar[Sequence[Goal]] = ()
    settings_form: ClassVar[type[SettingsForm]] = SettingsForm
    secret_fields: ClassVar[Sequence[SecretField]] = ()
    # False where a call goes without a credential.
    needs_credential: ClassVar[bool] = True
    guidance_template: ClassVar[str | None] = None
    # True where `renew` tries the former value of a secret while it is kept (`connections.secrets.formerly`).
    keeps_former: ClassVar[bool] = False
    # True where `find` can fill the form; its template then has the button, with the action "find-settings".
    finds_settings: ClassVar[bool] = False
    # Actions of further buttons on the edit page, which `act` answers.
    actions: ClassVar[Sequence[str]] = ()
    # How the form lays out `entry.settings` and `entry.rows`.
    fields_template: ClassVar[str] = "connections/parts/method_fields.html"
    # A card of its own on Overview, rendered with what `panel` gives.
    panel_template: ClassVar[str | None] = None
    # True where `credential` and `renew` may wait for somebody else, such as a provider that refreshes a token.
    may_wait: ClassVar[bool] = False
    # True where the endpoint sees the calling agent's identity, or the project's: a token for `settings["audience"]`.
    acts_as_agent: ClassVar[bool] = False
    acts_as_project: ClassVar[bool] = False

    # Codes of the method's own with which `credential` and `renew` may say that there is none; for the docs.
    may_lack: ClassVar[Sequence[str]] = ()
    # Codes with which `refused_for_want` may say why a call was refused; for the docs.
    may_want: ClassVar[Sequence[str]] = ()

    def secret_fields_with(self, settings: Mapping[str, Any]) -> Sequence[SecretField]:
        """Which of `secret_fields` these settings ask for: as they are stored, or as they stand in the form."""
        return self.secret_fields

    def check_secrets(self, entered: Sequence["NewSecret"]) -> dict[tuple[str, int, str], str]:
        """What is wrong with the secrets of the form: {(field, position, "name" or "value"): sentence}.

        A stored value that was left untouched comes with an empty `value`. No sentence repeats a value.
        """
        return {}

    def check_settings(self, settings: dict[str, Any], endpoint: str) -> dict[str, str]:
        """What is wrong with the form's settings for this endpoint: {field: sentence}. Each is valid by itself."""
        return {}

    def offers(self, project: "Project", endpoint: str) -> dict[str, Any]:
        """What the form shows beside its fields; `endpoint` as it was typed, "" before."""
        return {}

    def find(self, endpoint: str, card: "Card | None", typed: Mapping[str, Any], choice: str) -> Found:
        """Looks at the endpoint for settings, without any credential. `typed` is what stands in the form.

        `choice` is what a button of `Found.template` had behind the colon of its action, "find-settings:<choice>".
        """
        raise NotImplementedError

    def act(self, action: str, connection: "Connection", by: "User") -> Acted:
        """One of `actions` was pressed; what stood in the form was the saved connection."""
        raise NotImplementedError

    def addresses(self, connection: "Connection", secret_field: str) -> tuple[str, ...]:
        """The URLs that this field's value may be sent to; the vault seals it to them."""
        return connection.addresses()

    def credential(self, connection: "Connection", caller: Caller) -> Credential:
        """The credential for one call. Raises ConsentRequired or CredentialUnavailable."""
        raise NotImplementedError

    def prepared(self, connection: "Connection", caller: Caller) -> Prepared | None:
        """Looks up what the credential is made from, for as long as no change is announced. Raises as `credential`.

        None where there is nothing to prepare: then each call asks `credential`.
        """
        return None

    def renew(self, connection: "Connection", caller: Caller, refused: Credential) -> Credential | None:
        """A better credential after the endpoint answered 401, or None where there is none."""
        return None

    def refused_for_want(self, connection: "Connection", caller: Caller, challenges: Sequence[str]) -> str:
        """The endpoint answered 403 with these `WWW-Authenticate` values.

        Raises ConsentRequired where it wants what the user may still allow. A troubleshooting code where the method
        knows better than `refused` why the call was refused, else "".
        """
        return ""

    def refused(self, status: int) -> str:
        """The troubleshooting code for an endpoint that answers 401 or 403 to this method's credential."""
        return f"endpoint_refused_{status}"

    def claims(self, credential: Credential) -> tuple[tuple[str, str], ...]:
        """What a token says about itself, for the person who tests the connection; never the token."""
        return ()

    def callers(self, connection: "Connection") -> Sequence[Caller]:
        """As whom a test calls, once for each: by default as the portal itself."""
        return (Caller(agent=None),)

    def waiting(self, connection: "Connection", caller: Caller, task: str) -> Consent | None:
        """What a task that the gateway made for this caller waits for; None when it can go on."""
        return None

    def consent_state(self, connection: "Connection", caller: Caller) -> tuple[str, Consent | None]:
        """("connected" | "consent_required" | "not_needed", the consent to be given)."""
        return "not_needed", None

    def stands(self, connection: "Connection", caller: Caller) -> bool:
        """Whether an open stream of this caller may go on; asked again after every change."""
        return True

    def acts_as(self, connection: "Connection", agent: "Agent") -> str:
        """As whom the endpoint sees this agent's calls, in words."""
        raise NotImplementedError

    def facts(self, connection: "Connection") -> Sequence[tuple[str, str]]:
        """Label and value pairs of the settings, for the connection's page; nothing secret."""
        return ()

    # On the connection's pages.

    def is_finished(self, connection: "Connection") -> bool:
        """False while something is missing that an administrator can only enter after the first save."""
        return True

    def elsewhere(self, connection: "Connection") -> Sequence[Elsewhere]:
        return ()

    def tabs(self, connection: "Connection") -> Sequence[Tab]:
        return ()

    def panel(self, connection: "Connection") -> dict[str, Any]:
        """What `panel_template` needs besides the page's own context."""
        return {}

    def consented(self, connection: "Connection") -> tuple[int, int] | None:
        """How many people have consented, of how many who can; None where nobody has to."""
        return None

    def given_by_people(self, connection: "Connection") -> str:
        """The state of what people have given, in words, where a probe can't try it: "2 people connected"; or ""."""
        return ""

    def lost_by(self, connection: "Connection") -> str:
        """What a change costs beside stored values: 'sets 1 consent to “needs consent again”', or "".

        `connection` has the new values and is not saved; its related rows are the old ones. It may have got another
        method.
        """
        return ""

    def drop_lost(self, connection: "Connection", by: "User") -> None:
        """Ends what no longer fits. Called in the transaction of each change, after the connection was saved."""

    def what_stops(self, connection: "Connection") -> Sequence[str]:
        """Sentences for whoever is about to delete the connection."""
        return ()

    def before_deletion(self, connection: "Connection", by: "User") -> None:
        """Ends what people gave through the connection. Called in the transaction that deletes it, before it does."""

    def what_stops_with(self, agent: "Agent") -> Sequence[str]:
        """Sentences for whoever is about to delete the agent."""
        return ()

    def before_agent_goes(self, agent: "Agent", by: "User") -> None:
        """Ends what people allowed the agent. Called in the transaction that deletes it, before it does."""


@dataclass
class Registry:
    """The methods of settings.AUTH_METHODS by slug, in their order."""

    methods: dict[str, AuthMethod] = field(default_factory=dict)

    def __iter__(self):
        return iter(self.methods.values())

    def __getitem__(self, slug: str) -> AuthMethod:
        return self.methods[slug]

    def __contains__(self, slug: str) -> bool:
        return slug in self.methods
