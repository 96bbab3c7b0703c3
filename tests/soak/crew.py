"""The workers of the soak, seen from outside: begun, replaced when one is struck, thawed, counted."""

import contextlib
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator

from consent import leases
from launcher import children
from tests.soak import signals
from tests.soak.oracle import Struck
from tests.soak.providers import ROOT

# A frozen one sleeps past its lease, goes on for a while, and is then killed wherever it is.
FROZEN_SECONDS, THAWED_SECONDS = leases.LEASE.total_seconds() + 2, 3.0


class Crew:
    """`served` counts the answers that callers got; `broken` is what should never happen."""

    def __init__(self, process: subprocess.Popen) -> None:
        self.struck, self.served, self.broken = Struck(), Counter(), []
        self.killed_thawed = 0
        self._process, self._kinds, self._frozen, self._thawed = process, {}, {}, {}
        self._lock = threading.Lock()
        threading.Thread(target=self._read, daemon=True).start()

    def begin(self, kind: str, count: int = 1) -> None:
        with self._lock:
            self._process.stdin.write(json.dumps([kind, count]) + "\n")
            self._process.stdin.flush()

    def note(self, pid: int, at: float, is_frozen: bool) -> None:
        """Somebody struck it; another one takes its place, unless one did when it was frozen."""
        if pid not in self.struck.times:
            self.begin(self._kinds[pid])
        self.struck.add(pid, at)
        if is_frozen:
            self._frozen[pid] = time.monotonic() + FROZEN_SECONDS

    def thaw(self, everybody: bool = False) -> None:
        """Those who slept long enough go on; those who went on long enough are killed."""
        now = time.monotonic()
        for pid, until in list(self._frozen.items()):
            if everybody or now > until:
                del self._frozen[pid]
                if signals.send(pid, signal.SIGCONT):
                    self._thawed[pid] = now + THAWED_SECONDS
        for pid, until in list(self._thawed.items()):
            if now > until:
                del self._thawed[pid]
                self.struck.add(pid, time.time())
                self.killed_thawed += signals.send(pid, signal.SIGKILL)

    @property
    def frozen(self) -> int:
        return len(self._frozen)

    @property
    def is_thawing(self) -> bool:
        return bool(self._frozen or self._thawed)

    def _read(self) -> None:
        for line in self._process.stdout:
            what, *more = json.loads(line)
            if what == "begun":
                self._kinds[more[0]] = more[1]
            elif what == "served":
                self.served[more[0]] += 1
            elif what == "broken":
                self.broken.append(more[0])
            elif more[1] != signal.SIGKILL:
                self.broken.append(f"a worker ended by itself, with signal {more[1]}")


@contextlib.contextmanager
def crew(**kinds: int) -> Iterator[Crew]:
    """So many of each kind (worker.py), at work."""
    command = [sys.executable, "-m", "tests.soak.worker"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with children.spawn(command, when_orphaned=signal.SIGKILL, cwd=ROOT, **pipes) as process:
        try:
            begun = Crew(process)
            for kind, count in kinds.items():
                begun.begin(kind, count)
            yield begun
        finally:
            # With it go those whom it has begun (worker.py).
            process.kill()
