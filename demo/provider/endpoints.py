"""Revocation (RFC 7009), introspection (RFC 7662) and registration (RFC 7591), each by Authlib."""

import ipaddress
import secrets
import time
from typing import Any

from authlib.oauth2.rfc6749 import InvalidRequestError
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7591 import ClientRegistrationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from starlette.requests import Request

from demo.provider.incoming import Incoming
from demo.provider.records import AccessToken, Client, RefreshToken, digest
from demo.provider.settings import AUTH_METHODS


class _TokenLookup:
    CLIENT_AUTH_METHODS = AUTH_METHODS

    def query_token(self, token_string: str, token_type_hint: str | None) -> AccessToken | RefreshToken | None:
        """The hint only says where to look first (RFC 7009 section 2.1); two dictionaries need none."""
        store = self.server.store
        return store.refresh_token(token_string) or store.access_token(token_string)


class Revocation(_TokenLookup, RevocationEndpoint):
    def revoke_token(self, token: AccessToken | RefreshToken, request: Incoming) -> None:
        """A refresh token takes every token of its approval with it; an access token only itself."""
        if isinstance(token, RefreshToken):
            self.server.store.revoke(token.approval)
        else:
            token.revoked = True
            self.server.store.save()


class Introspection(_TokenLookup, IntrospectionEndpoint):
    CLIENT_AUTH_METHODS = AUTH_METHODS[:-1]  # a public client proves nothing

    def check_permission(self, token: AccessToken | RefreshToken, client: Client, request: Incoming) -> bool:
        return isinstance(token, AccessToken) and (client.may_introspect or token.check_client(client))

    def introspect_token(self, token: AccessToken) -> dict[str, Any]:
        return claims_of(token, self.server.issuer)


def claims_of(token: AccessToken, issuer: str) -> dict[str, Any]:
    """The members of RFC 7662 section 2.2; `username` is the account's name."""
    claims = {
        "active": True,
        "iss": issuer,
        "sub": token.approval.account,
        "username": token.approval.account,
        "client_id": token.approval.client_id,
        "scope": token.scope,
        "token_type": "Bearer",
        "exp": int(token.expires_at),
    }
    return {**claims, "aud": token.approval.resource} if token.approval.resource else claims


class Registration(ClientRegistrationEndpoint):
    """Open, so that the demo needs no set-up; the route in front lets only programs of this machine in."""

    def authenticate_token(self, request: Incoming) -> bool:
        return True

    def get_server_metadata(self) -> dict[str, Any]:
        return {
            "scopes_supported": list(self.server.settings.scopes),
            "token_endpoint_auth_methods_supported": self.server.settings.auth_methods,
        }

    def extract_client_metadata(self, request: Incoming) -> dict[str, Any]:
        metadata = super().extract_client_metadata(request)
        if not metadata.get("redirect_uris"):
            raise InvalidRequestError("A client needs a redirect URI.")
        if metadata.get("token_endpoint_auth_method") == "private_key_jwt" and not metadata.get("jwks_uri"):
            raise InvalidRequestError("A client that signs needs a jwks_uri.")
        return metadata

    def generate_client_info(self, request: Incoming) -> dict[str, Any]:
        info = {"client_id": f"octo_client_{secrets.token_hex(8)}", "client_id_issued_at": int(time.time())}
        if request.payload.data.get("token_endpoint_auth_method") not in ("none", "private_key_jwt"):
            info |= {"client_secret": f"octo_secret_{secrets.token_urlsafe(32)}", "client_secret_expires_at": 0}
        return info

    def save_client(self, client_info: dict, client_metadata: dict, request: Incoming) -> Client:
        secret = client_info.get("client_secret")
        client = Client(
            client_id=client_info["client_id"],
            secret_digest=digest(secret) if secret else "",
            auth_method=client_metadata.get("token_endpoint_auth_method", "client_secret_basic"),
            redirect_uris=client_metadata["redirect_uris"],
            name=client_metadata.get("client_name", client_info["client_id"]),
            scope=client_metadata.get("scope") or " ".join(self.server.settings.scopes),
            jwks_uri=client_metadata.get("jwks_uri", ""),
        )
        self.server.store.add_client(client)
        return client


def is_local_program(request: Request) -> bool:
    """Whether it comes from this machine, through no proxy, and from no page in a browser.

    The Host header is checked too: a name that somebody points at 127.0.0.1 would lead a browser here.
    """
    names_a_sender = any(name in request.headers for name in ("forwarded", "x-forwarded-for", "origin", "referer"))
    return not names_a_sender and is_loopback(request.client.host) and is_loopback(request.url.hostname or "")


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
