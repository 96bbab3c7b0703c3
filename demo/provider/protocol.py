"""OAuth 2 by Authlib's server over a `Store`, answering with Starlette's responses.

Authlib is synchronous and the store is memory, so that within one event loop every request is atomic.
"""

import logging
import secrets
import time
from typing import Any

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import AuthorizationServer
from starlette.responses import JSONResponse, Response

from demo.provider.assertions import Assertions
from demo.provider.endpoints import Introspection, Registration, Revocation
from demo.provider.grants import S256, CodeGrant, RefreshGrant
from demo.provider.id_tokens import IdTokens
from demo.provider.incoming import Incoming, client_by_basic
from demo.provider.records import AccessToken, Client, Code, RefreshToken, digest
from demo.provider.settings import Settings
from demo.provider.store import Store

logging.getLogger("authlib").setLevel(logging.INFO)  # at DEBUG its grants write the tokens they issue


class Protocol(AuthorizationServer):
    def __init__(self, issuer: str, settings: Settings, store: Store) -> None:
        super().__init__(scopes_supported=list(settings.scopes))
        self.issuer = issuer
        self.settings = settings
        self.store = store
        self.register_client_auth_method("client_secret_basic", client_by_basic)
        self.id_tokens = IdTokens(issuer, settings)
        self.assertions = Assertions(issuer, settings)
        self.register_client_auth_method("private_key_jwt", self.assertions.client)
        self.register_token_generator("default", self._tokens)
        self.register_grant(CodeGrant, [] if settings.pkce == "unsupported" else [S256(settings.pkce == "required")])
        self.register_grant(RefreshGrant)
        for endpoint in (Revocation, Introspection, Registration):
            self.register_endpoint(endpoint)

    def query_client(self, client_id: str) -> Client | None:
        return self.store.clients.get(client_id)

    def save_token(self, token: dict[str, Any], request: Incoming) -> None:
        origin: Code | RefreshToken = request.authorization_code or request.refresh_token
        now = time.time()
        access = AccessToken(origin.approval, token["scope"], now + self.settings.access_seconds)
        self.store.access_tokens[digest(token["access_token"])] = access
        if isinstance(origin, Code) and "openid" in token["scope"].split():
            token["id_token"] = self.id_tokens.token(origin)
        if "refresh_token" in token:
            refresh = RefreshToken(origin.approval, now + self.settings.refresh_seconds)
            self.store.refresh_tokens[digest(token["refresh_token"])] = refresh

    def create_oauth2_request(self, request: Incoming) -> Incoming:
        return request

    create_json_request = create_oauth2_request

    def handle_response(self, status: int, body: Any, headers: list[tuple[str, str]]) -> Response:
        named = dict(headers)
        if "Location" in named:  # only the authorization endpoint redirects: RFC 9207, errors included
            location = add_params_to_uri(named["Location"], [("iss", self.issuer)])
            return Response(status_code=303, headers={"Location": location, "Cache-Control": "no-store"})
        named.pop("Content-Type", None)
        return JSONResponse(body, status, named)

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def _tokens(self, grant_type, client, user=None, scope="", expires_in=None, include_refresh_token=True) -> dict:
        token = {
            "token_type": "Bearer",
            "access_token": f"octo_at_{secrets.token_urlsafe(32)}",
            "expires_in": int(self.settings.access_seconds),
            "scope": scope,
        }
        needed = self.settings.refresh_needs
        if include_refresh_token and (not needed or needed in scope.split()):
            token["refresh_token"] = f"octo_rt_{secrets.token_urlsafe(32)}"
        return token
