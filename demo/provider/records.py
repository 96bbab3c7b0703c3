"""What the authorization server remembers, in the shapes that Authlib asks for."""

import hashlib
import hmac
import time
from dataclasses import dataclass, field

from authlib.oauth2.rfc6749 import AuthorizationCodeMixin, ClientMixin, TokenMixin


def digest(secret: str) -> str:
    """Tokens and client secrets are kept as SHA-256 only: random ones need no slower hash."""
    return hashlib.sha256(secret.encode()).hexdigest()


@dataclass
class Client(ClientMixin):
    """A registered client. Without a secret it is a public one ("none"), or one that signs (private_key_jwt)."""

    client_id: str
    secret_digest: str
    auth_method: str
    redirect_uris: list[str]
    name: str
    scope: str  # all that it may ask for, separated by spaces
    may_introspect: bool = False  # a resource server may read tokens that other clients got
    # The public keys of one that signs who it is: at this address, or given when it was registered.
    jwks_uri: str = ""
    jwks: dict | None = None

    def get_client_id(self) -> str:
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: a client names its redirect URI in every request, as OAuth 2.1 wants."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """None, and with it invalid_scope, when one of the scopes is not the client's."""
        if not scope:
            return self.scope
        asked = dict.fromkeys(scope.split())
        return " ".join(asked) if set(asked) <= set(self.scope.split()) else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris  # RFC 9700 section 4.1.3: compared exactly

    def check_client_secret(self, client_secret: str) -> bool:
        return hmac.compare_digest(self.secret_digest, digest(client_secret))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == self.auth_method

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type in ("authorization_code", "refresh_token")


@dataclass
class Approval:
    """What an account has allowed a client. Every token descends from one and dies with it."""

    id: str
    client_id: str
    account: str
    scope: str
    resource: str = ""
    revoked: bool = False
    at: float = field(default_factory=time.time)


@dataclass
class Code(AuthorizationCodeMixin):
    approval: Approval
    redirect_uri: str
    code_challenge: str | None
    code_challenge_method: str | None
    expires_at: float
    used: bool = False
    nonce: str = ""

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.approval.scope


@dataclass
class AccessToken(TokenMixin):
    approval: Approval
    scope: str
    expires_at: float
    revoked: bool = False

    def check_client(self, client: Client) -> bool:
        return self.approval.client_id == client.client_id

    def get_scope(self) -> str:
        return self.scope

    def is_expired(self) -> bool:
        return time.time() >= self.expires_at

    def is_revoked(self) -> bool:
        return self.revoked or self.approval.revoked


@dataclass
class RefreshToken(TokenMixin):
    approval: Approval
    expires_at: float
    used_at: float | None = None

    def check_client(self, client: Client) -> bool:
        return self.approval.client_id == client.client_id

    def get_scope(self) -> str:
        """RFC 6749 section 6: all that was allowed, however little the last refresh asked for."""
        return self.approval.scope

    def is_expired(self) -> bool:
        return time.time() >= self.expires_at

    def is_revoked(self) -> bool:
        return self.approval.revoked

    def is_reused(self, grace_seconds: float) -> bool:
        """Whether it was used already, and longer ago than the grace."""
        return self.used_at is not None and time.time() >= self.used_at + grace_seconds
