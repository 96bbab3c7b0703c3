"""64 callers in 4 processes on one expired grant, again and again: with the broker up, down and emptied.

A worker and a beat run beside them, whose sweeps want to refresh the same grant. The provider has no grace: a second
use of a refresh token ends the grant.
"""

import contextlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from celery import Celery
from django.utils import timezone

from consent.models import Grant, Pace
from launcher import children
from tests import queue
from tests.consent.workers import workers
from tests.soak import world
from tests.soak.providers import Running, provider

PROCESSES, CALLERS = 4, 16
CONDITIONS = ("up", "down", "emptied")
IN_A_ROW = 2


@dataclass
class Raced:
    """`rounds` by the state of the broker; `swept`, in how many of them a sweep reached for the grant as well.

    `wrong` is what should never happen.
    """

    broker: str = ""
    rounds: Counter = field(default_factory=Counter)
    served: int = 0
    swept: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


def race(rounds: int, say: Callable[[str], None]) -> Raced:
    raced, began = Raced(), time.monotonic()
    if not rounds:
        return raced
    var = Path(tempfile.mkdtemp(prefix="soak-race-"))
    with contextlib.ExitStack() as running:
        running.callback(shutil.rmtree, var, ignore_errors=True)
        octo = running.enter_context(provider("octo", grace=0, seconds=[0.2, 0.3]))
        broker = running.enter_context(_broker(var))
        # What they say of a broker that is down is not for the terminal.
        output = running.enter_context((var / "output").open("wb"))
        beside = running.enter_context(queue.running(var, output, CELERY_BROKER_URL=broker.url))
        processes = [beside.worker(concurrency=2), beside.beat()]
        four = running.enter_context(workers(PROCESSES))
        [(grant, family)] = world.people_at(octo, world.agent("race"), 1).items()
        raced.broker = broker.name
        for number in range(rounds):
            condition = CONDITIONS[number // IN_A_ROW % len(CONDITIONS)]
            broker.become(condition)
            broker.wake()
            _one_round(raced, four, octo, Grant.objects.get(pk=grant), family)
            raced.rounds[condition] += 1
            if (number + 1) % 20 == 0:
                say(f"{number + 1} races, {len(raced.wrong)} wrong")
        if broker.is_outlived and any(each.poll() is not None for each in processes):
            raced.wrong.append("the worker or beat did not outlive the broker")
        Grant.objects.all().delete()
    raced.seconds = time.monotonic() - began
    return raced


def _one_round(raced: Raced, four: list, octo: Running, grant: Grant, family: str) -> None:
    before, paced = octo.ledger()[family], _paced()
    ago = timezone.now() - timezone.timedelta(seconds=1)
    Grant.objects.filter(pk=grant.pk).update(expires_at=ago, refresh_due_at=ago)
    for each in four:
        each.order(grant, times=CALLERS)
    results = Counter(tuple(result) for each in four for result in each.results())
    after = octo.ledger()[family]
    number = before["newest"] + 1
    expected = Counter({("token", grant.generation + 1, f"a-{family}-{number}"): PROCESSES * CALLERS})
    asked = after["requests"][len(before["requests"]) :]
    raced.served += results.total()
    raced.swept += paced != _paced()
    if results != expected or len(asked) != 1 or after["ended"] or after["newest"] != number:
        raced.wrong.append(f"{results} for {len(asked)} requests; ended: {after['ended'] or 'no'}")


def _paced() -> list:
    """What a sweep changes whenever it reaches for grants of a provider, and a call never does."""
    return list(Pace.objects.values_list("spent_until", flat=True))


# The broker


class Redis:
    """One of its own. Down, it does not listen; its content is kept in memory alone, and so is lost as well."""

    name, is_outlived = "Redis", True

    def __init__(self, var: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = probe.getsockname()[1]
        self.url, self._var, self._process = f"redis://127.0.0.1:{self._port}/0", var, None
        self._app = Celery(broker=self.url)

    def become(self, condition: str) -> None:
        if condition == "down":
            self.end()
        elif self._process is None:
            self._begin()
        if condition == "emptied":
            with socket.create_connection(("127.0.0.1", self._port), 5) as line:
                line.sendall(b"FLUSHALL\r\n")
                assert line.recv(100).startswith(b"+OK")

    def wake(self) -> None:
        """As beat does, but now."""
        if self._process:
            self._app.send_task("consent.tasks.refresh_due", queue="refresh")

    def end(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _begin(self) -> None:
        options = ["--port", str(self._port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._var)]
        command, quiet = ["redis-server", *options], subprocess.DEVNULL
        self._process = children.spawn(command, when_orphaned=signal.SIGKILL, stdout=quiet)
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), 1):
                return
            time.sleep(0.02)
        raise AssertionError("Redis does not start")


class Folder:
    """The queue in `GATEHOUSE_VAR`, where no Redis is installed. Down, there is a file where the folder was.

    Worker and beat may end of that, as of a disk that is gone; whoever supervises them begins them again.
    """

    name, url, is_outlived = "the folder", "filesystem://localhost", False

    def __init__(self, var: Path) -> None:
        self._at = var / "queue"

    def become(self, condition: str) -> None:
        if condition == "down" and self._at.is_dir():
            self._at.rename(self._at.with_suffix(".away"))
            self._at.touch()
        elif condition != "down" and self._at.is_file():
            self._at.unlink()
            self._at.with_suffix(".away").rename(self._at)
        if condition == "emptied":
            for message in self._at.glob("messages/*"):
                message.unlink(missing_ok=True)

    def wake(self) -> None:
        """Beat alone does."""

    def end(self) -> None:
        """Nothing to stop."""


@contextlib.contextmanager
def _broker(var: Path) -> Iterator[Redis | Folder]:
    broker = Redis(var) if shutil.which("redis-server") else Folder(var)
    try:
        broker.become("up")
        yield broker
    finally:
        broker.end()
