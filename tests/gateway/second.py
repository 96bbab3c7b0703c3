"""A second gateway, as a process of its own on the same database, reached through a door that can be frozen."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
from django.conf import settings
from django.db import connection

START_LIMIT = 30  # seconds; a start takes two, on a busy machine longer
ROOT = Path(__file__).resolve().parents[2]


class Door:
    """Passes bytes between a process and the database. Frozen, it passes none and says nothing about it."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._sockets: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._open.set()
        # shutdown, because close alone does not wake the thread that accepts.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self._sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                inside, _ = self._listener.accept()
                outside = _to_database()
                self._sockets += [inside, outside]
                for source, target in ((inside, outside), (outside, inside)):
                    threading.Thread(target=self._pump, args=(source, target), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                self._open.wait()
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)


def _to_database() -> socket.socket:
    database = connection.settings_dict
    host, port = database["HOST"] or "/var/run/postgresql", int(database["PORT"] or 5432)
    if host.startswith("/"):
        made = socket.socket(socket.AF_UNIX)
        made.connect(f"{host}/.s.PGSQL.{port}")
        return made
    return socket.create_connection((host, port))


@dataclass
class Second:
    """A gateway under way in another process."""

    url: str
    process: subprocess.Popen
    door: Door
    output: Path
    name: str

    def kill(self) -> None:
        """As the machine would: without a word."""
        self.process.kill()
        self.process.wait()

    def end_database_connections(self) -> int:
        """How many there were: what a restart of the database does to this process."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = %s", [self.name]
            )
            return cursor.fetchone()[0]


@contextlib.contextmanager
def second_gateway(output: Path, **environment: str) -> Iterator[Second]:
    """`python -m uvicorn portal.asgi:application` on the tests' database; its output goes to the file `output`."""
    door, port = Door(), _free_port()
    name = f"second-{port}"
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(port), "--no-access-log"]
    with output.open("wb") as sink:
        process = subprocess.Popen(
            command, cwd=ROOT, env=_environment(door, url, name) | environment, stdout=sink, stderr=sink
        )
        try:
            _wait_for(url, process, output)
            yield Second(url, process, door, output, name)
        finally:
            process.kill()
            process.wait()
            door.close()


def _environment(door: Door, url: str, name: str) -> dict[str, str]:
    database = connection.settings_dict
    password = f":{quote(database['PASSWORD'], safe='')}" if database["PASSWORD"] else ""
    # A TCP connection even where the database listens on a Unix socket: the door stands between.
    address = f"postgresql://{database['USER']}{password}@127.0.0.1:{door.port}/{quote(database['NAME'])}"
    return os.environ | {
        "DATABASE_URL": address,
        "PGAPPNAME": name,
        "PUBLIC_URL": url,
        "SECRET_KEY": settings.SECRET_KEY,
        "GATEHOUSE_KEYS": settings.GATEHOUSE_KEYS,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": str(ROOT),
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _wait_for(url: str, process: subprocess.Popen, output: Path) -> None:
    until = time.monotonic() + START_LIMIT
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AssertionError(f"The second gateway ended: {output.read_text()[-2000:]}")
        with contextlib.suppress(httpx.TransportError):
            # Without a key the answer is 401, from the gateway itself.
            if httpx.get(f"{url}/a2a/any/thing", timeout=5).status_code == 401:
                return
        time.sleep(0.05)
    raise AssertionError(f"The second gateway does not answer: {output.read_text()[-2000:]}")
