"""Starts workers (worker.py) on the tests' database, and talks to them."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlsplit

from django.conf import settings
from django.db import connection as database

from consent.models import Grant
from tests.gateway.second import Door

ROOT = Path(__file__).resolve().parents[2]
NAME = "consent-worker"


class Worker:
    """One process. `order` and `results` are apart, so that several can be at it at once."""

    module = "tests.consent.worker"

    def __init__(self, options: dict, door: Door | None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, json.dumps(options)],
            cwd=ROOT,
            env=_environment(door),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def order(self, grant: Grant, times: int = 1) -> None:
        self.tell(grant=str(grant.pk), times=times)

    def tell(self, **order: object) -> None:
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def results(self) -> list:
        line = self.process.stdout.readline()
        assert line, "the worker ended"
        return json.loads(line)

    def wait_until_frozen(self) -> None:
        _, status = os.waitpid(self.process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def end(self) -> None:
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


@contextlib.contextmanager
def workers(count: int = 1, door: Door | None = None, kind: type[Worker] = Worker, **options) -> Iterator[list[Worker]]:
    """`count` processes, ready to be ordered; options: freezes, dies, lease, deadline (worker.py)."""
    started = [kind(options, door) for _ in range(count)]
    try:
        assert [each.results() for each in started] == ["ready"] * count
        yield started
    finally:
        for each in started:
            each.end()


def _environment(door: Door | None) -> dict[str, str]:
    parts, name = urlsplit(os.environ["DATABASE_URL"]), database.settings_dict["NAME"]
    if door:
        login = parts.netloc.rpartition("@")[0]
        parts = parts._replace(netloc=f"{login}@127.0.0.1:{door.port}", query="")
    return os.environ | {
        "DATABASE_URL": parts._replace(path=f"/{quote(name)}").geturl(),
        "PGAPPNAME": NAME,
        "PUBLIC_URL": settings.PUBLIC_URL,
        "SECRET_KEY": settings.SECRET_KEY,
        "GATEHOUSE_KEYS": settings.GATEHOUSE_KEYS,
        "ENTRA_AUTHORITY": settings.ENTRA_AUTHORITY,
        "OUTBOUND_CA_FILE": settings.OUTBOUND_CA_FILE or "",
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": str(ROOT),
    }
