"""Questions to things that may hang: whoever asks waits as long as he likes, and never more than one thread hangs."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NoAnswerYet
from typing import Generic, TypeVar

from django.db import connection

T = TypeVar("T")

__all__ = ["Look", "NoAnswerYet"]


class Look(Generic[T]):
    """One question. Who asks while it is under way waits for the same answer; an answer serves for `kept` seconds."""

    def __init__(self, ask: Callable[[], T], kept: float = 0.0) -> None:
        self._ask, self._kept = ask, kept
        self._lock = threading.Lock()
        self._latest: Future[T] | None = None
        self._answered_at = 0.0

    def begin(self) -> Future[T]:
        """Its `result(timeout)` raises NoAnswerYet, or what the question raised."""
        with self._lock:
            if self._latest is None or self._is_old():
                self._latest = Future()
                threading.Thread(target=self._run, args=(self._latest,), name="look", daemon=True).start()
            return self._latest

    def _is_old(self) -> bool:
        return self._latest.done() and time.monotonic() - self._answered_at >= self._kept

    def _run(self, answer: Future[T]) -> None:
        failure = result = None
        try:
            result = self._ask()
        except Exception as error:  # noqa: BLE001 -- it belongs to whoever waits
            failure = error
        finally:
            connection.close()
            self._answered_at = time.monotonic()
        if failure:
            answer.set_exception(failure)
        else:
            answer.set_result(result)
