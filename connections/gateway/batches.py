"""Work that many calls want done at the same time, done for all of them by one statement."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from connections.gateway.threads import Threads

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batches(Generic[Item, Result]):
    """Whoever comes while a batch is under way is in the next one.

    `work` takes a list of items, in a thread, and returns a result for each. After one of `faults`, which a single item
    may cause, it is asked again for each alone.
    """

    def __init__(
        self, threads: Threads, work: Callable[[list[Item]], list[Result]], faults: tuple[type[Exception], ...] = ()
    ) -> None:
        self._threads = threads
        self._work = work
        self._faults = faults
        self._waiting: list[tuple[Item, asyncio.Future]] = []
        self._running: asyncio.Task | None = None

    async def run(self, item: Item) -> Result:
        """The result for this item, or what `work` raises for it alone."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._running is None:
            self._running = asyncio.create_task(self._until_nobody_waits())
        return await done

    async def _until_nobody_waits(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            await self._done(batch)
        self._running = None

    async def _done(self, batch: list[tuple[Item, asyncio.Future]]) -> None:
        try:
            results = await self._threads.run(self._work, [item for item, _ in batch])
        except Exception as error:  # noqa: BLE001 -- whoever waits gets it
            if len(batch) > 1 and isinstance(error, self._faults):
                for one in batch:
                    await self._done([one])
            else:
                _tell([done for _, done in batch], error)
            return
        for (_, done), result in zip(batch, results, strict=True):
            if not done.cancelled():
                done.set_result(result)


def _tell(waiting: list[asyncio.Future], error: Exception) -> None:
    for done in waiting:
        if not done.cancelled():
            done.set_exception(error)
