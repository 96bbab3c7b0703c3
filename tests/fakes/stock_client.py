"""The a2a-sdk's own client, unchanged, in each of the four spellings. What it does is in README.md."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import httpx
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.helpers import new_text_message
from a2a.types import AgentCard, Role, SendMessageRequest, StreamResponse

Spelling = tuple[str, str]  # binding, version
T = TypeVar("T")
TLS = ssl.create_default_context()  # made once: reading the certificates takes longer than a call


@contextlib.asynccontextmanager
async def stock_client(
    url: str, spelling: Spelling, *, streaming: bool = False, headers: dict[str, str] | None = None
) -> AsyncIterator[Client]:
    """A client of the agent at `url`, which reads the card there and then speaks `spelling`.

    headers go with every request, the one for the card included: the agent key, the user's identity.
    """
    async with httpx.AsyncClient(headers=headers, timeout=20, verify=TLS) as http:
        card = await A2ACardResolver(http, url).get_agent_card()
        yield client_of(only(card, spelling), http, streaming=streaming)


def client_of(card: AgentCard, http: httpx.AsyncClient, *, streaming: bool) -> Client:
    """A client for the card's interfaces, whatever their binding."""
    bindings = [interface.protocol_binding for interface in card.supported_interfaces]
    config = ClientConfig(streaming=streaming, supported_protocol_bindings=bindings, httpx_client=http)
    return ClientFactory(config).create(card)


def only(card: AgentCard, spelling: Spelling) -> AgentCard:
    """The card as if it had `spelling` alone: left to choose, the client takes 1.0 before 0.3."""
    wanted = [i for i in card.supported_interfaces if (i.protocol_binding, i.protocol_version) == spelling]
    if not wanted:
        raise LookupError(f"The card does not declare {spelling}.")
    chosen = AgentCard()
    chosen.CopyFrom(card)
    del chosen.supported_interfaces[:]
    chosen.supported_interfaces.extend(wanted)
    return chosen


def user_message(text: str, *, task_id: str = "", context_id: str = "") -> SendMessageRequest:
    message = new_text_message(text, task_id=task_id or None, context_id=context_id or None, role=Role.ROLE_USER)
    return SendMessageRequest(message=message)


def send(
    url: str,
    spelling: Spelling,
    text: str,
    *,
    streaming: bool = False,
    headers: dict[str, str] | None = None,
    task_id: str = "",
    context_id: str = "",
) -> list[StreamResponse]:
    """Send one message and return every event; a plain call gives one. Raises what the client raises."""

    async def talk(client: Client) -> list[StreamResponse]:
        request = user_message(text, task_id=task_id, context_id=context_id)
        return [event async for event in client.send_message(request)]

    return with_client(url, spelling, talk, streaming=streaming, headers=headers)


def with_client(
    url: str,
    spelling: Spelling,
    talk: Callable[[Client], Awaitable[T]],
    *,
    streaming: bool = False,
    headers: dict[str, str] | None = None,
) -> T:
    """Run `talk(client)` in a loop of its own and return its result."""

    async def run() -> T:
        async with stock_client(url, spelling, streaming=streaming, headers=headers) as client:
            return await talk(client)

    return asyncio.run(run())
