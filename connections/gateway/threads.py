"""Where ordinary synchronous Django runs beside the event loop: the gateway's own bounded pool of threads."""

import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import Error, close_old_connections, connection

T = TypeVar("T")


class Threads:
    """Each thread keeps its database connection; one that failed is closed, so that the next use makes a new one."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="gateway")

    async def run(self, work: Callable[..., T], *arguments: object) -> T:
        """What `work` returns; its log lines carry the request's id."""
        return await asyncio.get_running_loop().run_in_executor(
            self._pool, contextvars.copy_context().run, _guarded, work, arguments
        )

    def close(self, seconds: float = 2.0) -> None:
        """Ends the threads, and their database connections with them."""
        # Each thread can close only its own, so all meet here before any goes.
        meeting = threading.Barrier(self._count)
        for _ in range(self._count):
            self._pool.submit(_close_own, meeting, seconds)
        self._pool.shutdown(wait=True)


def _close_own(meeting: threading.Barrier, seconds: float) -> None:
    with contextlib.suppress(threading.BrokenBarrierError):
        meeting.wait(seconds)
    connection.close()


def _guarded(work: Callable[..., T], arguments: tuple) -> T:
    close_old_connections()
    try:
        return work(*arguments)
    except Error:
        connection.close()
        raise
