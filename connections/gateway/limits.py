"""How often and how many at once one agent may call one connection. Counted in memory, in each process."""

import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from uuid import UUID

from connections.gateway.refusals import Refused

# Rows about refused requests that may be written at once: about callers without a valid key, and about one agent.
STRANGERS, KNOWN = 30, 600


@dataclass
class _Use:
    """A bucket of `size` tokens that is filled again in a minute."""

    size: int
    tokens: float
    at: float
    open: int = 0

    def take(self, now: float, size: int) -> bool:
        self.tokens = min(size, self.tokens + (now - self.at) * size / 60)
        self.size, self.at = size, now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    @property
    def wait(self) -> int:
        """Seconds until the next token."""
        return max(1, round((1 - self.tokens) * 60 / self.size))


class Limits:
    """A bucket that holds a minute's calls and refills steadily, and a count of open ones."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._uses: dict[Hashable, _Use] = {}

    def enter(self, agent: UUID, connection: UUID, per_minute: int, at_once: int) -> Callable[[], None]:
        """Counts a call; call the result when it ends. Raises Refused."""
        use = self._use((agent, connection), per_minute)
        if use.open >= at_once:
            raise Refused("limit_concurrency", limit=at_once)
        if not use.take(self._clock(), per_minute):
            raise Refused("limit_rate", limit=per_minute, retry_after=use.wait)
        use.open += 1
        return lambda: self._leave(use)

    def may_note_refusal(self, agent: UUID | None) -> bool:
        """Whether to write a row about a refused request: nobody fills the log by being refused (T39)."""
        size = KNOWN if agent else STRANGERS
        return self._use(("refused", agent), size).take(self._clock(), size)

    def _use(self, key: Hashable, size: int) -> _Use:
        now = self._clock()
        if key not in self._uses:
            self._forget(now)
            self._uses[key] = _Use(size, size, now)
        return self._uses[key]

    @staticmethod
    def _leave(use: _Use) -> None:
        use.open -= 1

    def _forget(self, now: float) -> None:
        """Those that were idle for a minute have a full bucket again: nothing to remember."""
        if len(self._uses) > 10_000:
            self._uses = {pair: use for pair, use in self._uses.items() if use.open or now - use.at < 60}
