"""The a2a-sdk's own server as the endpoint of contract tests, with a record of all that reached it."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass

from a2a.server.agent_execution import AgentExecutor
from a2a.server.context import ServerCallContext
from a2a.server.request_handlers import DefaultRequestHandler
from a2a.server.routes import (
    DefaultServerCallContextBuilder,
    create_agent_card_routes,
    create_jsonrpc_routes,
    create_rest_routes,
)
from a2a.server.tasks import InMemoryTaskStore
from a2a.types import AgentCapabilities, AgentCard, AgentInterface, AgentSkill
from a2a.utils.constants import AGENT_CARD_WELL_KNOWN_PATH
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp

from tests.fakes.commands import CommandExecutor
from tests.fakes.doors import Gate, SmallPieces
from tests.fakes.record import Received, Recorder
from tests.fakes.server import listening_socket, serve, url_of

SPELLINGS = (("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3"), ("HTTP+JSON", "0.3"))


@dataclass(frozen=True)
class A2AServer:
    """A running fake. `card` may be changed while it runs: the next reader gets the changed one."""

    url: str  # the endpoint: JSON-RPC is posted here, HTTP+JSON paths are appended to it
    origin: str
    card: AgentCard
    received: list[Received]

    def calls(self) -> list[Received]:
        """What was received, without the reading of cards."""
        return [r for r in self.received if not r.path.endswith(AGENT_CARD_WELL_KNOWN_PATH)]


@contextlib.contextmanager
def a2a_server(
    *,
    path: str = "/agent",
    required_header: tuple[str, str] | None = None,
    spellings: tuple[tuple[str, str], ...] = SPELLINGS,
    card_below: str | None = None,
    card_is_public: bool = True,
    executor: AgentExecutor | None = None,
    door: Callable[[ASGIApp, str], ASGIApp] | None = None,
) -> Iterator[A2AServer]:
    """Run a fake endpoint at `path` of a free loopback port.

    required_header: (name, value); a request whose values under `name` are not exactly [value] gets 401.
    spellings: (binding, version) pairs that the card declares; the server itself always speaks all four.
    card_below: where the card is, "" for the origin itself; None means below the endpoint.
    card_is_public: False asks for the header there too.
    executor: what works through messages, if not `CommandExecutor`.
    door: (application, path of the card) to the application with a lock of one's own in front.
    """
    sock, received = listening_socket(), []
    origin = url_of(sock)
    card = fake_card(origin + path, spellings)
    card_path = (path if card_below is None else card_below) + AGENT_CARD_WELL_KNOWN_PATH
    app: ASGIApp = _application(card, path, card_path, executor or CommandExecutor())
    if door:
        app = door(app, card_path)
    if required_header:
        app = Gate(app, *required_header, public_path=card_path if card_is_public else None)
    with serve(Recorder(SmallPieces(app), received), at=sock):
        yield A2AServer(origin + path, origin, card, received)


def fake_card(url: str, spellings: tuple[tuple[str, str], ...] = SPELLINGS) -> AgentCard:
    """A card with every capability that the fake has."""
    return AgentCard(
        name="Fake agent",
        description="Does what the first word of a message says",
        version="1.0.0",
        supported_interfaces=[
            AgentInterface(url=url, protocol_binding=binding, protocol_version=version)
            for binding, version in spellings
        ],
        capabilities=AgentCapabilities(streaming=True, extended_agent_card=True),
        default_input_modes=["text/plain"],
        default_output_modes=["text/plain"],
        skills=[AgentSkill(id="echo", name="Echo", description="Says it again", tags=["test"])],
    )


def extended(card: AgentCard) -> AgentCard:
    """The card for those who have signed in: one skill more."""
    longer = AgentCard()
    longer.CopyFrom(card)
    longer.skills.append(AgentSkill(id="secret", name="Hidden skill", description="For callers", tags=["test"]))
    return longer


def _application(card: AgentCard, path: str, card_path: str, executor: AgentExecutor) -> Starlette:
    handler = DefaultRequestHandler(executor, InMemoryTaskStore(), card, extended_agent_card=extended(card))

    async def current_card(_: AgentCard) -> AgentCard:
        return card

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await handler.aclose()

    card_routes = create_agent_card_routes(card, card_modifier=current_card, card_url=card_path)
    return Starlette(routes=[*card_routes, *_protocol_routes(handler, path)], lifespan=lifespan)


def _protocol_routes(handler: DefaultRequestHandler, path: str) -> list[BaseRoute]:
    both = {"context_builder": _WithHeaderPairs(), "enable_v0_3_compat": True}
    below = [*create_jsonrpc_routes(handler, "/", **both), *create_rest_routes(handler, **both)]
    return [*create_jsonrpc_routes(handler, path or "/", **both), Mount(path, routes=below)]


class _WithHeaderPairs(DefaultServerCallContextBuilder):
    """Keeps duplicates, which the SDK's dictionary of headers loses."""

    def build(self, request: Request) -> ServerCallContext:
        context = super().build(request)
        context.state["header_pairs"] = request.headers.items()
        return context
