"""How often and how many at once one agent may call one connection. Counted in memory, in each process."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from connections.gateway.refusals import Refused

# Rows about callers without a valid key that may be written at once.
STRANGERS = 30


@dataclass
class _Use:
    tokens: float
    at: float
    open: int = 0


class Limits:
    """A bucket that holds a minute's calls and refills steadily, and a count of open ones."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._uses: dict[tuple[UUID, UUID], _Use] = {}
        self._strangers = _Use(STRANGERS, clock())

    def enter(self, agent: UUID, connection: UUID, per_minute: int, at_once: int) -> Callable[[], None]:
        """Counts a call; call the result when it ends. Raises Refused."""
        now = self._clock()
        use = self._uses.get((agent, connection))
        if use is None:
            self._forget(now)
            use = self._uses[agent, connection] = _Use(per_minute, now)
        use.tokens = min(per_minute, use.tokens + (now - use.at) * per_minute / 60)
        use.at = now
        if use.open >= at_once:
            raise Refused("limit_concurrency", limit=at_once)
        if use.tokens < 1:
            raise Refused("limit_rate", limit=per_minute, retry_after=max(1, round((1 - use.tokens) * 60 / per_minute)))
        use.tokens -= 1
        use.open += 1
        return lambda: self._leave(use)

    @staticmethod
    def _leave(use: _Use) -> None:
        use.open -= 1

    def may_note_stranger(self) -> bool:
        """Whether to write a row about a caller without a valid key: not more than a row a second (T39)."""
        now = self._clock()
        self._strangers.tokens = min(STRANGERS, self._strangers.tokens + now - self._strangers.at)
        self._strangers.at = now
        if self._strangers.tokens < 1:
            return False
        self._strangers.tokens -= 1
        return True

    def _forget(self, now: float) -> None:
        """Pairs that were idle for a minute have a full bucket again: nothing to remember."""
        if len(self._uses) > 10_000:
            self._uses = {pair: use for pair, use in self._uses.items() if use.open or now - use.at < 60}
