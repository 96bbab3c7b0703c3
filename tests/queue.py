"""Real workers and a real beat on the tests' database, at the broker that CELERY_BROKER_URL names (or in a folder)."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from django.conf import settings

from tests.journeys.conftest import _environment

QUEUES = "default,refresh,probe,mail"


class Queue:
    """One broker. `environment` is what its processes are started with, `output` a file for what they say."""

    def __init__(self, var: Path, output: IO | None = None, **environment: str) -> None:
        self.environment = _environment("http://127.0.0.1:8000", "http://127.0.0.1:1", var) | {
            "GATEHOUSE_DEMO": "0",
            "SECRET_KEY": settings.SECRET_KEY,
            "GATEHOUSE_KEYS": settings.GATEHOUSE_KEYS,
            **environment,
        }
        self._var, self._output, self._started = var, output, []

    def worker(self, concurrency: int = 1, queues: str = QUEUES) -> subprocess.Popen:
        quiet, name = ("--without-gossip", "--without-mingle"), f"{len(self._started)}@%h"
        return self._start("worker", "-n", name, "-c", str(concurrency), "-Q", queues, *quiet)

    def beat(self) -> subprocess.Popen:
        schedule = self._var / f"schedule-{len(self._started)}"
        return self._start("beat", "--pidfile", "", "--schedule", str(schedule))

    def send(self, task: str, times: int = 1) -> None:
        """As beat does, from a process of its own."""
        sends = f"from portal.celery import app\nfor _ in range({times}): app.send_task({task!r})"
        subprocess.run([sys.executable, "-c", sends], env=self.environment, check=True, timeout=60)

    def flush(self) -> None:
        """The broker loses everything."""
        self._run("purge", "-f", "-Q", QUEUES)

    def kill(self, process: subprocess.Popen) -> None:
        """SIGKILL, the worker's children with it."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)

    def end(self) -> None:
        for process in self._started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(10)

    def _run(self, *command: str) -> None:
        subprocess.run([*_CELERY, *command], env=self.environment, check=True, timeout=60, capture_output=True)

    def _start(self, *command: str) -> subprocess.Popen:
        process = subprocess.Popen(
            [*_CELERY, "-q", *command, "-l", "WARNING"],
            env=self.environment,
            start_new_session=True,
            stdout=self._output,
            stderr=self._output,
        )
        self._started.append(process)
        return process


_CELERY = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "portal.celery"]


@contextlib.contextmanager
def running(var: Path, output: IO | None = None, **environment: str) -> Iterator[Queue]:
    queue = Queue(var, output, **environment)
    queue.flush()
    try:
        yield queue
    finally:
        queue.end()


def eventually(holds: Callable[[], bool], seconds: float = 30, every: float = 0.05) -> float:
    """How long it took."""
    began = time.monotonic()
    while not holds():
        assert time.monotonic() - began < seconds, f"not within {seconds} seconds"
        time.sleep(every)
    return time.monotonic() - began
