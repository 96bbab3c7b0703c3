"""The demo's provider: a small OAuth 2 authorization server with PKCE, rotation and reuse detection, on Authlib.

It is for one machine: two accounts without passwords, everything in memory and, if wanted, in one file.
Why Authlib, and what it leaves to us: docs/decisions/authorization-server.md.
"""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route

from demo.provider.browser import Browser
from demo.provider.endpoints import claims_of
from demo.provider.id_tokens import IdTokens
from demo.provider.machine import Machine
from demo.provider.protocol import Protocol
from demo.provider.records import Client, digest
from demo.provider.settings import Addresses, Settings
from demo.provider.store import Store


@dataclass(frozen=True)
class Registration:
    """What a client needs to know; the secret is "" for a public client and stands nowhere else."""

    client_id: str
    client_secret: str


class Provider:
    """An authorization server whose issuer is `issuer`, an absolute URL without a trailing slash."""

    def __init__(self, issuer: str, settings: Settings | None = None, kept_in: Path | None = None) -> None:
        self.settings = settings or Settings()
        self.at = Addresses(issuer)
        self.store = Store(kept_in)
        self._protocol = Protocol(issuer, self.settings, self.store)

    def routes(self) -> list[BaseRoute]:
        """To be served at the root of the issuer's host: the pages and endpoints, and the well-known document."""
        machine = Machine(self._protocol, self.at, self.verify)
        below = [*Browser(self._protocol, self.at).routes(), *machine.routes()]
        return [Route(f"/.well-known/oauth-authorization-server{self.at.path}", machine.metadata)] + (
            [Mount(self.at.path, routes=below)] if self.at.path else below
        )

    def application(self) -> Starlette:
        return Starlette(routes=self.routes())

    @property
    def id_tokens(self) -> IdTokens:
        return self._protocol.id_tokens

    @property
    def refused_assertions(self) -> list[str]:
        """Of clients that sign who they are: what was wrong, oldest first."""
        return list(self._protocol.assertions.refused)

    def verify(self, token: str) -> dict[str, Any] | None:
        """The claims (RFC 7662) of an access token that lives, else None."""
        found = self.store.access_token(token)
        if found is None or found.is_expired() or found.is_revoked():
            return None
        return claims_of(found, self.at.issuer)

    def register(
        self,
        *redirect_uris: str,
        auth_method: str = "client_secret_basic",
        name: str = "Gatehouse",
        client_id: str = "",
        client_secret: str = "",
        scope: str = "",
        may_introspect: bool = False,
        jwks_uri: str = "",
        jwks: dict | None = None,
    ) -> Registration:
        """Make a client in process; what is empty is made up. Over HTTP the same is POST <issuer>/register."""
        identifier = client_id or f"octo_client_{secrets.token_hex(8)}"
        secret = (
            ""
            if auth_method in ("none", "private_key_jwt")
            else client_secret or f"octo_secret_{secrets.token_urlsafe(32)}"
        )
        allowed = scope or " ".join(self.settings.scopes)
        hashed = digest(secret) if secret else ""
        self.store.add_client(
            Client(identifier, hashed, auth_method, list(redirect_uris), name, allowed, may_introspect, jwks_uri, jwks)
        )
        return Registration(identifier, secret)
