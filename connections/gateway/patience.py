"""Threads for what may wait for somebody else, such as a provider that refreshes a token."""

import asyncio
from collections.abc import Callable
from typing import TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from connections.gateway.threads import Threads

T = TypeVar("T")
THREADS = 16
# A provider that does not answer holds up this many callers of its connection at a time, and nobody else's.
FOR_ONE_CONNECTION = 4


class Patience:
    """Beside the gateway's own threads, in which everybody's keys are read and must never wait for a provider."""

    def __init__(self) -> None:
        self._threads = Threads(THREADS)
        # A door is there for as long as somebody stands in it.
        self._doors: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()

    async def run(self, connection: UUID, work: Callable[..., T], *arguments: object) -> T:
        door = self._doors.get(connection)
        if door is None:
            door = self._doors[connection] = asyncio.Semaphore(FOR_ONE_CONNECTION)
        async with door:
            return await self._threads.run(work, *arguments)

    def close(self) -> None:
        self._threads.close()
