import asyncio
import contextlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
import uvloop

from portal.outbound import names
from portal.outbound.client import Client
from portal.outbound.session import fetch
from tests.outbound.raw_server import RawServer, raw_server

# Audit hooks can't be taken away again; this one writes only into the list of the running test.
_dialled: list[list[str]] = []


def _note_dialling(event: str, arguments: tuple) -> None:
    if event != "socket.connect" or not _dialled or not isinstance(arguments[1], tuple):
        return
    host = arguments[1][0]
    _dialled[-1].append(host)
    if not host.startswith("127."):
        raise ConnectionRefusedError("tests dial nothing but loopback")


sys.addaudithook(_note_dialling)


@dataclass
class Reply:
    status: int
    headers: list[tuple[str, str]]
    body: bytes


Ask = Callable[..., Reply]


def ask_session(method: str, url: str, *, headers=(), body=None, limit=262_144, deadline=5.0) -> Reply:
    answer = fetch(method, url, headers=headers, data=body, limit=limit, deadline=deadline)
    return Reply(answer.status, list(answer.headers), answer.body)


async def ask_client(method: str, url: str, *, headers=(), body=None, limit=262_144, deadline=5.0) -> Reply:
    client = Client()
    try:
        async with client.stream(method, url, headers, body, total_deadline=deadline, limit=limit) as answer:
            return Reply(answer.status, answer.headers, await answer.read())
    finally:
        await client.close()


def on_asyncio(*arguments, **options) -> Reply:
    return asyncio.run(ask_client(*arguments, **options))


def on_uvloop(*arguments, **options) -> Reply:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(ask_client(*arguments, **options))


@pytest.fixture(params=[ask_session, on_asyncio, on_uvloop], ids=["session", "client", "client-uvloop"])
def ask(request) -> Ask:
    """One request by each of the clients, with one signature."""
    return request.param


@pytest.fixture
def dialled() -> Iterator[list[str]]:
    """The hosts that anything in this process tried to connect to; beyond loopback the attempt fails."""
    _dialled.append([])
    yield _dialled[-1]
    _dialled.pop()


@pytest.fixture
def serve() -> Iterator[Callable[..., RawServer]]:
    """Starts a `raw_server`, which stops when the test ends."""
    with contextlib.ExitStack() as running:
        yield lambda *arguments, **options: running.enter_context(raw_server(*arguments, **options))


@pytest.fixture
def answers(monkeypatch) -> Callable[..., None]:
    """A name server of our own: `answers(["93.184.216.34"], ["127.0.0.1"])` gives one list per look-up."""

    def give(*lists: list[str]) -> None:
        coming = iter(lists)
        monkeypatch.setattr(names, "ask", lambda host, port: next(coming))

    return give
