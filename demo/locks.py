"""What stands in front of the demo's agents: an API key, a token of the demo's provider, or one of an identity."""

import hmac
import inspect
from collections.abc import Awaitable, Callable, Collection

from a2a.utils.constants import AGENT_CARD_WELL_KNOWN_PATH
from starlette.authentication import AuthCredentials
from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.authorization_server import Provider
from demo.bearer import Claims, Visitor, read, refusal, token_in
from demo.published_keys import KeysUnavailable
from demo.roles import Principal, Role
from demo.verifying import Rejected, Verifier

KEY_HEADER = "x-api-key"
Opened = Visitor | Response | None  # who comes in, or the refusal; None lets anybody in unnamed
Lock = Callable[[Headers], Opened | Awaitable[Opened]]


class Locks:
    """Answer the lock's refusal in front of each agent whose lock does not open.

    An agent's card stays public, and so do the paths in `public`, each exactly as it is there.
    """

    def __init__(self, app: ASGIApp, locks: dict[str, Lock], public: Collection[str] = ()) -> None:
        self._app = app
        self._locks = locks
        self._public = frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        opened = await self._opened(scope["path"], Headers(scope=scope)) if scope["type"] == "http" else None
        if isinstance(opened, Response):
            await opened(scope, receive, send)
            return
        if opened:  # where a2a-sdk's server looks for the caller
            scope = {**scope, "user": opened, "auth": AuthCredentials(opened.claims["scope"].split())}
        await self._app(scope, receive, send)

    async def _opened(self, path: str, headers: Headers) -> Opened:
        agent = "/" + path.lstrip("/").partition("/")[0]
        lock = self._locks.get(agent)
        if lock is None or path in self._public or path == agent + AGENT_CARD_WELL_KNOWN_PATH:
            return None
        opened = lock(headers)
        return await opened if inspect.isawaitable(opened) else opened


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


def identity(verifier: Verifier, role: Role) -> Lock:
    """A lock that opens for an issuer's tokens for this audience, when the identity that they name has the role."""
    realm = verifier.audience

    async def lock(headers: Headers) -> Visitor | Response:
        token = token_in(headers, realm)
        if isinstance(token, Response):
            return token
        try:
            claims = await verifier.verify(token)
        except Rejected as rejected:
            return refusal(401, realm, error="invalid_token", error_description=str(rejected))
        except KeysUnavailable:
            return JSONResponse({"error": f"The keys of {verifier.issuer} can't be read now."}, 503)
        return _with_role(claims, role, realm)

    return lock


def _with_role(claims: Claims, role: Role, realm: str) -> Visitor | Response:
    """The role takes the place of a scope: nobody asks for it, somebody has assigned it."""
    principal = Principal(str(claims.get("oid") or claims["sub"]), str(claims.get("name", "")))
    if role.admits(principal):
        return Visitor({**claims, "username": str(principal), "scope": role.name})
    described = f"The identity has no role {role.name} here"
    return refusal(403, realm, error="insufficient_scope", error_description=described, scope=role.name)
