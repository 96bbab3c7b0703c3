"""A few threads for work that waits on others, each with its own database connection: what a sweep works with."""

import logging
import queue
import threading
from collections.abc import Callable
from typing import Any

from django.db import Error, connection

logger = logging.getLogger(__name__)


class Hands:
    """Use as a context manager: on the way out what was begun is ended, and the connections are closed."""

    def __init__(self, count: int) -> None:
        self._work: queue.SimpleQueue = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._free = count
        self._threads = [threading.Thread(target=self._run, name="hand", daemon=True) for _ in range(count)]

    def __enter__(self) -> "Hands":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()

    def give(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Has it done as soon as a hand is free. What it raises is logged by its kind alone, and ends nothing else."""
        with self._changed:
            self._free -= 1
        self._work.put((work, arguments))

    def free(self, at_least: int = 0, seconds: float = 0) -> int:
        """How many are free; waits up to `seconds` until `at_least` so many are."""
        with self._changed:
            self._changed.wait_for(lambda: self._free >= at_least, seconds)
            return max(0, self._free)

    def _run(self) -> None:
        try:
            while task := self._work.get():
                self._do(*task)
        finally:
            connection.close()

    def _do(self, work: Callable[..., Any], arguments: tuple) -> None:
        try:
            work(*arguments)
        except Exception as error:  # noqa: BLE001 -- one row's trouble is not the next one's
            logger.error("%s failed: %s", work.__name__, type(error).__name__)
            if isinstance(error, Error):
                connection.close()
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify()
