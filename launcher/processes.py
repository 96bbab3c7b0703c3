"""Several processes side by side: their lines on one screen, and all of them ended together."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from launcher import children
from launcher.surroundings import Environment

_NAME_WIDTH = 8
_STOP_SECONDS = 10


@dataclass
class _Member:
    name: str
    process: subprocess.Popen
    may_end: bool = False
    unfinished: bytes = b""


@dataclass(frozen=True)
class Ended:
    """One of the processes ended by itself."""

    name: str
    code: int


class Processes:
    """Use as a context manager: on the way out every process, and what it started, is ended."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._members: list[_Member] = []
        self._output = selectors.DefaultSelector()

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        for member in self._members:
            if member.process.poll() is None:
                member.process.terminate()
        deadline = time.monotonic() + _STOP_SECONDS
        while self._alive() and time.monotonic() < deadline:
            self._show(0.1)
        for member in self._members:
            children.end_group(member.process)
            member.process.wait()
        self._show(0)
        self._output.close()
        for member in self._members:
            member.process.stdout.close()

    def start(
        self, name: str, command: Sequence[str], environment: Environment, *, may_end: bool = False
    ) -> subprocess.Popen:
        """Start a process whose lines appear after its name; it leads a session of its own.

        One that `may_end` does its work and goes, and nobody is told.
        """
        process = children.spawn(
            command,
            when_orphaned=signal.SIGTERM,
            env=environment,
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        os.set_blocking(process.stdout.fileno(), False)
        member = _Member(name, process, may_end)
        self._members.append(member)
        self._output.register(process.stdout, selectors.EVENT_READ, member)
        return process

    def watch(self, enough: Callable[[], bool] = lambda: False, seconds: float = float("inf")) -> Ended | None:
        """Show lines until a process ends, which is returned, or until `enough()` or `seconds` have passed.

        What was returned is not looked at any more: whoever can do without it may watch on.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not enough():
            self._show(0.2)
            for member in [member for member in self._members if member.process.poll() is not None]:
                self._show(0)
                self._let_go(member)
                if not member.may_end:
                    return Ended(member.name, member.process.returncode)
        return None

    def _let_go(self, member: _Member) -> None:
        """At once: hours later its id may be another program's."""
        children.end_group(member.process)
        while self._has_left(member):
            self._show_lines_of(member)
        if self._listens_to(member):
            self._output.unregister(member.process.stdout)
        member.process.stdout.close()
        self._members.remove(member)

    def _has_left(self, member: _Member) -> bool:
        """Whether there are lines of it, or their end, to be shown."""
        return self._listens_to(member) and any(key.data is member for key, _ in self._output.select(0.1))

    def _listens_to(self, member: _Member) -> bool:
        return member.process.stdout.fileno() in self._output.get_map()

    def _alive(self) -> bool:
        return any(member.process.poll() is None for member in self._members)

    def _show(self, seconds: float) -> None:
        if not self._output.get_map():
            time.sleep(seconds)
            return
        for key, _ in self._output.select(seconds):
            self._show_lines_of(key.data)

    def _show_lines_of(self, member: _Member) -> None:
        text = os.read(member.process.stdout.fileno(), 65536)
        if not text:
            self._output.unregister(member.process.stdout)
            text = b"\n" if member.unfinished else b""
        *lines, member.unfinished = (member.unfinished + text).split(b"\n")
        for line in filter(None, lines):
            print(f"{member.name:{_NAME_WIDTH}} | {line.decode(errors='replace')}", flush=True)
