"""The demo's authorization server as a fake: with a ledger of what came, and with faults on demand."""

import base64
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

import httpx

from demo.authorization_server import Provider, Registration
from demo.provider.settings import Addresses, Settings
from tests.fakes.faults import Faults, Plan, WithTransport
from tests.fakes.misbehaviour import Misbehaviour
from tests.fakes.record import Received, Recorder
from tests.fakes.server import listening_socket, serve, url_of

REDIRECT_URI = "http://127.0.0.1:9/callback"  # nobody listens; helpers stop before they get there


@dataclass(frozen=True)
class Call:
    """One request to the provider: `received.at`, `received.headers`, and what its parameters mean."""

    received: Received

    @property
    def endpoint(self) -> str:
        """The last part of the path: "authorize", "token", "refresh", "revoke", "userinfo" …"""
        return self.received.path.rpartition("/")[2]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(self.received.query, keep_blank_values=True))

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.received.body.decode("utf-8", "replace"), keep_blank_values=True))

    @property
    def basic(self) -> tuple[str, str] | None:
        """Client id and secret of an Authorization: Basic header, decoded by RFC 6749 section 2.3.1."""
        [value] = self.received.header("authorization") or [""]
        kind, _, encoded = value.partition(" ")
        if kind.lower() != "basic":
            return None
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
        return unquote_plus(name), unquote_plus(secret)


class FakeProvider:
    """A running authorization server. Register clients with `register`; plan faults with `next` and `always`."""

    def __init__(self, server: Provider) -> None:
        self.server = server
        self.at: Addresses = server.at  # .issuer .authorize .token .revoke .userinfo .introspect .register .metadata
        self.received: list[Received] = []
        self.plan = Plan()

    @property
    def refresh_url(self) -> str:
        """A second address for refreshes alone, for connections whose refresh URL differs."""
        return f"{self.at.issuer}/refresh"

    def register(self, *redirect_uris: str, **options: Any) -> Registration:
        """As of `Provider.register`: auth_method, client_id, client_secret, scope, may_introspect, jwks_uri, jwks."""
        return self.server.register(*(redirect_uris or (REDIRECT_URI,)), **options)

    def authorize_url(self, client: Registration, redirect_uri: str = REDIRECT_URI, **parameters: str) -> str:
        asked = {"response_type": "code", "client_id": client.client_id, "redirect_uri": redirect_uri, **parameters}
        return f"{self.at.authorize}?{urlencode(asked)}"

    def next(self, *misbehaviours: Misbehaviour, at: str = "token") -> None:
        """Each serves one request, in order; then the provider is honest again.

        at: "token" (whatever the grant), "code" or "refresh" (one grant, whatever the URL), "callback" (the way back
        to the client), or an endpoint's name: "revoke", "userinfo", "introspect", "register", "authorize".
        """
        self.plan.next[at].extend(misbehaviours)

    def always(self, misbehaviour: Misbehaviour, at: str = "token") -> None:
        self.plan.always[at] = misbehaviour

    def behave(self) -> None:
        """Forget every fault that is planned."""
        self.plan.next.clear()
        self.plan.always.clear()

    def calls(self, endpoint: str = "") -> list[Call]:
        """All, or those to one endpoint, oldest first."""
        calls = [Call(received) for received in list(self.received)]
        return [call for call in calls if endpoint in ("", call.endpoint)]

    def token_requests(self, grant_type: str = "") -> list[Call]:
        """Those to the token URL and the refresh URL; "authorization_code" or "refresh_token" alone."""
        calls = [call for call in self.calls() if call.endpoint in ("token", "refresh")]
        return [call for call in calls if grant_type in ("", call.form.get("grant_type"))]

    def codes(self) -> list[Call]:
        return self.token_requests("authorization_code")

    def refreshes(self) -> list[Call]:
        return self.token_requests("refresh_token")

    def times_presented(self, refresh_token: str) -> int:
        return sum(call.form.get("refresh_token") == refresh_token for call in self.refreshes())

    def reused(self) -> set[str]:
        """Refresh tokens that were presented more than once: the ledger's question of invariant I2."""
        presented = [call.form.get("refresh_token", "") for call in self.refreshes()]
        return {token for token in presented if presented.count(token) > 1}

    def verify(self, access_token: str) -> dict[str, Any] | None:
        return self.server.verify(access_token)

    def living_approvals(self, account: str = "") -> list[str]:
        """Ids of the approvals, of one account or all, that are not revoked."""
        approvals = list(self.server.store.approvals.values())
        return [a.id for a in approvals if not a.revoked and account in ("", a.account)]

    def expire_access_tokens(self) -> None:
        """Every access token that was given until now is dead; refresh tokens live."""
        for token in list(self.server.store.access_tokens.values()):
            token.revoked = True

    def revoke_everything(self) -> None:
        """As if every person had taken it back at the provider."""
        for approval in list(self.server.store.approvals.values()):
            approval.revoked = True


@contextlib.contextmanager
def authorization_server(*, path: str = "", **settings: Any) -> Iterator[FakeProvider]:
    """Run one on a free loopback port.

    path: of the issuer, "/tenant" for example. settings: as of `demo.provider.settings.Settings`:
    access_seconds, refresh_seconds, code_seconds, grace_seconds, rotates, pkce, asks_again, refresh_needs, scopes,
    read_keys, claims (with the scope "openid" in `scopes`, id tokens are signed).
    """
    settings.setdefault("read_keys", _keys_at)
    sock = listening_socket()
    fake = FakeProvider(Provider(url_of(sock) + path, Settings(**settings)))
    app = WithTransport(Recorder(Faults(fake.server.application(), fake.plan, fake.at.origin), fake.received))
    with serve(app, at=sock, lifespan="off"):
        yield fake


def _keys_at(jwks_uri: str) -> dict[str, Any]:
    return httpx.get(jwks_uri, timeout=5).raise_for_status().json()
