"""The gateway: the runtime A2A surface, an ASGI application beside Django's.

A call passes here in one direction: agent key, connection, user, what is asked, whose ids those are, limits, the
attempt's row, the credential, the endpoint and back, the outcome's row. `Call.pass_through` is that way.
"""

import asyncio
import contextlib
import gc
import logging
import sys

from django.conf import settings
from django.db import connection

from connections.gateway.admission import Admission
from connections.gateway.calls import Call
from connections.gateway.exchange import ClientGone, Exchange
from connections.gateway.freshness import Fresh
from connections.gateway.limits import Limits
from connections.gateway.open_streams import OpenStreams
from connections.gateway.patience import Patience
from connections.gateway.threads import Threads
from connections.gateway.together import Together
from portal import installation, metrics
from portal.audit.context import current_request
from portal.audit.log import Committer
from portal.outbound.client import Client

logger = logging.getLogger(__name__)


# Seconds for which one thread of Python may keep the others waiting. With the default, 5 ms, the committer would wait
# that long after every word of the database's, and with it each call that it writes for.
THREADS_TAKE_TURNS = 0.0005
# The gateway of this process, once it serves; for the portal's own calls.
serving: list["Gateway"] = []


class Gateway:
    """Holds what one process shares among its calls; made before the loop runs, started by the lifespan."""

    def __init__(self) -> None:
        self.threads = Threads(settings.GATEWAY_THREADS)
        self.fresh = Fresh(self.threads)
        self.admission = Admission(self.fresh, self.threads)
        self.limits = Limits()
        self.together = Together()
        self.patience = Patience()
        self.client = Client()
        self.streams = OpenStreams(self.admission)
        self._committer: Committer | None = None

    @property
    def committer(self) -> Committer:
        if self._committer is None:
            self._committer = Committer(metrics.commit_failed, metrics.rows_committed)
        return self._committer

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._serve(Exchange(scope, receive, send))

    async def _lifespan(self, receive, send) -> None:
        watching: list[asyncio.Task] = []
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                refusal = await asyncio.to_thread(_unfit)
                if refusal:
                    await send({"type": "lifespan.startup.failed", "message": f"gatehouse: {refusal}"})
                    return
                _tune_the_interpreter()
                watching = [asyncio.create_task(each) for each in (self.streams.watch(), self._measure())]
                serving.append(self)
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                for task in watching:
                    task.cancel()
                serving.remove(self)
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _measure(self) -> None:
        """What is open and what waits, once a second, so that no call has to count itself in and out."""
        while True:
            waiting = self._committer.waiting if self._committer else 0
            metrics.open_now(*self.streams.counted(), rows_waiting=waiting)
            await asyncio.sleep(1.0)

    async def close(self) -> None:
        await self.client.close()
        if self._committer:
            await asyncio.to_thread(self._committer.close)
        self.patience.close()
        self.threads.close()

    async def _serve(self, exchange: Exchange) -> None:
        token = current_request.set(exchange.request_id)
        call = Call(self, exchange)
        try:
            await call.pass_through()
        except ClientGone:
            pass
        except Exception as error:  # noqa: BLE001 -- the last door: an answer, and nothing of the cause in it
            logger.error("%s: the gateway failed: %s", exchange.request_id, _described(error))
            with contextlib.suppress(Exception):
                await call.fail()
        finally:
            current_request.reset(token)


def _tune_the_interpreter() -> None:
    """What is loaded by now stays for ever: looking through all of it for garbage would halt every call for 50 ms."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    sys.setswitchinterval(THREADS_TAKE_TURNS)


def _unfit() -> str:
    try:
        return installation.unfit()
    finally:
        connection.close()


def _described(error: Exception) -> str:
    """The kind of error and where it came from: its text could hold what it was about."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    where = f"{last.tb_frame.f_code.co_name}:{last.tb_lineno}" if last else ""
    return f"{type(error).__name__} at {where}"
