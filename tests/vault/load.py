"""Calls through a gateway at a steady rate until stdin ends, and says on stdout how they went: one line of JSON.

`python -m tests.vault.load 100 < calls.json`; the first line of stdin is a list of [url, agent key, expected text].
"""

import asyncio
import itertools
import json
import random
import statistics
import sys
import time

import aiohttp

AT_ONCE = 32
ASKED = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "SendMessage",
    "params": {"message": {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": "hello"}]}},
}


class Load:
    def __init__(self, calls: list, rate: float) -> None:
        self._calls = itertools.cycle(random.sample(calls, len(calls)))
        self._rate = rate
        self._stopped = asyncio.Event()
        self.took: list[float] = []
        self.failures: list[str] = []

    async def run(self) -> None:
        began = time.monotonic()
        asyncio.get_running_loop().run_in_executor(None, self._wait_for_the_end, asyncio.get_running_loop())
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=AT_ONCE)) as http:
            await asyncio.gather(*(self._call_on(http, number) for number in range(AT_ONCE)))
        seconds = time.monotonic() - began
        slowest = max(self.took)
        print(
            json.dumps(
                {
                    "calls": len(self.took),
                    "failed": len(self.failures),
                    "examples": self.failures[:5],
                    "a_second": round(len(self.took) / seconds),
                    "median_ms": round(statistics.median(self.took) * 1000),
                    "p99_ms": round(statistics.quantiles(self.took, n=100)[98] * 1000),
                    "slowest_ms": round(slowest * 1000),
                }
            )
        )

    def _wait_for_the_end(self, loop: asyncio.AbstractEventLoop) -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(self._stopped.set)

    async def _call_on(self, http: aiohttp.ClientSession, number: int) -> None:
        """Each of the callers at its own beat; one that is late goes on without making up for it."""
        beat = AT_ONCE / self._rate
        due = time.monotonic() + number / self._rate
        while not self._stopped.is_set():
            await asyncio.sleep(max(0, due - time.monotonic()))
            due = max(due + beat, time.monotonic())
            await self._call(http, *next(self._calls))

    async def _call(self, http: aiohttp.ClientSession, url: str, key: str, expected: str) -> None:
        began = time.monotonic()
        try:
            headers = {"authorization": f"Bearer {key}", "a2a-version": "1.0"}
            async with http.post(url, json=ASKED, headers=headers) as answer:
                said = await answer.text()
        except (aiohttp.ClientError, OSError) as error:
            said = repr(error)
        self.took.append(time.monotonic() - began)
        if f'"text": "{expected}"' not in said:
            self.failures.append(said[:500])


if __name__ == "__main__":
    asyncio.run(Load(json.loads(sys.stdin.readline()), float(sys.argv[1])).run())
