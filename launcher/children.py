"""Child processes that never outlive the launcher."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def spawn(command: Sequence[str], *, when_orphaned: signal.Signals, **options: Any) -> subprocess.Popen:
    """`subprocess.Popen` whose child gets the signal when this process dies, even of SIGKILL (Linux)."""
    return subprocess.Popen(command, preexec_fn=_leash(when_orphaned), **options)


def _leash(when_orphaned: signal.Signals) -> Callable[[], None] | None:
    if sys.platform != "linux":
        return None
    libc, launcher = ctypes.CDLL(None), os.getpid()

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, int(when_orphaned), 0, 0, 0)
        if os.getppid() != launcher:  # it died before the tie held
            os._exit(1)

    return tie


def end(process: subprocess.Popen, steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """Send each signal in turn and wait its seconds, until the process is gone; SIGKILL comes last."""
    for number, seconds in (*steps, (signal.SIGKILL, 10)):
        if process.poll() is None:
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)


def end_group(process: subprocess.Popen) -> None:
    """Kill what a child that led its own session left behind."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
