"""Bearer tokens at a resource (RFC 6750): who comes, or the challenge that says why not."""

from collections.abc import Callable
from typing import Any

from starlette.authentication import BaseUser
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

Claims = dict[str, Any]


class Visitor(BaseUser):
    """Whoever a token speaks for; `claims` are those of RFC 7662."""

    def __init__(self, claims: Claims) -> None:
        self.claims = claims

    @property
    def is_authenticated(self) -> bool:
        return True

    @property
    def display_name(self) -> str:
        return self.claims["username"]

    def may(self, scope: str) -> bool:
        return scope in self.claims["scope"].split()


def read(headers: Headers, verify: Callable[[str], Claims | None], *, realm: str, scope: str = "") -> Claims | Response:
    """The claims of the one token in `headers`, which must have `scope`; or the refusal to answer with."""
    token = token_in(headers, realm)
    if isinstance(token, Response):
        return token
    claims = verify(token)
    if claims is None:
        return refusal(401, realm, error="invalid_token", error_description="The token is not valid here, or no more")
    if scope and scope not in claims["scope"].split():
        return refusal(403, realm, error="insufficient_scope", scope=scope)
    return claims


def token_in(headers: Headers, realm: str) -> str | Response:
    """The one token that `headers` carry, or the refusal to answer with.

    Without any token the challenge names no error (RFC 6750 section 3.1).
    """
    values = headers.getlist("authorization")
    kind, _, token = values[0].partition(" ") if len(values) == 1 else ("", "", "")
    if len(values) > 1:
        return refusal(400, realm, error="invalid_request")
    if kind.lower() != "bearer":
        return refusal(401, realm)
    return token.strip()


def refusal(status: int, realm: str, **members: str) -> Response:
    """`members` stand in the challenge and in the body; a description has no quotes in it."""
    challenge = ", ".join(f'{name}="{value}"' for name, value in {"realm": realm, **members}.items())
    return JSONResponse(members, status, {"WWW-Authenticate": f"Bearer {challenge}"})
