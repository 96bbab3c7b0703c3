"""One piece of work for everybody in this process who wants the same result at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import TypeVar

T = TypeVar("T")


class Together:
    """Sixty calls for one user wait for one refresh, and hold one thread (design, section 4: gateway)."""

    def __init__(self) -> None:
        self._running: dict[Hashable, asyncio.Future] = {}

    async def run(self, key: Hashable, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, or of the one that runs for `key` already; who leaves does not end it for others."""
        running = self._running.get(key)
        if running is None:
            running = self._running[key] = asyncio.ensure_future(work())
            running.add_done_callback(lambda done: self._ended(key, done))
        return await asyncio.shield(running)

    def _ended(self, key: Hashable, done: asyncio.Future) -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # seen here; whoever waits gets it too
