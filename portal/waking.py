"""Waking a sweep from a page, once its change is committed. A hint: what is due stands in the rows, so it may get lost.

A thread hands it to the broker, for a broker that accepts and never answers must not hold up a page (F06).
"""

import logging
import queue
import threading
from functools import partial

from celery import Task
from django.db import transaction

logger = logging.getLogger(__name__)
EXPIRES = 60
PATIENCE = 2.0


def wake(task: Task) -> None:
    transaction.on_commit(partial(_waker.put, task))


class _Waker:
    """At most one wake-up of each task waits, however long the broker takes."""

    def __init__(self) -> None:
        self._waiting: queue.SimpleQueue[Task] = queue.SimpleQueue()
        self._known: set[str] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def put(self, task: Task) -> None:
        with self._lock:
            if task.name in self._known:
                return
            self._known.add(task.name)
            # Made on first use, in the process that uses it: threads do not survive a fork.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="waker", daemon=True)
                self._thread.start()
        self._waiting.put(task)

    def _run(self) -> None:
        while True:
            task = self._waiting.get()
            try:
                task.apply_async(retry=False, expires=EXPIRES, confirm_timeout=PATIENCE)
            except Exception as error:  # noqa: BLE001 -- each broker has its own errors, and none is worse than the next
                logger.warning("%s could not be woken: %s", task.name, type(error).__name__)
            finally:
                with self._lock:
                    self._known.discard(task.name)


_waker = _Waker()
