"""One load on one target of `make bench`, made by a process of its own (`benchmarks.load`)."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.serving import CHECKOUT, Server


@dataclass(frozen=True)
class Target:
    """One thing that is called: where, with what, and which processes to count."""

    name: str
    processes: int
    server: Server
    path: str
    headers: dict[str, str]
    word: str
    connection: str = ""


@dataclass
class Cell:
    """One target under one load; a figure of each round."""

    target: Target
    kind: str
    connections: int
    rounds: list[dict] = field(default_factory=list)

    def figure(self, name: str) -> float:
        return median([one[name] for one in self.rounds if one[name] is not None] or [math.nan])


def begin_load(cell: Cell, seconds: float) -> Callable[[], dict]:
    """Starts a process of its own that calls; the result waits for its end and says what it saw."""
    target = cell.target
    asked = {
        "port": target.server.port,
        "path": target.path,
        "headers": target.headers,
        "word": target.word,
        "connections": cell.connections,
        "seconds": seconds,
        "kind": cell.kind,
    }
    command = [sys.executable, "-m", "benchmarks.load", json.dumps(asked)]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE)
    return lambda: json.loads(process.communicate()[0])
