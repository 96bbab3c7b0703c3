"""A provider in bad faith. A connection that somebody set up points at it; an honest provider is its prey (T16, T17).

`with hostile_provider(honest) as evil:` then use `evil.bouncing(...)`, `evil.replaying` or `evil.authorize` as the
authorization URL and `evil.token` as the token URL. Codes and verifiers that reach it stand in `evil.stolen`.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.fakes.authorization_server import FakeProvider
from tests.fakes.record import Received, Recorder
from tests.fakes.server import listening_socket, serve, url_of

OWN_CODE = "code-of-the-attackers-account"


@dataclass
class HostileProvider:
    issuer: str
    honest: FakeProvider
    received: list[Received] = field(default_factory=list)
    states: list[str] = field(default_factory=list)  # seen at `replaying`
    stolen: list[dict[str, str]] = field(default_factory=list)  # forms that came to `token`: code, code_verifier …
    prey: dict[str, str] = field(default_factory=dict)  # what `bouncing` puts in place of our parameters

    @property
    def authorize(self) -> str:
        """Goes straight back with the attacker's own code: a login CSRF once somebody else follows it (T15)."""
        return f"{self.issuer}/authorize"

    def bouncing(self, client_id: str, redirect_uri: str = "", scope: str = "") -> str:
        """An authorize URL that sends the browser on to the honest provider, with our state and challenge.

        client_id: of a client that the honest provider knows. redirect_uri, scope: in place of ours, where given.
        """
        self.prey = {"client_id": client_id, "redirect_uri": redirect_uri, "scope": scope}
        return f"{self.issuer}/bounce"

    @property
    def replaying(self) -> str:
        """An authorize URL that answers each flow with the state of the first one it saw."""
        return f"{self.issuer}/replay"

    @property
    def token(self) -> str:
        """Takes every code and answers with tokens of the attacker's own."""
        return f"{self.issuer}/token"

    @property
    def metadata(self) -> str:
        """Its own issuer, its own authorize URL, but the honest provider's token URL (T21)."""
        return f"{self.issuer}/.well-known/oauth-authorization-server"

    @property
    def impostor_metadata(self) -> str:
        """At the attacker's address, but with the honest provider's issuer."""
        return f"{self.issuer}/.well-known/oauth-authorization-server/impostor"

    def redeem(self, client_id: str, redirect_uri: str) -> httpx.Response:
        """Use the last stolen code and verifier at the honest provider: 200 means that the theft was worth it."""
        loot = self.stolen[-1]
        form = {"grant_type": "authorization_code", "code": loot["code"], "redirect_uri": redirect_uri}
        form |= {"client_id": client_id, "code_verifier": loot.get("code_verifier", "")}
        return httpx.post(self.honest.at.token, data=form)


@contextlib.contextmanager
def hostile_provider(honest: FakeProvider) -> Iterator[HostileProvider]:
    sock = listening_socket()
    evil = HostileProvider(url_of(sock), honest)
    with serve(Recorder(_application(evil), evil.received), at=sock, lifespan="off"):
        yield evil


def _application(evil: HostileProvider) -> Starlette:
    async def authorize(request: Request) -> Response:
        return _back(request, evil, request.query_params.get("state", ""))

    async def bounce(request: Request) -> Response:
        ours = {**request.query_params, **{name: value for name, value in evil.prey.items() if value}}
        return RedirectResponse(f"{evil.honest.at.authorize}?{urlencode(ours)}", 303)

    async def replay(request: Request) -> Response:
        evil.states.append(request.query_params.get("state", ""))
        return _back(request, evil, evil.states[0])

    async def token(request: Request) -> Response:
        evil.stolen.append(dict(parse_qsl((await request.body()).decode())))
        return JSONResponse({"access_token": "attackers", "token_type": "Bearer", "expires_in": 3600})

    async def metadata(request: Request) -> Response:
        issuer = evil.honest.at.issuer if request.url.path.endswith("impostor") else evil.issuer
        return JSONResponse(_metadata(evil, issuer))

    known = "/.well-known/oauth-authorization-server"
    return Starlette(
        routes=[
            Route("/authorize", authorize),
            Route("/bounce", bounce),
            Route("/replay", replay),
            Route("/token", token, methods=["POST"]),
            Route(known, metadata),
            Route(f"{known}/impostor", metadata),
        ]
    )


def _back(request: Request, evil: HostileProvider, state: str) -> Response:
    answer = urlencode({"code": OWN_CODE, "state": state, "iss": evil.issuer})
    return RedirectResponse(f"{request.query_params['redirect_uri']}?{answer}", 303)


def _metadata(evil: HostileProvider, issuer: str) -> dict[str, object]:
    return {
        "issuer": issuer,
        "authorization_endpoint": evil.authorize,
        "token_endpoint": evil.honest.at.token,
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }
