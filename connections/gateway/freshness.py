"""What lookups found, for as long as nothing that an administrator or user changed could have changed it.

An answer is kept under the change counter that was read *before* its rows were loaded, and serves only while the
process has read that counter less than FRESH_SECONDS ago, counted from when the read was sent. A database that does
not answer therefore ends the cache by itself, and no notification has to arrive for correctness.
"""

import asyncio
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from connections.gateway.threads import Threads
from portal.audit import changes

# Read again well before an answer becomes stale, so that calls under load never wait for it.
READ_EVERY = 0.3
# Seconds. A database connection can hang without a word (a frozen server, a dead network); a thread that waits on one
# is left alone, and the next read goes through another.
SLOWEST_READ = 3.0
SLOWEST_LOAD = 8.0
KEPT_ANSWERS = 20_000
# What opens a sealed value is among the answers; like the vault's own keys it does not stay in memory for ever.
KEPT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class _Kept:
    counter: int
    until: float
    answer: Any


class Fresh:
    def __init__(self, threads: Threads, clock: Callable[[], float] = time.monotonic) -> None:
        self._threads = threads
        self._clock = clock
        self._counter = -1
        self._sent_at = float("-inf")
        self._reading: asyncio.Task | None = None
        self._reading_since = float("-inf")
        self._answers: dict[Hashable, _Kept] = {}

    async def get(self, key: Hashable, load: Callable[[], Any]) -> Any:
        """The kept answer for `key`, or what `load` (synchronous, in a thread) finds now.

        Raises TimeoutError when nothing fresh can be had, and what `load` raises.
        """
        counter = await self._current()
        kept = self._answers.get(key)
        if kept is not None and kept.counter == counter and kept.until > self._clock():
            return kept.answer
        async with asyncio.timeout(SLOWEST_LOAD):
            answer = await self._threads.run(load)
        if len(self._answers) >= KEPT_ANSWERS:
            self._answers.clear()
        self._answers[key] = _Kept(counter, self._clock() + KEPT_SECONDS, answer)
        return answer

    def forget(self, key: Hashable) -> None:
        """For what changes without an announcement, such as a token that was renewed."""
        self._answers.pop(key, None)

    async def _current(self) -> int:
        if self._age() >= changes.FRESH_SECONDS:
            asked_at = self._clock()
            async with asyncio.timeout(SLOWEST_READ):
                # A read that was sent after the question answers it, however late a busy process hears of it.
                while self._sent_at < asked_at and self._age() >= changes.FRESH_SECONDS:
                    await asyncio.shield(self._under_way())
        elif self._age() >= READ_EVERY:
            self._under_way()
        return self._counter

    def _age(self) -> float:
        return self._clock() - self._sent_at

    def _under_way(self) -> asyncio.Task:
        """The read that is being made, or a new one."""
        hangs = self._clock() - self._reading_since >= SLOWEST_READ
        if self._reading is None or hangs:
            self._reading_since = self._clock()
            self._reading = asyncio.create_task(self._read(self._reading_since))
            self._reading.add_done_callback(self._done)
        return self._reading

    async def _read(self, sent_at: float) -> None:
        counter = await self._threads.run(changes.read)
        # One that hung and came through after all is older than what is known.
        if sent_at > self._sent_at:
            self._counter, self._sent_at = counter, sent_at

    def _done(self, task: asyncio.Task) -> None:
        if self._reading is task:
            self._reading = None
        if not task.cancelled():
            task.exception()  # seen here; whoever waits gets it too
