"""A token endpoint that takes its time and keeps a ledger: `python -m tests.consent.slow_provider <seconds> <grace>`.

In a process of its own and without a framework, so that a load test measures the workers and not the provider. Refresh
tokens read `r-<grant>-<generation>`. The newest one is answered with the next; the one before it is answered again
for `grace` seconds, as many providers do for a client whose answer was lost; any other ends the grant.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs

ROOT = Path(__file__).resolve().parents[2]


class Provider:
    def __init__(self, seconds: float, grace: float) -> None:
        self._seconds, self._grace = seconds, grace
        self._newest: dict[str, tuple[int, float]] = {}
        self._presented: Counter[str] = Counter()
        self._refused, self._open, self._most, self._times = 0, 0, 0, []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lengths = [line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
            length = int(lengths[0]) if lengths else 0
            body = (await reader.readexactly(length)).decode()
            status, members = (200, self._ledger()) if head.startswith("GET") else await self._token(body)
            sent = json.dumps(members).encode()
            writer.write(
                b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
                % (status, len(sent))
                + sent
            )
            await writer.drain()
        writer.close()

    async def _token(self, body: str) -> tuple[int, dict]:
        token = parse_qs(body)["refresh_token"][0]
        _, grant, number = token.split("-")
        self._times.append(time.monotonic())
        self._presented[token] += 1
        self._open += 1
        self._most = max(self._most, self._open)
        newest, since = self._newest.setdefault(grant, (0, 0.0))
        if int(number) == newest:
            newest = newest + 1
            self._newest[grant] = newest, time.monotonic()
        elif int(number) != newest - 1 or time.monotonic() - since > self._grace:
            self._refused += 1
            newest = -1
        await asyncio.sleep(self._seconds)
        self._open -= 1
        if newest < 0:
            return 400, {"error": "invalid_grant"}
        new = {"access_token": f"a-{grant}-{newest}", "refresh_token": f"r-{grant}-{newest}"}
        return 200, new | {"token_type": "Bearer", "expires_in": 3600}

    def _ledger(self) -> dict:
        return {
            "requests": sum(self._presented.values()),
            "tokens": len(self._presented),
            "repeated": sum(count - 1 for count in self._presented.values()),
            "refused": self._refused,
            "most_at_once": self._most,
            "times": [round(at, 3) for at in self._times],
        }


class Ledger:
    """What the provider at `url` has seen."""

    def __init__(self, url: str) -> None:
        self.url = url

    def read(self) -> dict:
        with urllib.request.urlopen(f"{self.url}/ledger", timeout=20) as answer:
            return json.loads(answer.read())


@contextlib.contextmanager
def slow_provider(seconds: float, grace: float = 60.0) -> Iterator[Ledger]:
    command = [sys.executable, "-m", "tests.consent.slow_provider", str(seconds), str(grace)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Ledger(process.stdout.readline().strip())
        finally:
            process.kill()


async def _main(seconds: float, grace: float) -> None:
    server = await asyncio.start_server(Provider(seconds, grace).serve, "127.0.0.1", 0, backlog=512)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(float(sys.argv[1]), float(sys.argv[2])))
