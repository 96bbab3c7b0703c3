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
# Nor do several connections of one project take all the threads from another's.
FOR_ONE_PROJECT = 8


class Patience:
    """Beside the gateway's own threads, in which everybody's keys are read and must never wait for a provider."""

    def __init__(self) -> None:
        self._threads = Threads(THREADS)
        # A door is there for as long as somebody stands in it.
        self._doors: WeakValueDictionary[UUID, asyncio.Semaphore] = WeakValueDictionary()

    async def run(self, connection: UUID, project: UUID, work: Callable[..., T], *arguments: object) -> T:
        # The narrower first: who waits for its own connection takes nothing from the project's other ones.
        async with self._door(connection, FOR_ONE_CONNECTION), self._door(project, FOR_ONE_PROJECT):
            return await self._threads.run(work, *arguments)

    def _door(self, whose: UUID, width: int) -> asyncio.Semaphore:
        door = self._doors.get(whose)
        if door is None:
            door = self._doors[whose] = asyncio.Semaphore(width)
        return door

    def close(self) -> None:
        self._threads.close()
