"""Real servers on loopback: any ASGI application, or raw TCP, each in a thread with a loop of its own."""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import uvicorn

RawHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
START_LIMIT = 5  # seconds; far above the few milliseconds that a start takes


@dataclass(frozen=True)
class Served:
    """Where a server listens."""

    port: int

    host: str = "127.0.0.1"
    scheme: str = "http"

    @property
    def url(self) -> str:
        """The origin, without a trailing slash."""
        return f"{self.scheme}://{self.host}:{self.port}"


class _Switch:
    """Lets a test's thread see that a server is ready, and ask it to stop."""

    def __init__(self) -> None:
        self.ready: Future[None] = Future()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._off: asyncio.Event | None = None

    async def wait_until_off(self) -> None:
        self._loop, self._off = asyncio.get_running_loop(), asyncio.Event()
        self.ready.set_result(None)
        await self._off.wait()

    def turn_off(self) -> None:
        if self._loop and self._off:
            self._loop.call_soon_threadsafe(self._off.set)


class _Uvicorn(uvicorn.Server):
    """uvicorn without its tenth-of-a-second ticks, and one that hangs up instead of waiting for streams."""

    def __init__(self, config: uvicorn.Config, switch: _Switch) -> None:
        super().__init__(config)
        self._switch = switch

    async def main_loop(self) -> None:
        await self.on_tick(0)  # sets the Date header
        await self._switch.wait_until_off()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listener in self.servers:
            listener.close()
        running = list(self.server_state.tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await self.lifespan.shutdown()


def listening_socket() -> socket.socket:
    """A socket on a free loopback port, for an application that must know its address before it is made."""
    # IPPROTO_TCP spelt out: asyncio sets TCP_NODELAY only then, and each answer would wait 40 ms for an ACK.
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.bind(("127.0.0.1", 0))
    sock.listen(128)
    return sock


def url_of(sock: socket.socket) -> str:
    """The origin that a server on `sock` answers at."""
    return Served(sock.getsockname()[1]).url


@contextlib.contextmanager
def serve(
    app: Any, *, at: socket.socket | None = None, lifespan: str = "auto", tls: ssl.SSLContext | None = None
) -> Iterator[Served]:
    """Serve the ASGI application `app` until the block ends. Raises what its startup raises.

    With `tls`, a context of `tests.outbound.authority.Authority.server("localhost")`, at https://localhost.
    """
    sock = at or listening_socket()
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        log_level="critical",
        lifespan=lifespan,
        ssl_context_factory=(lambda *_: tls) if tls else None,
    )
    switch = _Switch()
    with sock, _in_thread(_Uvicorn(config, switch).serve(sockets=[sock]), switch):
        port = sock.getsockname()[1]
        yield Served(port, "localhost", "https") if tls else Served(port)


@contextlib.contextmanager
def serve_raw(handler: RawHandler) -> Iterator[Served]:
    """Give each TCP connection to `handler(reader, writer)`; it is closed when the handler returns."""
    sock, switch = listening_socket(), _Switch()
    with sock, _in_thread(_raw(handler, sock, switch), switch):
        yield Served(sock.getsockname()[1])


async def _raw(handler: RawHandler, sock: socket.socket, switch: _Switch) -> None:
    running: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.current_task())
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await handler(reader, writer)
        writer.transport.abort() if writer.transport.is_closing() else writer.close()
        running.discard(asyncio.current_task())

    listener = await asyncio.start_server(handle, sock=sock)
    await switch.wait_until_off()
    listener.close()
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)


@contextlib.contextmanager
def _in_thread(serving: Coroutine[Any, Any, None], switch: _Switch) -> Iterator[None]:
    def run() -> None:
        try:
            asyncio.run(serving)
        except BaseException as failure:
            if switch.ready.done():
                raise
            switch.ready.set_exception(failure)

    thread = threading.Thread(target=run, name="fake server", daemon=True)
    thread.start()
    try:
        switch.ready.result(START_LIMIT)
        yield
    finally:
        switch.turn_off()
        thread.join(START_LIMIT)
        if thread.is_alive():
            raise RuntimeError("A fake server did not stop.")
