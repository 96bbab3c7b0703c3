"""Ends one call from outside: when its client has left, when its time is over, when its permission was taken away."""

import asyncio
from enum import StrEnum

from connections.gateway.exchange import Exchange
from connections.gateway.refusals import Refused

# Seconds. Most calls have ended by then, and nobody had to watch them.
FIRST_LOOK = 0.05


class Why(StrEnum):
    CLIENT_LEFT = "client_left"
    TIME_IS_OVER = "time_is_over"


class Watch:
    """A block in which the current task can be cancelled, once; `why` says so, and is None where it went its way.

    What has been answered to its last byte is not cancelled any more.
    """

    def __init__(self, exchange: Exchange, seconds: float) -> None:
        self.why: Why | Refused | None = None
        self._exchange = exchange
        self._seconds = seconds
        self._watching: asyncio.Task | None = None

    def __enter__(self) -> "Watch":
        self._work = asyncio.current_task()
        self._timer = asyncio.get_running_loop().call_later(FIRST_LOOK, self._begin)
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._watching:
            self._watching.cancel()
        if self.why:
            self._work.uncancel()

    def end(self, why: Why | Refused) -> None:
        if self.why is None and not self._exchange.ended:
            self.why = why
            self._work.cancel()

    def _begin(self) -> None:
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        try:
            async with asyncio.timeout(self._seconds - FIRST_LOOK):
                await self._exchange.gone()
        except TimeoutError:
            self.end(Why.TIME_IS_OVER)
        else:
            self.end(Why.CLIENT_LEFT)
