"""What can be chosen about an authorization server, and the addresses that follow from its issuer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

SCOPES = {
    "reviews:read": "See the pull requests that wait for your review",
    "reviews:comment": "Comment on pull requests in your name",
    "profile": "Know the name of your account",
}
ACCOUNTS = {"octo-ben": "Ben Okafor", "octo-chloe": "Chloe Martin"}
AUTH_METHODS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")

SIGNING = ("RS256", "PS256", "ES256")


@dataclass(frozen=True)
class Settings:
    """Lifetimes are in seconds; everything else has the value that RFC 9700 would choose."""

    access_seconds: float = 300
    refresh_seconds: float = 30 * 24 * 3600
    code_seconds: float = 60
    grace_seconds: float = 0  # how long a used refresh token still works, for a client whose answer was lost
    rotates: bool = True  # False: the refresh token stays, and none comes back with a refresh
    pkce: Literal["required", "optional", "unsupported"] = "required"
    asks_again: bool = True  # False: who has agreed once is sent back without a page
    refresh_needs: str = ""  # a scope without which there is no refresh token, as offline_access elsewhere
    scopes: dict[str, str] = field(default_factory=lambda: dict(SCOPES))
    accounts: dict[str, str] = field(default_factory=lambda: dict(ACCOUNTS))
    # What is said of an account beside its name; with the scope openid in an id token too.
    claims: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Gives the JWKS at a client's jwks_uri; without it no client may authenticate by private_key_jwt.
    read_keys: Callable[[str], dict[str, Any]] | None = None

    @property
    def auth_methods(self) -> list[str]:
        return [name for name in AUTH_METHODS if self.read_keys or name != "private_key_jwt"]


@dataclass(frozen=True)
class Addresses:
    """Every URL of the server whose issuer is `issuer`, an absolute URL without a trailing slash."""

    issuer: str

    @property
    def origin(self) -> str:
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def path(self) -> str:
        """The issuer's path, "" at a root."""
        return urlsplit(self.issuer).path

    @property
    def authorize(self) -> str:
        return f"{self.issuer}/authorize"

    @property
    def token(self) -> str:
        return f"{self.issuer}/token"

    @property
    def revoke(self) -> str:
        return f"{self.issuer}/revoke"

    @property
    def introspect(self) -> str:
        return f"{self.issuer}/introspect"

    @property
    def userinfo(self) -> str:
        return f"{self.issuer}/userinfo"

    @property
    def jwks(self) -> str:
        return f"{self.issuer}/jwks.json"

    @property
    def register(self) -> str:
        return f"{self.issuer}/register"

    @property
    def metadata(self) -> str:
        """RFC 8414 section 3.1: the well-known part goes between the host and the issuer's path."""
        return f"{self.origin}/.well-known/oauth-authorization-server{self.path}"


def metadata(at: Addresses, settings: Settings) -> dict[str, Any]:
    """The document of RFC 8414."""
    return {
        "issuer": at.issuer,
        "authorization_endpoint": at.authorize,
        "token_endpoint": at.token,
        "revocation_endpoint": at.revoke,
        "introspection_endpoint": at.introspect,
        "userinfo_endpoint": at.userinfo,
        "registration_endpoint": at.register,
        "scopes_supported": list(settings.scopes),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": settings.auth_methods,
        "revocation_endpoint_auth_methods_supported": settings.auth_methods,
        **({"token_endpoint_auth_signing_alg_values_supported": list(SIGNING)} if settings.read_keys else {}),
        "code_challenge_methods_supported": [] if settings.pkce == "unsupported" else ["S256"],
        "authorization_response_iss_parameter_supported": True,
        **({"jwks_uri": at.jwks} if "openid" in settings.scopes else {}),
    }
