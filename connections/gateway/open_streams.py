"""Streams that are open, and the end of those whose permission was taken away while they ran."""

import asyncio
import contextlib
from collections.abc import Iterator

from connections.gateway.admission import Admission, Admitted
from connections.gateway.refusals import Refused

CHECK_EVERY = 1.0


class OpenStreams:
    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._open: dict[asyncio.Task, tuple[Admitted, list[Refused]]] = {}

    @contextlib.contextmanager
    def held(self, work: asyncio.Task, admitted: Admitted, ended: list[Refused]) -> Iterator[None]:
        """In this block, `work` is cancelled once the call may no longer be made; `ended` then says why."""
        self._open[work] = (admitted, ended)
        try:
            yield
        finally:
            del self._open[work]

    async def watch(self) -> None:
        """Looks at all open streams once a second; lookups are kept, so an unchanged portal costs one read."""
        while True:
            await asyncio.sleep(CHECK_EVERY)
            for work, (admitted, ended) in list(self._open.items()):
                await self._look(work, admitted, ended)

    async def _look(self, work: asyncio.Task, admitted: Admitted, ended: list[Refused]) -> None:
        try:
            await self._admission.still_stands(admitted)
        except Refused as refused:
            ended.append(refused)
            work.cancel()
        except Exception:  # noqa: BLE001 -- a database that does not answer takes no permission away by itself
            return
