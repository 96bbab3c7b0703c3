"""Streams that are open, and the end of those whose permission was taken away while they ran."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

from connections.gateway.admission import Admission, Admitted
from connections.gateway.refusals import Refused
from connections.gateway.watch import Watch

# Seconds. Together they keep the promise that a stream ends within five after its permission was taken away.
CHECK_EVERY = 1.0
SLOWEST_CHECK = 1.0
UNCONFIRMED = 2.5


@dataclass
class _Open:
    admitted: Admitted
    watch: Watch
    has_credential: bool = False
    confirmed_at: float = field(default_factory=time.monotonic)


class OpenStreams:
    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._open: dict[asyncio.Task, _Open] = {}

    @contextlib.contextmanager
    def held(self, admitted: Admitted, watch: Watch) -> Iterator[None]:
        """In this block, `watch` ends the call of the current task once it may no longer be made."""
        work = asyncio.current_task()
        self._open[work] = _Open(admitted, watch)
        try:
            yield
        finally:
            del self._open[work]

    def counted(self) -> tuple[int, int]:
        """How many (plain calls, streams) are open."""
        streams = sum(stream.admitted.asked.spelling.streams for stream in self._open.values())
        return len(self._open) - streams, streams

    def carries_credential(self, carries: bool) -> None:
        """Whether the call of the current task also ends with what its credential was made from.

        Before it has one, and while a refused one is renewed, there is nothing to lose, and a consent to ask for.
        """
        self._open[asyncio.current_task()].has_credential = carries

    async def watch(self) -> None:
        """Looks at all open streams once a second; lookups are kept, so an unchanged portal costs one read."""
        while True:
            await asyncio.sleep(CHECK_EVERY)
            await asyncio.gather(*map(self._look, list(self._open.values())))

    async def _look(self, stream: _Open) -> None:
        asked_at = time.monotonic()
        try:
            async with asyncio.timeout(SLOWEST_CHECK):
                await self._admission.still_stands(stream.admitted, has_credential=stream.has_credential)
            stream.confirmed_at = asked_at
        except Refused as refused:
            stream.watch.end(refused)
        except Exception:  # noqa: BLE001 -- whatever it was, the permission could not be confirmed
            if time.monotonic() - stream.confirmed_at >= UNCONFIRMED:
                stream.watch.end(Refused("internal"))
