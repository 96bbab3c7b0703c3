"""The demo's endpoint: two A2A agents on one loopback port, `/ledger` behind an API key and `/weather` open.

    python -m demo.endpoint       DEMO_ENDPOINT_PORT (8100), DEMO_ENDPOINT_KEY (what /ledger asks for)

It opens no connection of its own, and logs neither headers nor messages.
"""

import contextlib
import hmac
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import uvicorn
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import AgentCard
from a2a.utils.constants import AGENT_CARD_WELL_KNOWN_PATH
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.agent import DemoExecutor
from demo.answers import ledger, weather
from demo.cards import ledger_card, weather_card

KEY_HEADER = "x-api-key"
Lock = Callable[[Headers], bool]


@dataclass(frozen=True)
class MountedAgent:
    """One agent: the path it lives under, its card, how it answers, and who may come in (None: everyone)."""

    path: str
    card: AgentCard
    executor: DemoExecutor
    lock: Lock | None = None


class Locks:
    """Answer 401 in front of each agent whose lock does not open; an agent's card stays public."""

    def __init__(self, app: ASGIApp, locks: dict[str, Lock]) -> None:
        self._app = app
        self._locks = locks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._may_enter(scope["path"], Headers(scope=scope)):
            await _refusal()(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _may_enter(self, path: str, headers: Headers) -> bool:
        agent = "/" + path.lstrip("/").partition("/")[0]
        lock = self._locks.get(agent)
        return lock is None or path == agent + AGENT_CARD_WELL_KNOWN_PATH or lock(headers)


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
    return lambda headers: hmac.compare_digest(headers.get(KEY_HEADER, "").encode(), expected.encode())


def demo_agents(origin: str, key: str) -> list[MountedAgent]:
    """The demo's agents as they answer below `origin`. A further one is a further line here."""
    return [
        MountedAgent(
            "/ledger",
            ledger_card(f"{origin}/ledger", KEY_HEADER),
            DemoExecutor(ledger, "Looking through the ledger"),
            api_key(key),
        ),
        MountedAgent("/weather", weather_card(f"{origin}/weather"), DemoExecutor(weather, "Looking at the sky")),
    ]


def endpoint(agents: list[MountedAgent]) -> Starlette:
    """The ASGI application that serves `agents`."""
    handlers = [DefaultRequestHandler(a.executor, InMemoryTaskStore(), a.card) for a in agents]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        for handler in handlers:
            await handler.aclose()

    routes = [route for agent, handler in zip(agents, handlers, strict=True) for route in _routes(agent, handler)]
    locks = {agent.path: agent.lock for agent in agents if agent.lock}
    return Starlette(routes=routes, middleware=[Middleware(Locks, locks=locks)], lifespan=lifespan)


def _routes(agent: MountedAgent, handler: DefaultRequestHandler) -> list[BaseRoute]:
    """JSON-RPC with and without a trailing slash, the card, and HTTP+JSON below the agent's path."""
    return [
        *create_jsonrpc_routes(handler, agent.path, enable_v0_3_compat=True),
        Mount(
            agent.path,
            routes=[
                *create_jsonrpc_routes(handler, "/", enable_v0_3_compat=True),
                *create_agent_card_routes(agent.card),
                *create_rest_routes(handler, enable_v0_3_compat=True),
            ],
        ),
    ]


def main() -> None:
    port = int(os.environ.get("DEMO_ENDPOINT_PORT", "8100"))
    app = endpoint(demo_agents(f"http://127.0.0.1:{port}", os.environ.get("DEMO_ENDPOINT_KEY", "")))
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main()
