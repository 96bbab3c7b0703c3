"""Starts providers (provider.py), and speaks with them from outside: by HTTP, as the portal does."""

import contextlib
import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from launcher import children

ROOT = Path(__file__).resolve().parents[2]


class Running:
    """One provider; `urls` are its doors."""

    def __init__(self, name: str, urls: list[str]) -> None:
        self.name, self.urls = name, urls

    def ledger(self) -> dict[str, dict]:
        """By family: newest, ended, requests."""
        return self._ask("ledger")

    def families(self, count: int) -> list[str]:
        """New consents."""
        return self._ask("families", count=count)

    def calm(self) -> None:
        """From now on without faults."""
        self._ask("calm")

    def strike(self, point: str, how: str) -> dict:
        """{"pid": …, "at": …} of the process that was killed or frozen when it came to that point; {} if none came."""
        return self._ask("strike", point=point, how=how)

    def _ask(self, path: str, **members: object):
        request = urllib.request.Request(f"{self.urls[0]}/{path}", json.dumps(members).encode())
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())


@contextlib.contextmanager
def provider(name: str, **options: object) -> Iterator[Running]:
    """Options: grace, faults (a share), seconds ([least, most] of an answer), seed, doors."""
    command = [sys.executable, "-m", "tests.soak.provider", json.dumps(options)]
    end = signal.SIGKILL
    with children.spawn(command, when_orphaned=end, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Running(name, json.loads(process.stdout.readline()))
        finally:
            process.kill()
