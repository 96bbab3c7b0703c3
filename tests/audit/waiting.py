"""A committer as tests use it, which have no event loop of their own: one runs in a thread beside them."""

import asyncio
import threading
from concurrent.futures import Future

from portal.audit import log


class Waiting:
    """Wraps a committer: what `attempt` returns can be waited for in any thread."""

    def __init__(self, committer: log.Committer) -> None:
        self._committer = committer
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def attempt(self, row: dict, used=()) -> Future:
        async def waited() -> None:
            await self._committer.attempt(row, used)

        return asyncio.run_coroutine_threadsafe(waited(), self._loop)

    def outcome(self, row: dict) -> None:
        self._committer.outcome(row)

    def close(self) -> None:
        self._committer.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
