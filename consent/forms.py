"""The settings of a custom OAuth connection: labels as Foundry's users know them (foundry.md 1.3)."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django import forms

from connections.forms import reachable
from connections.methods.base import SettingsForm
from consent import answering, client_assertions, matching
from consent.oauth2 import OWN_PARAMETERS
from portal.outbound import policy
from portal.outbound.errors import OutboundError

SCOPE = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")
CLIENT_AUTH = [
    ("basic", "In the header (client_secret_basic)"),
    ("post", "In the form (client_secret_post)"),
    (client_assertions.METHOD, "By a signature (private_key_jwt)"),
    ("none", "None: a public client"),
]


NEEDS_ISSUER = (
    "A signature is good for one issuer only, so private_key_jwt needs it. Enter it exactly as the provider's metadata "
    "names it, or choose another client authentication."
)
ACCOUNT_MATCH = [
    (matching.OFF, "Off"),
    (matching.REPORT, "Report: connect it, and say that it differs"),
    (matching.ENFORCE, "Enforce: refuse another account"),
]
ACCOUNT_CLAIMS = [
    (matching.VERIFIED_EMAIL, "email, if the provider has verified it"),
    ("email", "email"),
    ("preferred_username", "preferred_username"),
    ("upn", "upn"),
]
NEEDS_ACCOUNT = (
    "Nothing says whose account it is. Add the scope openid and the issuer, or the userinfo URL, or choose Off."
)
CODE = {"autocomplete": "off", "spellcheck": "false", "data-code": True}


class AddressField(forms.CharField):
    """An OAuth address: https (or an allowed internal network), no user name, no fragment (RFC 6749 3.1, T19).

    `is_called`: the portal itself goes there, so its name must lead to somewhere that it may call. People's browsers
    may know names that the portal doesn't; over plain http they, too, are sent only to an allowed network.
    """

    def __init__(self, *, is_called: bool = True, **options: Any) -> None:
        self.is_called = is_called
        widget = forms.TextInput({"type": "url", "inputmode": "url", **CODE})
        super().__init__(max_length=2000, widget=widget, **options)

    def clean(self, value: Any) -> str:
        url = super().clean(value)
        if not url:
            return ""
        try:
            target = policy.check_url(url)
        except OutboundError as error:
            raise forms.ValidationError(error.sentence) from None
        return reachable(url) if self.is_called or target.plain else url


class LinesField(forms.CharField):
    """`name = value` lines as a dict."""

    def __init__(self, **options: Any) -> None:
        super().__init__(widget=forms.Textarea({"rows": 3, "spellcheck": "false"}), required=False, **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(f"{name} = {text}" for name, text in value.items()) if isinstance(value, dict) else value

    def to_python(self, value: Any) -> dict[str, str]:
        lines = [line for line in (value or "").splitlines() if line.strip()]
        pairs = [tuple(part.strip() for part in line.partition("=")[::2]) for line in lines]
        if any(not name or not text for name, text in pairs):
            raise forms.ValidationError("Write one name = value on each line.")
        return dict(pairs)

    def validate(self, value: dict[str, str]) -> None:
        return None

    def run_validators(self, value: dict[str, str]) -> None:
        return None


class ScopesField(forms.CharField):
    """Scopes separated by white space, as a list without repetitions."""

    def prepare_value(self, value: Any) -> Any:
        return " ".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> list[str]:
        scopes = list(dict.fromkeys(super().clean(value).split()))
        if not all(SCOPE.fullmatch(scope) for scope in scopes):
            raise forms.ValidationError("A scope has no quotation marks, backslashes or letters outside ASCII.")
        return scopes


class OAuthSettings(SettingsForm):
    """Cleaned, this is `Connection.settings`. What is under "More settings" stands in MORE."""

    MORE = (
        "issuer",
        "revocation_url",
        "userinfo_url",
        "client_auth",
        "audience",
        "extra",
        "account_match",
        "account_claim",
        "deadline_seconds",
        "grace_seconds",
        "keep_alive_days",
    )

    use_required_attribute = False

    # Not required: most providers name it only once they were told the redirect URL, which exists from the first save.
    client_id = forms.CharField(
        label="Client ID",
        required=False,
        max_length=500,
        help_text="Leave empty until you have it.",
        widget=forms.TextInput(CODE),
    )
    authorization_url = AddressField(
        label="Authorization URL",
        is_called=False,
        help_text="Where people sign in.",
        error_messages={"required": "Enter the authorization URL."},
    )
    token_url = AddressField(label="Token URL", error_messages={"required": "Enter the token URL."})
    refresh_url = AddressField(label="Refresh URL", required=False, help_text="Leave empty to use the token URL.")
    scopes = ScopesField(
        label="Scopes",
        required=False,
        help_text="Separated by spaces. Add offline_access where the provider needs it for refresh.",
        widget=forms.TextInput(CODE),
    )
    scope_words = LinesField(
        label="What people read when they are asked",
        help_text="One plain sentence for each scope, such as: repo = Read and write your repositories. "
        "A scope without one is shown by its name.",
    )
    pkce = forms.ChoiceField(
        label="PKCE",
        choices=[("S256", "S256 (recommended)"), ("off", "Off")],
        initial="S256",
        required=False,
        help_text="Turn off only if the provider refuses it.",
    )
    resource = forms.CharField(
        label="Resource",
        required=False,
        max_length=2000,
        help_text="Names the service that the token is for, where the provider asks for it.",
        widget=forms.TextInput(CODE),
    )
    issuer = forms.CharField(
        label="Issuer",
        required=False,
        max_length=2000,
        help_text="When set, the provider's answer must name exactly this issuer.",
        widget=forms.TextInput(CODE),
    )
    revocation_url = AddressField(label="Revocation URL", required=False, help_text="Told when somebody disconnects.")
    userinfo_url = AddressField(
        label="Userinfo URL", required=False, help_text="Asked once for the name of the account that was connected."
    )
    client_auth = forms.ChoiceField(
        label="Client authentication",
        choices=CLIENT_AUTH,
        initial="basic",
        required=False,
        help_text="How the client secret is sent. With private_key_jwt there is none: the portal makes a key pair, and "
        "you register its public half. A public app proves nothing.",
    )
    audience = forms.CharField(
        label="Audience",
        required=False,
        max_length=2000,
        help_text="Sent as audience.",
        widget=forms.TextInput(CODE),
    )
    extra = LinesField(label="Extra authorize parameters", help_text="One on each line, such as prompt = consent")
    account_match = forms.ChoiceField(
        label="Account must match the person",
        choices=ACCOUNT_MATCH,
        initial=matching.OFF,
        required=False,
        help_text="Whether the account that somebody connects has to be their own: the claim below is compared with "
        "their e-mail address here.",
    )
    account_claim = forms.ChoiceField(
        label="Compared claim",
        choices=ACCOUNT_CLAIMS,
        initial=matching.VERIFIED_EMAIL,
        required=False,
        help_text="Of the id token (scope openid, with an issuer) or of the userinfo URL. People can often choose an "
        "unverified e-mail address or a user name themselves.",
    )
    deadline_seconds = forms.IntegerField(
        label="Provider answers within",
        required=False,
        min_value=answering.SHORTEST_DEADLINE,
        max_value=answering.LONGEST_DEADLINE,
        help_text="In seconds, 10 when empty: how long it may take over a token. A slow one needs more; whoever calls "
        "meanwhile waits.",
    )
    grace_seconds = forms.IntegerField(
        label="Takes a used refresh token again for",
        required=False,
        min_value=0,
        max_value=answering.LONGEST_GRACE,
        help_text="In seconds. Then a renewal whose answer was lost is tried again within that time. 0: never; then it "
        "is not, while the access works. Leave empty if you don't know.",
    )
    keep_alive_days = forms.IntegerField(
        label="Keep unused access alive",
        required=False,
        min_value=1,
        max_value=365,
        help_text="In days: access that no agent has used for so long is renewed all the same. For providers that end "
        "it when it is not used. Leave empty to let it end.",
    )

    @property
    def more(self) -> list[forms.BoundField]:
        return [self[name] for name in self.MORE]

    @property
    def opens_more(self) -> bool:
        """Whether something under "More settings" is filled or wrong, and has to be seen."""
        return any(bound.errors or bound.value() not in (None, "", {}, bound.field.initial) for bound in self.more)

    def clean_authorization_url(self) -> str:
        """A tenant or a policy may stand in its query; of two equal parameters a provider may take the first."""
        url = self.cleaned_data["authorization_url"]
        _refuse_own(name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True))
        return url

    def clean_pkce(self) -> str:
        return self.cleaned_data["pkce"] or "S256"

    def clean_account_match(self) -> str:
        return self.cleaned_data["account_match"] or matching.OFF

    def clean_account_claim(self) -> str:
        return self.cleaned_data["account_claim"] or matching.VERIFIED_EMAIL

    def clean_client_auth(self) -> str:
        return self.cleaned_data["client_auth"] or "basic"

    def clean_issuer(self) -> str:
        issuer = self.cleaned_data["issuer"]
        if issuer and urlsplit(issuer).scheme not in ("https", "http"):
            raise forms.ValidationError("An issuer is an address, such as https://login.example.com.")
        return issuer

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        rule = cleaned.get("account_match", matching.OFF)
        if rule != matching.OFF and not self.tells_account(cleaned):
            self.add_error("account_match", NEEDS_ACCOUNT)
        signs = cleaned.get("client_auth") == client_assertions.METHOD
        if signs and not cleaned.get("issuer") and "issuer" not in self.errors:
            self.add_error("issuer", NEEDS_ISSUER)
        return cleaned

    def tells_account(self, cleaned: dict[str, Any]) -> bool:
        """Whether the provider will say which account was connected."""
        has_id_token = "openid" in cleaned.get("scopes", ()) and cleaned.get("issuer")
        return bool(has_id_token or cleaned.get("userinfo_url"))

    def clean_extra(self) -> dict[str, str]:
        _refuse_own(self.cleaned_data["extra"])
        return self.cleaned_data["extra"]


def _refuse_own(names: Iterable[str]) -> None:
    own = sorted({name for name in names if name.lower() in OWN_PARAMETERS})
    if own:
        raise forms.ValidationError(f"{', '.join(own)} belongs to the flow itself and can't be set here.")
