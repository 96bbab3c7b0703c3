"""The demo's endpoint: five A2A agents and a provider of accounts on one loopback port.

`/ledger` is behind an API key, `/weather` open, `/review` behind the tokens of the provider at `/provider`, `/hr` and
`/payroll` behind the tokens that the portal signs for identities; `/hr/roles` and `/payroll/roles` say which of them.

    python -m demo.endpoint       DEMO_ENDPOINT_PORT (8100), DEMO_ENDPOINT_KEY (what /ledger asks for),
                                  PUBLIC_URL (the portal's, http://127.0.0.1:8000), DEMO_PROVIDER_FILE and
                                  DEMO_ROLES_FILE (keep the provider's clients and tokens, and who has which role;
                                  unset: in memory only)

It calls nobody but the portal, for the keys of its issuer, and logs neither headers nor messages.
"""

import contextlib
import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes, create_rest_routes
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import AgentCard
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import BaseRoute, Mount, Route

from demo import audiences
from demo.agent import DemoExecutor
from demo.answers import ledger, weather
from demo.authorization_server import Provider
from demo.cards import hr_card, ledger_card, payroll_card, review_card, weather_card
from demo.locks import KEY_HEADER, Lock, Locks, api_key, bearer, identity
from demo.published_keys import PublishedKeys
from demo.reviews import READ, ReviewExecutor
from demo.role_pages import RolePages
from demo.roles import Assignments, Role
from demo.staff import StaffExecutor, hr, payroll
from demo.verifying import Verifier

PORTAL = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class MountedAgent:
    """One agent: the path it lives under, its card, how it answers, and who may come in (None: everyone).

    `pages` are for people, and open: each says by itself what it lets them do.
    """

    path: str
    card: AgentCard
    executor: DemoExecutor
    lock: Lock | None = None
    pages: list[Route] = field(default_factory=list)


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


def staff_agents(origin: str, issuer: str, assignments: Assignments) -> list[MountedAgent]:
    """The agents below `origin` that answer identities, with tokens of `issuer` and the role that `assignments` say."""
    keys = PublishedKeys(issuer)

    def mounted(path: str, make_card: Callable, executor: DemoExecutor, audience: str, role: Role) -> MountedAgent:
        card = make_card(f"{origin}{path}", keys.discovery)
        lock = identity(Verifier(issuer, audience, keys), role)
        return MountedAgent(path, card, executor, lock, RolePages(path, card.name, role).routes())

    asks_hr, asks_payroll = StaffExecutor(hr, "Looking it up"), StaffExecutor(payroll, "Looking at the payroll")
    return [
        mounted("/hr", hr_card, asks_hr, audiences.HR, Role("HR.Read", assignments)),
        mounted("/payroll", payroll_card, asks_payroll, audiences.PAYROLL, Role("Payroll.Read", assignments)),
    ]


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
    public = [page.path for agent in agents for page in agent.pages]
    return Starlette(routes=routes, middleware=[Middleware(Locks, locks=locks, public=public)], lifespan=lifespan)


def _routes(agent: MountedAgent, handler: DefaultRequestHandler) -> list[BaseRoute]:
    """JSON-RPC with and without a trailing slash, the card, and HTTP+JSON below the agent's path."""
    return [
        *agent.pages,
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


def demo_endpoint(
    origin: str, key: str, kept_in: Path | None = None, *, portal: str = PORTAL, roles_in: Path | None = None
) -> Starlette:
    """The whole of the demo at `origin`; the provider's issuer is `<origin>/provider`, the identities' `portal`'s."""
    provider = Provider(f"{origin}/provider", kept_in=kept_in)
    staff = staff_agents(origin, f"{portal}/identities", Assignments(roles_in))
    return endpoint([*demo_agents(origin, key), review_agent(origin, provider), *staff], provider)


def main() -> None:
    port = int(os.environ.get("DEMO_ENDPOINT_PORT", "8100"))
    app = demo_endpoint(
        f"http://127.0.0.1:{port}",
        os.environ.get("DEMO_ENDPOINT_KEY", ""),
        _file("DEMO_PROVIDER_FILE"),
        portal=os.environ.get("PUBLIC_URL", PORTAL).rstrip("/"),
        roles_in=_file("DEMO_ROLES_FILE"),
    )
    # One process whatever WEB_CONCURRENCY says: uvicorn would read it, and its tasks are kept in memory.
    options = {"log_level": "warning", "access_log": False, "timeout_graceful_shutdown": 1, "workers": 1}
    uvicorn.run(app, host="127.0.0.1", port=port, **options)


def _file(name: str) -> Path | None:
    return Path(os.environ[name]) if os.environ.get(name) else None


if __name__ == "__main__":
    main()
