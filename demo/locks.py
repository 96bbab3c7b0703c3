"""What stands in front of the demo's agents: an API key, or a bearer token of the demo's provider."""

import hmac
from collections.abc import Callable

from a2a.utils.constants import AGENT_CARD_WELL_KNOWN_PATH
from starlette.authentication import AuthCredentials
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.authorization_server import Provider
from demo.bearer import Visitor, read

KEY_HEADER = "x-api-key"
Lock = Callable[[Headers], Visitor | Response | None]  # who comes in, or the refusal; None lets anybody in unnamed


class Locks:
    """Answer the lock's refusal in front of each agent whose lock does not open; an agent's card stays public."""

    def __init__(self, app: ASGIApp, locks: dict[str, Lock]) -> None:
        self._app = app
        self._locks = locks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        opened = self._opened(scope["path"], Headers(scope=scope)) if scope["type"] == "http" else None
        if isinstance(opened, Response):
            await opened(scope, receive, send)
            return
        if opened:  # where a2a-sdk's server looks for the caller
            scope = {**scope, "user": opened, "auth": AuthCredentials(opened.claims["scope"].split())}
        await self._app(scope, receive, send)

    def _opened(self, path: str, headers: Headers) -> Visitor | Response | None:
        agent = "/" + path.lstrip("/").partition("/")[0]
        lock = self._locks.get(agent)
        return None if lock is None or path == agent + AGENT_CARD_WELL_KNOWN_PATH else lock(headers)


def _refusal() -> JSONResponse:
    # RFC 9110 section 11.6.1 asks for a challenge; there is no registered scheme for API keys.
    return JSONResponse(
        {"error": "The ledger needs its access key."},
        401,
        {"WWW-Authenticate": f'ApiKey header="{KEY_HEADER}"'},
    )


def api_key(expected: str) -> Lock:
    """A lock that opens for requests whose x-api-key is `expected`. Raises ValueError for an empty key."""
    if not expected:
        raise ValueError("DEMO_ENDPOINT_KEY is empty. Set it to the key that the ledger agent is to ask for.")

    def lock(headers: Headers) -> Response | None:
        fits = hmac.compare_digest(headers.get(KEY_HEADER, "").encode(), expected.encode())
        return None if fits else _refusal()

    return lock


def bearer(provider: Provider, scope: str) -> Lock:
    """A lock that opens for living access tokens of `provider` that have `scope`."""

    def lock(headers: Headers) -> Visitor | Response:
        claims = read(headers, provider.verify, realm="review", scope=scope)
        return claims if isinstance(claims, Response) else Visitor(claims)

    return lock
