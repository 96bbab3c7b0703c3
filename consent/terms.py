"""What is asked of a user, frozen: where they sign in, where tokens go, what the agent may do.

A request and a grant each keep their own copy. Editing the connection later neither moves a token that was given, nor
the address it is revoked at (T01, T16).
"""

from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings as deployment

from consent.publishers import Wire, authorize_params_of, name_of, wire_of
from portal.outbound import policy
from portal.outbound.errors import OutboundError


@dataclass(frozen=True)
class Terms:
    """Every URL and name of one OAuth conversation. `endpoints` are the URLs that the access token may be sent to."""

    authorization_url: str
    token_url: str
    refresh_url: str
    client_id: str
    redirect_uri: str
    endpoints: tuple[str, ...]
    scopes: tuple[str, ...] = ()
    scope_words: dict[str, str] = field(default_factory=dict)
    revocation_url: str = ""
    userinfo_url: str = ""
    issuer: str = ""
    resource: str = ""
    audience: str = ""
    pkce: str = "S256"
    client_auth: str = "basic"
    extra: dict[str, str] = field(default_factory=dict)
    # The publisher whose app the portal manages; "" for the connection's own app registration.
    publisher: str = ""

    @classmethod
    def of(cls, stored: dict[str, Any]) -> "Terms":
        lists = {name: tuple(stored[name]) for name in ("endpoints", "scopes")}
        return cls(**(stored | lists))

    @classmethod
    def now(cls, connection) -> "Terms":
        """The terms that the connection offers at this moment; of one that is still being entered, what is there."""
        chosen = connection.settings
        if chosen.get("publisher"):
            from consent.managed import terms as managed  # noqa: PLC0415 -- reads models, which need this module

            return managed.now(connection)
        return cls(
            authorization_url=chosen.get("authorization_url", ""),
            token_url=chosen.get("token_url", ""),
            refresh_url=chosen.get("refresh_url") or chosen.get("token_url", ""),
            client_id=chosen.get("client_id", ""),
            redirect_uri=redirect_uri(connection.id),
            endpoints=connection.addresses(),
            scopes=tuple(chosen.get("scopes", ())),
            scope_words=chosen.get("scope_words", {}),
            revocation_url=chosen.get("revocation_url", ""),
            userinfo_url=chosen.get("userinfo_url", ""),
            issuer=chosen.get("issuer", ""),
            resource=chosen.get("resource", ""),
            audience=chosen.get("audience", ""),
            pkce=chosen.get("pkce", "S256"),
            client_auth=chosen.get("client_auth", "basic"),
            extra=chosen.get("extra", {}),
        )

    def stored(self) -> dict[str, Any]:
        return asdict(self) | {"endpoints": list(self.endpoints), "scopes": list(self.scopes)}

    @property
    def wire(self) -> Wire:
        """How the provider is spoken to."""
        return wire_of(self.publisher)

    @property
    def authorize_params(self) -> dict[str, str]:
        """What the publisher wants along with the authorization request, beside `extra`."""
        return authorize_params_of(self.publisher)

    @property
    def can_be_told(self) -> bool:
        """Whether the provider takes the news that a token is no longer wanted."""
        return bool(self.revocation_url and self.wire.revocation)

    @property
    def access_token_addresses(self) -> tuple[str, ...]:
        return tuple(filter(None, (*self.endpoints, self.userinfo_url, self.revocation_url)))

    @property
    def refresh_token_addresses(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.token_url, self.refresh_url, self.revocation_url)))

    @property
    def sign_in_host(self) -> str:
        return shown_host(self.authorization_url) or name_of(self.publisher)

    @property
    def endpoint_host(self) -> str:
        return shown_host(self.endpoints[0])

    def still_fit(self, connection) -> bool:
        """Whether a token given under these terms may still be used: nothing that it can be sent to has moved."""
        return self.fit(Terms.now(connection)) and not self.withdrawn

    def fit(self, current: "Terms") -> bool:
        """Whether these and the `current` ones lead a token to the same places."""
        return (
            current.publisher == self.publisher
            and current.endpoints == self.endpoints
            and current.refresh_token_addresses == self.refresh_token_addresses
            and current.client_id == self.client_id
        )

    @property
    def withdrawn(self) -> str:
        """Why the publisher's app may not be used like this now, a troubleshooting code; "" where it may."""
        if not self.publisher:
            return ""
        from consent.managed import allowing  # noqa: PLC0415 -- reads models, which need this module

        return allowing.withdrawn(self)


def shown_host(url: str) -> str:
    """Where a browser really goes: letters of other scripts that look like ours are shown as xn-- (T19)."""
    try:
        return urlsplit(policy.check_url(url).url).netloc
    except OutboundError:
        return urlsplit(url).netloc


def redirect_uri(connection_id: UUID) -> str:
    """One for each connection: the defence against mix-up that needs nothing of the provider (T16)."""
    return f"{deployment.PUBLIC_URL}/consent/callback/{connection_id}"


def publishers_redirect_uri(publisher: str) -> str:
    """One for each publisher: its app belongs to the whole portal, and its addresses are nobody's to choose (T16)."""
    return f"{deployment.PUBLIC_URL}/consent/callback/p/{publisher}"
