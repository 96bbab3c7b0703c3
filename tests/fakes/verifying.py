"""An A2A endpoint that verifies an issuer's tokens by the keys it publishes, and writes down whose they were."""

import contextlib
import json
import ssl
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.bearer import Claims, Visitor
from demo.locks import identity
from demo.published_keys import PublishedKeys
from demo.roles import Assignments, Principal, Role
from demo.verifying import TYPES, Verifier
from tests.fakes.a2a_server import A2AServer, a2a_server
from tests.fakes.resource import Whoami


@dataclass(frozen=True)
class Visit:
    """A request that was let in, with the claims of its token."""

    claims: Claims
    token: str
    path: str
    headers: list[tuple[str, str]]
    at: float = field(default_factory=time.monotonic)

    @property
    def subject(self) -> str:
        return self.claims["sub"]

    @property
    def client_id(self) -> str:
        return self.claims["client_id"]


@dataclass(frozen=True)
class Refusal:
    status: int
    reason: str


@dataclass(frozen=True)
class Verifying:
    """`agent` is the fake behind the lock; `role` admits everyone unless one was asked for (`role.assign(…)`)."""

    agent: A2AServer
    role: Role
    visits: list[Visit]
    refusals: list[Refusal]

    @property
    def url(self) -> str:
        return self.agent.url

    def subjects(self) -> list[str]:
        return [visit.subject for visit in self.visits]


class _Everyone(Role):
    def admits(self, principal: Principal) -> bool:
        return True


@contextlib.contextmanager
def verifying(
    issuer: str,
    audience: str,
    *,
    discovery: str = "",
    trust: ssl.SSLContext | None = None,
    types: Sequence[str] = TYPES,
    role: str = "",
    **options: Any,
) -> Iterator[Verifying]:
    """Run one that takes tokens of `issuer` for `audience`.

    discovery: where the issuer's document is, if not at its usual place below it.
    trust: who may have signed the issuer's certificate.
    types: what `typ` may be; Microsoft Entra writes "JWT".
    role: what an identity must have, else 403; nobody has it at first.
    options: as of `a2a_server`. The command `whoami` answers "<subject> through <client id>", without a task.
    """
    needed = Role(role, Assignments()) if role else _Everyone("", Assignments())
    lock = identity(Verifier(issuer, audience, PublishedKeys(issuer, discovery=discovery, trust=trust), types), needed)
    visits: list[Visit] = []
    refusals: list[Refusal] = []

    def door(app: ASGIApp, card_path: str) -> ASGIApp:
        return _Door(app, card_path, lock, visits, refusals)

    with a2a_server(executor=Whoami(), door=door, **options) as agent:
        yield Verifying(agent, needed, visits, refusals)


class _Door:
    def __init__(self, app, card_path, lock, visits, refusals) -> None:
        self._app, self._card_path, self._lock = app, card_path, lock
        self._visits, self._refusals = visits, refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == self._card_path:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        opened = await self._lock(headers)
        if isinstance(opened, Response):
            self._refusals.append(Refusal(opened.status_code, _reason(opened)))
            await opened(scope, receive, send)
            return
        claims = _with_client_id(opened.claims)
        token = headers["authorization"].partition(" ")[2]
        self._visits.append(Visit(claims, token, scope["path"], headers.items()))
        await self._app({**scope, "user": Visitor(claims)}, receive, send)


def _with_client_id(claims: Claims) -> Claims:
    """RFC 9068 says client_id, Microsoft Entra azp, and appid in the tokens of its first version."""
    found = (claims.get(name) for name in ("client_id", "azp", "appid"))
    return {**claims, "client_id": next(filter(None, found), "")}


def _reason(refusal: Response) -> str:
    return json.loads(refusal.body).get("error_description", "")
