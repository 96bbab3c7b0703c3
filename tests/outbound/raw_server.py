"""A server on loopback that answers with exactly the bytes a script gives, and knows what reached it."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

Script = Callable[["Peer"], bool | None]


@dataclass
class Peer:
    """One connection. A script that returns True keeps it open for the next request."""

    channel: socket.socket
    request: bytes = b""
    sent: int = 0

    def send(self, data: bytes) -> None:
        self.channel.sendall(data)
        self.sent += len(data)

    def drip(self, data: bytes, every: float) -> None:
        for position in range(len(data)):
            self.send(data[position : position + 1])
            time.sleep(every)

    def read_request(self) -> bool:
        """False when the other side has closed."""
        head = b""
        while b"\r\n\r\n" not in head:
            more = self.channel.recv(65_536)
            if not more:
                return False
            head += more
        head, _, body = head.partition(b"\r\n\r\n")
        while len(body) < _content_length(head):
            body += self.channel.recv(65_536)
        self.request = head + b"\r\n\r\n" + body
        return True


@dataclass
class RawServer:
    port: int
    scheme: str
    speaks_first: bool = False
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    sent: int = 0
    gone: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"


@contextlib.contextmanager
def raw_server(script: Script, tls: ssl.SSLContext | None = None, speaks_first: bool = False) -> Iterator[RawServer]:
    """`speaks_first`: without waiting for a request. `gone` is set when a connection has ended, `sent` counts bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as open_channels:
        server = RawServer(listener.getsockname()[1], "https" if tls else "http", speaks_first)
        arguments = (listener, server, script, tls, open_channels)
        thread = threading.Thread(target=_accept, args=arguments, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(5)


def reply(body: bytes = b"ok", *headers: bytes, status: bytes = b"200 OK") -> bytes:
    lines = [b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def answering(data: bytes) -> Script:
    """Always the same bytes, on a connection that stays open."""

    def script(peer: Peer) -> bool:
        peer.send(data)
        return True

    return script


def _content_length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


def _accept(
    listener: socket.socket,
    server: RawServer,
    script: Script,
    tls: ssl.SSLContext | None,
    open_channels: contextlib.ExitStack,
) -> None:
    with contextlib.suppress(OSError):
        while True:
            channel, _ = listener.accept()
            server.connections += 1
            open_channels.callback(_shut, channel)
            threading.Thread(target=_converse, args=(channel, server, script, tls), daemon=True).start()


def _converse(channel: socket.socket, server: RawServer, script: Script, tls: ssl.SSLContext | None) -> None:
    with contextlib.suppress(OSError), channel:
        if tls:
            channel = tls.wrap_socket(channel, server_side=True)
        with channel:
            _answer_all(Peer(channel), server, script)
    server.gone.set()


def _answer_all(peer: Peer, server: RawServer, script: Script) -> None:
    go_on = True
    while go_on and (server.speaks_first or peer.read_request()):
        server.requests.append(peer.request)
        try:
            go_on = bool(script(peer))
        finally:
            server.sent = peer.sent


def _shut(channel: socket.socket) -> None:
    with contextlib.suppress(OSError):
        channel.shutdown(socket.SHUT_RDWR)
