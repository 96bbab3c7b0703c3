import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture
def var(tmp_path) -> Path:
    """A private `var/` of its own for a launcher."""
    return tmp_path / "var"


@pytest.fixture
def surroundings(var) -> dict[str, str]:
    """An environment as on a fresh machine: nothing of the test run's own."""
    ours = ("DATABASE_URL", "PUBLIC_URL", "PORT", "SECRET_KEY", "GATEHOUSE_", "DEMO_", "CELERY_")
    fresh = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**fresh, "GATEHOUSE_VAR": str(var)}


@pytest.fixture
def launch(surroundings) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start `python -m launcher …` with further variables; whatever still runs at the end is ended."""
    started = []

    def start(*arguments: str, **variables: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-B", "-m", "launcher", *arguments],
            cwd=CHECKOUT,
            env={**surroundings, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port of 127.0.0.1 on which something listens."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def processes_naming(text: str | Path) -> list[str]:
    """The command lines of all processes that carry `text`, such as a data directory."""
    lines = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in lines.splitlines() if str(text) in line]


def eventually(condition: Callable[[], bool], seconds: float = 15) -> bool:
    """Whether `condition` comes true in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False
