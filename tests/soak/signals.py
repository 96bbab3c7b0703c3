"""Signals to workers of the soak, and to nobody else: a process id may belong to another process by now."""

import contextlib
import os
import signal
from pathlib import Path

KILLED, FROZEN = "killed", "frozen"
SIGNALS = {KILLED: signal.SIGKILL, FROZEN: signal.SIGSTOP}


def send(pid: int, what: signal.Signals) -> bool:
    """Whether there is such a worker."""
    with contextlib.suppress(OSError):
        if b"tests.soak.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
            os.kill(pid, what)
            return True
    return False


def runs(pid: int) -> bool:
    """False once it is stopped or gone: what is sent to a process takes a moment to arrive."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "TZX"
    except OSError:
        return False
