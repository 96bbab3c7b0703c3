"""The demo's endpoint: three A2A agents and a provider of accounts on one loopback port.

`/ledger` is behind an API key, `/weather` open, `/review` behind the tokens of the provider at `/provider`.

    python -m demo.endpoint       DEMO_ENDPOINT_PORT (8100), DEMO_ENDPOINT_KEY (what /ledger asks for),
                                  DEMO_PROVIDER_FILE (keeps the provider's clients and tokens; unset: in memory only)

It opens no connection of its own, and logs neither headers nor messages.
"""

import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import AgentCard
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount

from demo.agent import DemoExecutor
from demo.answers import ledger, weather
from demo.authorization_server import Provider
from demo.cards import ledger_card, review_card, weather_card
from demo.locks import KEY_HEADER, Lock, Locks, api_key, bearer
from demo.reviews import READ, ReviewExecutor


@dataclass(frozen=True)
class MountedAgent:
    """One agent: the path it lives under, its card, how it answers, and who may come in (None: everyone)."""

    path: str
    card: AgentCard
    executor: DemoExecutor
    lock: Lock | None = None


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


def review_agent(origin: str, provider: Provider) -> MountedAgent:
    """The agent below `origin` that acts as an account of `provider`."""
    scopes = {name: sentence for name, sentence in provider.settings.scopes.items() if name.startswith("reviews:")}
    url = f"{origin}/review"
    return MountedAgent("/review", review_card(url, provider.at, scopes), ReviewExecutor(), bearer(provider, READ))


def endpoint(agents: list[MountedAgent], provider: Provider | None = None) -> Starlette:
    """The ASGI application that serves `agents`, and `provider` where its issuer says."""
    handlers = [DefaultRequestHandler(a.executor, InMemoryTaskStore(), a.card) for a in agents]

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        for handler in handlers:
            await handler.aclose()

    routes = [route for agent, handler in zip(agents, handlers, strict=True) for route in _routes(agent, handler)]
    routes += provider.routes() if provider else []
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


def demo_endpoint(origin: str, key: str, kept_in: Path | None = None) -> Starlette:
    """The whole of the demo at `origin`; the provider's issuer is `<origin>/provider`."""
    provider = Provider(f"{origin}/provider", kept_in=kept_in)
    return endpoint([*demo_agents(origin, key), review_agent(origin, provider)], provider)


def main() -> None:
    port = int(os.environ.get("DEMO_ENDPOINT_PORT", "8100"))
    file = os.environ.get("DEMO_PROVIDER_FILE")
    app = demo_endpoint(
        f"http://127.0.0.1:{port}", os.environ.get("DEMO_ENDPOINT_KEY", ""), Path(file) if file else None
    )
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False, timeout_graceful_shutdown=1)


if __name__ == "__main__":
    main()
