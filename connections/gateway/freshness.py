"""What lookups found, for as long as nothing that an administrator or user changed could have changed it.

An answer is kept under the change counter that was read *before* its rows were loaded, and serves only while the
process has read that counter less than FRESH_SECONDS ago, counted from when the read was sent. A database that does
not answer therefore ends the cache by itself, and no notification has to arrive for correctness.
"""

import asyncio
import time
from collections.abc import Callable, Hashable
from typing import Any

from connections.gateway.threads import Threads
from portal.audit import changes

# Read again well before an answer becomes stale, so that calls under load never wait for it.
READ_EVERY = 0.3
SLOWEST_READ = 3.0
KEPT_ANSWERS = 20_000


class Fresh:
    def __init__(self, threads: Threads, clock: Callable[[], float] = time.monotonic) -> None:
        self._threads = threads
        self._clock = clock
        self._counter = -1
        self._sent_at = float("-inf")
        self._reading: asyncio.Task | None = None
        self._answers: dict[Hashable, tuple[int, Any]] = {}

    async def get(self, key: Hashable, load: Callable[[], Any]) -> Any:
        """The kept answer for `key`, or what `load` (synchronous, in a thread) finds now."""
        counter = await self._current()
        kept = self._answers.get(key)
        if kept is not None and kept[0] == counter:
            return kept[1]
        answer = await self._threads.run(load)
        if len(self._answers) >= KEPT_ANSWERS:
            self._answers.clear()
        self._answers[key] = (counter, answer)
        return answer

    async def _current(self) -> int:
        age = self._clock() - self._sent_at
        if age >= changes.FRESH_SECONDS:
            await self._read()
        elif age >= READ_EVERY and self._reading is None:
            self._start()
        return self._counter

    async def _read(self) -> None:
        """Waits for a read that was sent no earlier than now."""
        if self._reading is not None:
            await asyncio.wait([self._reading])
        if self._clock() - self._sent_at >= changes.FRESH_SECONDS:
            async with asyncio.timeout(SLOWEST_READ):
                await asyncio.shield(self._reading or self._start())

    def _start(self) -> asyncio.Task:
        self._reading = asyncio.create_task(self._read_once())
        self._reading.add_done_callback(self._done)
        return self._reading

    async def _read_once(self) -> None:
        sent_at = self._clock()
        self._counter = await self._threads.run(changes.read)
        self._sent_at = sent_at

    def _done(self, task: asyncio.Task) -> None:
        if self._reading is task:
            self._reading = None
        if not task.cancelled():
            task.exception()  # seen here; whoever waits gets it too
