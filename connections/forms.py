"""The plain forms of the connection pages; `entry` joins them with a method's own fields."""

from urllib.parse import urlsplit

from django import forms
from django.conf import settings as deployment

from connections.methods import methods
from connections.models import CARD_PATH, Connection, connection_name
from portal.agents.models import Agent
from portal.outbound import policy
from portal.outbound.errors import AddressBlocked, NameNotFound, OutboundError
from portal.projects.models import Project

BINDINGS = {
    "JSONRPC 1.0": "JSON-RPC, A2A 1.0",
    "JSONRPC 0.3": "JSON-RPC, A2A 0.3",
    "HTTP+JSON 1.0": "HTTP+JSON, A2A 1.0",
    "HTTP+JSON 0.3": "HTTP+JSON, A2A 0.3",
}
# Minutes between scheduled probes; 0 for none.
PROBED_EVERY = (0, 1, 5, 15, 60)
DEFAULT_BINDINGS = ["JSONRPC 1.0", "JSONRPC 0.3"]
# The addresses below tools/ that are pages of their own.
TAKEN_NAMES = frozenset({"connect"})
CONSENT_ANSWER_HINT = (
    "Each carries the link. A task in the auth-required state is what A2A says, and right for most clients. Microsoft "
    "Agent Framework shows nothing of it in a plain call: for agents that are built with it, choose the input-required "
    "state."
)
ELSEWHERE = (
    "Credentials for the agent card are sent only over https and only to the endpoint's own host. "
    "Clear this box, or use a card path on that host."
)


class ConnectionForm(forms.Form):
    """Name, endpoint, card and method. Whether the host can be found is asked of the DNS."""

    use_required_attribute = False

    name = forms.CharField(
        label="Name",
        help_text="3 to 33 letters, digits, hyphens or underscores. Part of the address that agents call; "
        "it can't be changed later.",
        max_length=64,
        validators=[connection_name],
        error_messages={"required": "Enter a name."},
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )
    display_name = forms.CharField(
        label="Display name", help_text="Shown beside the name; may be empty.", max_length=120, required=False
    )
    endpoint = forms.CharField(
        label="A2A Agent Endpoint",
        max_length=2000,
        error_messages={"required": "Enter the address of the A2A agent, such as https://agent.example.com/a2a."},
        widget=forms.TextInput(
            {"type": "url", "inputmode": "url", "autocomplete": "off", "spellcheck": "false", "data-code": True}
        ),
    )
    card_path = forms.CharField(
        label="Agent card path",
        help_text=f"Appended to the endpoint. Empty stands for {CARD_PATH}, which is also tried at the endpoint's "
        "origin. A full URL stands for itself.",
        max_length=2000,
        required=False,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false", "data-code": True}),
    )
    send_credentials_for_card = forms.BooleanField(
        label="Send credentials for the agent card",
        help_text="Only over https, and only to the endpoint's own host.",
        required=False,
    )
    auth_method = forms.ChoiceField(label="Authentication", widget=forms.RadioSelect)

    def __init__(self, project: Project, connection: Connection | None = None, **options) -> None:
        super().__init__(auto_id="%s", **options)
        self.project, self.connection = project, connection
        self.fields["auth_method"].choices = [(method.slug, method.label) for method in methods()]
        del self.fields["display_name" if connection is None else "name"]

    def clean_name(self) -> str:
        name = self.cleaned_data["name"]
        taken = self.project.connections.filter(name__iexact=name).values_list("name", flat=True).first()
        if taken:
            raise forms.ValidationError(
                f"A connection named {taken} already exists in this project. Upper and lower case count as the same."
            )
        if name.casefold() in TAKEN_NAMES:
            raise forms.ValidationError(f"The portal uses {name} for a page of its own. Choose another name.")
        return name

    def clean_endpoint(self) -> str:
        endpoint = self.cleaned_data["endpoint"]
        if "?" in endpoint:
            raise forms.ValidationError(
                "The address has a part after ?, which is lost when a path is appended. Remove it; a key belongs in a "
                "credential."
            )
        return reachable(endpoint)

    def clean_card_path(self) -> str:
        path = self.cleaned_data["card_path"] or CARD_PATH
        return reachable(path) if "://" in path else path

    def clean(self) -> None:
        given = self.cleaned_data
        if not {"endpoint", "card_path"} <= given.keys():
            return
        there = Connection(endpoint=given["endpoint"], card_path=given["card_path"])
        try:
            policy.check_url(there.card_url)
        except OutboundError as error:
            self.add_error("card_path", error.sentence)
            return
        there.send_credentials_for_card = given.get("send_credentials_for_card", False)
        if there.send_credentials_for_card and not there.sends_card_credentials:
            self.add_error("send_credentials_for_card", ELSEWHERE)


