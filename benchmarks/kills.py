"""kill -9 of a gateway under load, again and again: each answered call must have its attempt's row.

A process with everything loaded is forked for each trial, so that a start takes a moment and not seconds.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import time
from datetime import timedelta

import aiohttp

from benchmarks.limits import world_with_endpoint

CALLERS = 16
START_SECONDS = 20


def measure(trials: int = 100, seconds: int = 240) -> list[str]:
    from django.db import connections

    answered: list[str] = []
    made, until = 0, time.monotonic() + seconds
    with world_with_endpoint() as (way, _, _):
        _load_the_application()
        while made < trials and time.monotonic() < until:
            connections.close_all()
            answered += _trial(way)
            made += 1
        problems = _what_is_wrong(answered)
    print(f"{made} kills of a gateway under {CALLERS} callers; {len(answered)} calls were answered.")
    return problems + ([f"only {made} of {trials} trials within {seconds} s"] if made < trials else [])


def _load_the_application() -> None:
    import portal.asgi  # noqa: F401 -- once, before the forks


def _trial(way) -> list[str]:
    """The request ids of the calls that were answered before the kill."""
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        child = os.fork()
        if child == 0:
            _serve(listener)
        try:
            return asyncio.run(_storm(way, listener.getsockname()[1], child))
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _serve(listener: socket.socket) -> None:
    """Never returns."""
    import uvicorn

    from portal.asgi import application

    config = uvicorn.Config(application, http="httptools", loop="uvloop", lifespan="on", log_level="error")
    try:
        uvicorn.Server(config).run([listener])
    finally:
        os._exit(0)


async def _storm(way, port: int, child: int) -> list[str]:
    answered: list[str] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CALLERS)) as http:
        calls = [asyncio.create_task(_call_on(http, way, port, answered)) for _ in range(CALLERS)]
        until = time.monotonic() + START_SECONDS
        while not answered and time.monotonic() < until:
            await asyncio.sleep(0.005)
        await asyncio.sleep(random.uniform(0.0, 0.3))  # noqa: S311 -- any moment will do
        os.kill(child, signal.SIGKILL)
        await asyncio.wait(calls)
    return answered


async def _call_on(http: aiohttp.ClientSession, way, port: int, answered: list[str]) -> None:
    message = {"messageId": "m", "contextId": "c-kills", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
    asked = {"jsonrpc": "2.0", "id": 7, "method": "SendMessage", "params": {"message": message}}
    body = json.dumps(asked, separators=(",", ":"))
    headers = way.headers | {"Content-Type": "application/json"}
    with contextlib.suppress(aiohttp.ClientError):
        while True:
            async with http.post(f"http://127.0.0.1:{port}{way.path}", data=body, headers=headers) as answer:
                if "result" in await answer.json():
                    answered.append(answer.headers["x-request-id"])


def _what_is_wrong(answered: list[str]) -> list[str]:
    from portal.audit import log
    from portal.audit.models import LogRow

    attempts = dict(LogRow.objects.filter(kind="attempt").values_list("request_id", "call_id"))
    while log.close_open_attempts(after=timedelta(0), limit=5000):
        pass
    ended = list(LogRow.objects.filter(kind="outcome").values_list("call_id", flat=True))
    unknown = LogRow.objects.filter(outcome="unknown").count()
    print(f"{len(attempts)} attempts; {unknown} of them without an outcome until the sweep wrote that it is not known.")
    lost = set(answered) - set(attempts)
    problems = [f"{len(lost)} answered calls have no row"] if lost else []
    if sorted(ended) != sorted(attempts.values()):
        problems.append(f"{len(attempts)} attempts have {len(ended)} outcomes")
    return problems
