"""A server of documents at chosen paths: cards, resource metadata, authorization servers' metadata, honest or not.

`pages[path]` may be changed while it runs: a dictionary is answered as JSON, bytes as they are, a number as an empty
answer of that status, a Starlette response as it is. Any other path is 404.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from tests.fakes.record import Received, Recorder
from tests.fakes.server import listening_socket, serve, url_of

CARD = "/agent/.well-known/agent-card.json"
PROTECTED = "/.well-known/oauth-protected-resource"
OAUTH = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"


@dataclass
class WellKnown:
    """`endpoint` is where its card says that calls go; it answers what `pages["/agent"]` says."""

    origin: str
    pages: dict[str, Any] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"{self.origin}/agent"

    def paths(self) -> list[str]:
        return [one.path for one in self.received]

    def card(self, schemes: dict[str, Any], **members: Any) -> None:
        """Puts a card with these security schemes; `members` are further ones, such as `security`."""
        interface = {"url": self.endpoint, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        self.pages[CARD] = {
            "name": "Agent",
            "description": "An agent",
            "version": "1",
            "supportedInterfaces": [interface],
            "capabilities": {},
            "skills": [],
            "securitySchemes": schemes,
            **members,
        }

    def challenge(self, parameters: str) -> None:
        self.pages["/agent"] = Response(status_code=401, headers={"WWW-Authenticate": f"Bearer {parameters}"})

    def metadata(self, path: str = "", **changes: Any) -> dict[str, Any]:
        """An authorization server's document, whose issuer is this origin with `path`."""
        issuer = f"{self.origin}{path}"
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "revocation_endpoint": f"{issuer}/revoke",
            "userinfo_endpoint": f"{issuer}/me",
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            **changes,
        }


@contextlib.contextmanager
def well_known() -> Iterator[WellKnown]:
    sock = listening_socket()
    server = WellKnown(url_of(sock))
    with serve(Recorder(_Pages(server), server.received), at=sock, lifespan="off"):
        yield server


class _Pages:
    def __init__(self, server: WellKnown) -> None:
        self._server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _response(self._server.pages.get(scope["path"], 404))(scope, receive, send)


def _response(page: Any) -> Response:
    if isinstance(page, Response):
        return page
    if isinstance(page, int):
        return Response(status_code=page)
    if isinstance(page, bytes):
        return Response(page, media_type="application/json")
    return JSONResponse(page)
