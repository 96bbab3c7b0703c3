"""An issuer of access tokens as small as can be: its discovery document, its keys, and whatever token a test wants."""

import contextlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fakes.server import listening_socket, serve, url_of

DISCOVERY = "/.well-known/openid-configuration"
PRINCIPAL = "1f0c3f8e-6a52-4d0b-9a3e-2f5b7c9d1e40"


@cache
def signing_key(number: int) -> RSAKey:
    """The same one for all tests of a run: making one takes longer than a test."""
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)


@dataclass
class TokenIssuer:
    """`published` are the keys in the JWKS, the first of them signs; `answers` turned off makes it answer 503."""

    url: str
    published: list[RSAKey] = field(default_factory=lambda: [signing_key(1)])
    answers: bool = True
    asked: list[str] = field(default_factory=list)

    def token(self, audience: str, *, key: RSAKey | None = None, header: dict | None = None, **claims: Any) -> str:
        """Good for five minutes. A claim or header that is None is left out."""
        key, now = key or self.published[0], int(time.time())
        usual = {"iss": self.url, "sub": PRINCIPAL, "aud": audience, "exp": now + 300, "iat": now, "nbf": now}
        usual |= {"jti": uuid.uuid4().hex, "client_id": "client-of-the-identity", "oid": PRINCIPAL, "name": "Someone"}
        head = {"typ": "at+jwt", "alg": "RS256", "kid": key.kid, **(header or {})}
        return jwt.encode(_given(head), _given({**usual, **claims}), key, default_type=None)

    def rotate(self) -> None:
        """Another key signs from now on, and is published from now on: no endpoint can have known it."""
        self.published.insert(0, signing_key(len(self.published) + 1))

    def jwks(self) -> dict:
        return {"keys": [key.as_dict(private=False) for key in self.published]}

    def document(self) -> dict:
        return {"issuer": self.url, "jwks_uri": f"{self.url}/jwks.json"}

    def application(self) -> Starlette:
        async def discovery(request: Request) -> Response:
            return self._answer(request, self.document())

        async def jwks(request: Request) -> Response:
            return self._answer(request, self.jwks())

        return Starlette(routes=[Route(f"/issuer{DISCOVERY}", discovery), Route("/issuer/jwks.json", jwks)])

    def _answer(self, request: Request, document: dict) -> Response:
        self.asked.append(request.url.path.removeprefix("/issuer"))
        return JSONResponse(document if self.answers else {}, 200 if self.answers else 503)


@contextlib.contextmanager
def token_issuer() -> Iterator[TokenIssuer]:
    """Run one; its issuer is `<origin>/issuer`."""
    sock = listening_socket()
    issuer = TokenIssuer(f"{url_of(sock)}/issuer")
    with serve(issuer.application(), at=sock):
        yield issuer


def _given(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}
