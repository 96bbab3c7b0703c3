"""Where a fake provider's misbehaviours strike: between the wire and the honest server."""

from collections import defaultdict, deque
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.fakes.misbehaviour import Exchange, Misbehaviour


@dataclass
class Plan:
    """Which faults are to come, by kind of request."""

    next: dict[str, deque[Misbehaviour]] = field(default_factory=lambda: defaultdict(deque))
    always: dict[str, Misbehaviour] = field(default_factory=dict)

    def take(self, kinds: list[str]) -> Misbehaviour | None:
        """The fault for a request of these kinds, the most special kind first."""
        for kind in kinds:
            if self.next[kind]:
                return self.next[kind].popleft()
        return next((self.always[kind] for kind in kinds if kind in self.always), None)

    def has(self, kind: str) -> bool:
        return bool(self.next[kind]) or kind in self.always


class WithTransport:
    """Hands the connection down, for faults that hang up: `receive` is bound to uvicorn's cycle, which has it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "transport": receive.__self__.transport}, receive, send)


class Faults:
    """Commit the planned faults in front of the honest server at `origin`."""

    def __init__(self, app: ASGIApp, plan: Plan, origin: str) -> None:
        self._app = app
        self._plan = plan
        self._origin = origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = scope["path"].rpartition("/")[2]
        if endpoint == "authorize" and self._plan.has("callback"):
            await self._callback(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        scope, receive = _honest_path(scope), _replay(body, receive)
        fault = self._plan.take(_kinds(endpoint, body))
        if fault:
            await fault(Exchange(self._app, scope, receive, send))
        else:
            await self._app(scope, receive, send)

    async def _callback(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Only the last of the pages' answers leads back to the client."""
        exchange = Exchange(self._app, scope, receive, send)
        answer = await exchange.honest()
        location = answer.headers.get("location", self._origin)
        goes_back = urlsplit(location).netloc != urlsplit(self._origin).netloc
        fault = self._plan.take(["callback"]) if goes_back else None
        if fault:
            exchange.honest = _already(answer)
            await fault(exchange)
        else:
            await exchange.send(answer)


def _kinds(endpoint: str, body: bytes) -> list[str]:
    if endpoint not in ("token", "refresh"):
        return [endpoint]
    grant = dict(parse_qsl(body.decode("utf-8", "replace"))).get("grant_type")
    return ["refresh" if grant == "refresh_token" else "code", "token"]


def _honest_path(scope: Scope) -> Scope:
    path = scope["path"]
    return {**scope, "path": path.removesuffix("refresh") + "token"} if path.endswith("/refresh") else scope


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Any:
        return waiting.pop() if waiting else await receive()

    return replayed


def _already(answer: Any) -> Any:
    async def honest() -> Any:
        return answer

    return honest
