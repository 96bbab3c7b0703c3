"""Signals that ask the launcher to stop."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Stopped(BaseException):
    """Somebody asked us to stop; everything that was started is ended on the way up."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.signal = signal.Signals(number)


def stop_on_signals() -> None:
    """Raise Stopped at the first request; later ones change nothing, for stopping takes seconds at most."""
    requests = []

    def stop(number: int, _: FrameType | None) -> None:
        requests.append(number)
        if len(requests) == 1:
            raise Stopped(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


@contextmanager
def keyboard_left_to_child() -> Iterator[None]:
    """While a foreground command runs, Ctrl-C is the command's; the launcher goes on after it."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