def reachable(url: str) -> str:
    """The address in its one spelling. Whether a server answers there is not asked here."""
    try:
        target = policy.check_url(url)
        policy.resolve(target.host, target.port, target.plain)
    except (AddressBlocked, NameNotFound) as error:
        raise forms.ValidationError(error.sentence) from None
    except OutboundError as error:
        if error.code != "notreachable":
            raise forms.ValidationError(error.sentence) from None
    return target.url if urlsplit(url).path else target.url.removesuffix("/")


class BindingsForm(forms.Form):
    """What the endpoint speaks, where no card says it."""

    bindings = forms.MultipleChoiceField(
        label="What the endpoint speaks",
        help_text="Without a card the portal can't know. Calls go to the endpoint itself.",
        choices=list(BINDINGS.items()),
        initial=DEFAULT_BINDINGS,
        error_messages={"required": "Choose at least one: without a card, calls need it."},
        widget=forms.CheckboxSelectMultiple,
    )

    def pairs(self) -> tuple[tuple[str, str], ...]:
        return tuple(tuple(choice.split(" ")) for choice in self.cleaned_data["bindings"])


class UseForm(forms.Form):
    """Which agents may call it."""

    agent = forms.ModelChoiceField(
        label="Agent",
        queryset=Agent.objects.none(),
        to_field_name="name",
        required=False,
        empty_label="Choose an agent",
        error_messages={"invalid_choice": "There is no such agent in this project."},
    )
    everyone = forms.BooleanField(
        label="All agents of this project", help_text="Also those that are registered later.", required=False
    )

    def __init__(self, connection: Connection, **options) -> None:
        super().__init__(**options)
        agents = connection.project.agents.filter(disabled_at=None).exclude(given__connection=connection)
        self.fields["agent"].queryset = agents.order_by("name")

    def clean(self) -> None:
        if not self.cleaned_data.get("agent") and not self.cleaned_data.get("everyone") and not self.errors:
            self.add_error("agent", "Choose an agent, or all agents of this project.")


class LimitsForm(forms.Form):
    """What is set beside the endpoint. The limits count per agent, in each process of the gateway.

    `probe_every` None stands for the portal's own interval. How a missing consent is answered is only asked where the
    method asks people for one.
    """

    display_name = forms.CharField(
        label="Display name", help_text="Shown in lists; may be empty.", max_length=120, required=False
    )
    calls_per_minute = forms.IntegerField(label="Calls a minute", min_value=1, max_value=100_000, required=False)
    calls_at_once = forms.IntegerField(label="Calls at once", min_value=1, max_value=10_000, required=False)
    probe_every = forms.TypedChoiceField(
        label="Probes",
        coerce=int,
        empty_value=None,
        required=False,
        help_text="A probe tests the connection as Test connection does. It never disables one.",
    )
    consent_answer = forms.ChoiceField(
        label="What an agent is told while consent is missing",
        choices=Connection.ConsentAnswer.choices,
        help_text=CONSENT_ANSWER_HINT,
    )

    def __init__(self, connection: Connection, *args, **options) -> None:
        names = [name for name in self.base_fields if name != "consent_answer" or _asks_people(connection)]
        initial = {name: getattr(connection, name) for name in names}
        super().__init__(*args, initial=initial, **options)
        self.fields = {name: self.fields[name] for name in names}
        own = f"The portal's own: {how_often(deployment.PROBE_MINUTES).lower()}"
        self.fields["probe_every"].choices = [("", own), *((minutes, how_often(minutes)) for minutes in PROBED_EVERY)]
        usual = {
            "calls_per_minute": deployment.GATEWAY_CALLS_PER_MINUTE,
            "calls_at_once": deployment.GATEWAY_CALLS_AT_ONCE,
        }
        for name, number in usual.items():
            self.fields[name].help_text = f"Of each agent. Empty stands for the portal's own limit, {number}."


def how_often(minutes: int) -> str:
    if not minutes:
        return "Never"
    if minutes == 60:
        return "Every hour"
    return "Every minute" if minutes == 1 else f"Every {minutes} minutes"


def _asks_people(connection: Connection) -> bool:
    return connection.auth_method in methods() and methods()[connection.auth_method].user_context_persists
