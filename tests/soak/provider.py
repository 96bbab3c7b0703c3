"""A provider with rotating refresh tokens that keeps a ledger: `python -m tests.soak.provider '{"grace": 120}'`.

A process of its own, without a framework, and nothing of it is the portal's. Refresh tokens read `r-<family>-<number>`.
The newest is answered with the next. The one before it is answered again for `grace` seconds after the rotation; any
other use of an old one ends the whole family, as RFC 9700 4.14.2 wants it. Faults are drawn by lot, and where it is
told to, it strikes the process that asks at a named point. Whoever asks says its process id as its user agent.
"""

import asyncio
import contextlib
import json
import random
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from urllib.parse import parse_qs

from tests.soak import signals

# Of those in AFTER the provider has rotated and the portal can't know; of the others it has done nothing.
BEFORE = ("timeout", "invalid_client", "429", "invalid_grant")
AFTER = ("12 s slow", "dropped after rotation", "502 after rotation", "garbage after rotation")
POINTS = ("sent, never read", "read, not rotated", "rotated, not answered", "half answered", "answered")
SLOW, NEVER = 12.0, 15.0
MOST_FAULTS_IN_A_ROW = 2
NOBODY_CAME = 8.0  # seconds that a strike waits for somebody to come to its point


@dataclass
class Request:
    """One token request: by which process, what it was answered, and what was done to it."""

    at: float
    by: int
    presented: int
    fault: str = ""
    did: str = "nothing"
    struck: str = ""


@dataclass
class Family:
    """All that comes of one consent. `ended`: "" or why the provider itself ended it: invalid_grant or reuse."""

    newest: int = 0
    rotated_at: float = 0.0
    ended: str = ""
    requests: list[Request] = field(default_factory=list)

    def present(self, number: int, grace: float) -> str:
        if self.ended:
            return "refused"
        if number == self.newest:
            self.newest, self.rotated_at = number + 1, time.monotonic()
            return "rotated"
        if number == self.newest - 1 and time.monotonic() - self.rotated_at < grace:
            return "replayed"
        self.ended = "reuse"
        return "refused"


class Provider:
    def __init__(self, grace: float, faults: float, seconds: list[float], seed: int) -> None:
        self._grace, self._faults, self._seconds = grace, faults, seconds
        self._lot, self._bag = random.Random(seed), []
        self._families: dict[str, Family] = {}
        self._strikes: dict[str, deque] = {point: deque() for point in POINTS}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
            body = (await reader.readexactly(int(headers.get("content-length", 0)))).decode()
            path = head.split(" ")[1]
            if path == "/token":
                by = int(headers["user-agent"]) if headers["user-agent"].isdecimal() else 0
                await self._token(writer, by, parse_qs(body)["refresh_token"][0])
            else:
                await _send(writer, 200, await self._control(path, json.loads(body or "{}")))
        writer.close()

    async def _control(self, path: str, asked: dict) -> object:
        if path == "/families":
            names = [str(len(self._families) + number) for number in range(asked["count"])]
            self._families |= {name: Family() for name in names}
            return names
        if path == "/strike":
            return await self._struck(asked["point"], asked["how"])
        if path == "/calm":
            self._faults = 0.0
        return {name: asdict(family) for name, family in self._families.items()}

    async def _struck(self, point: str, how: str) -> dict:
        """The process that was struck at this point, or {} where none came to it."""
        struck = asyncio.get_running_loop().create_future()
        self._strikes[point].append((how, struck))
        await asyncio.wait({struck}, timeout=NOBODY_CAME)
        if (how, struck) in self._strikes[point]:
            self._strikes[point].remove((how, struck))
            return {}
        return await struck

    async def _at(self, point: str, request: Request) -> bool:
        """Whether the process that asks was struck here."""
        if not self._strikes[point] or request.fault or not signals.runs(request.by):
            return False
        how, struck = self._strikes[point].popleft()
        request.struck = f"{how}, {point}"
        at = time.time()
        signals.send(request.by, signals.SIGNALS[how])
        while signals.runs(request.by):
            await asyncio.sleep(0.002)
        struck.set_result({"pid": request.by, "at": at})
        return True

    async def _token(self, writer: asyncio.StreamWriter, by: int, token: str) -> None:
        _, name, number = token.split("-")
        family = self._families[name]
        request = Request(time.time(), by, int(number), self._fault(family))
        family.requests.append(request)
        await asyncio.sleep(self._lot.uniform(*self._seconds) / 2)
        if request.fault in BEFORE:
            await self._refuse(writer, family, request)
            return
        if await self._at("sent, never read", request):
            return
        await self._at("read, not rotated", request)
        request.did = family.present(request.presented, self._grace)
        await asyncio.sleep(self._lot.uniform(*self._seconds) / 2)
        await self._at("rotated, not answered", request)
        status, members = 400, {"error": "invalid_grant"}
        if request.did != "refused":
            tokens = {"access_token": f"a-{name}-{family.newest}", "refresh_token": f"r-{name}-{family.newest}"}
            status, members = 200, tokens | {"token_type": "Bearer", "expires_in": 60}
        await self._answer(writer, request, status, members)

    def _fault(self, family: Family) -> str:
        """Every kind as often as the others: they come from a bag, which is shuffled when it is empty."""
        recent = family.requests[-MOST_FAULTS_IN_A_ROW:]
        if self._lot.random() >= self._faults or (len(recent) == MOST_FAULTS_IN_A_ROW and all(r.fault for r in recent)):
            return ""
        if not self._bag:
            self._bag = [*BEFORE, *AFTER]
            self._lot.shuffle(self._bag)
        return self._bag.pop()

    async def _refuse(self, writer: asyncio.StreamWriter, family: Family, request: Request) -> None:
        if request.fault == "timeout":
            await asyncio.sleep(NEVER)
        elif request.fault == "429":
            await _send(writer, 429, {"error": "slow_down"}, "Retry-After: 1\r\n")
        elif request.fault == "invalid_client":
            await _send(writer, 401, {"error": "invalid_client"})
        else:
            family.ended, request.did = family.ended or "invalid_grant", "refused"
            await _send(writer, 400, {"error": "invalid_grant"})

    async def _answer(self, writer: asyncio.StreamWriter, request: Request, status: int, members: dict) -> None:
        if request.fault == "dropped after rotation":
            writer.transport.abort()
        elif request.fault == "502 after rotation":
            await _send(writer, 502, b"<html><h1>Bad gateway</h1>")
        elif request.fault == "garbage after rotation":
            await _send(writer, 200, b'{"access_token": "\x00\xff')
        else:
            await asyncio.sleep(SLOW if request.fault else 0)
            sent = _bytes(status, members)
            writer.write(sent[:100])
            await writer.drain()
            await self._at("half answered", request)
            writer.write(sent[100:])
            await writer.drain()
            await self._at("answered", request)


async def _send(writer: asyncio.StreamWriter, status: int, content: object, more: str = "") -> None:
    writer.write(_bytes(status, content, more))
    await writer.drain()


def _bytes(status: int, content: object, more: str = "") -> bytes:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}"
    return f"{head}Connection: close\r\n\r\n".encode() + body


async def _main(options: dict) -> None:
    """Listens on `doors` ports, which the portal takes for as many providers, and says which."""
    seconds, seed = options.get("seconds", [0.02, 0.12]), options.get("seed", 1)
    provider = Provider(options["grace"], options.get("faults", 0.0), seconds, seed)
    doors = [
        await asyncio.start_server(provider.serve, "127.0.0.1", 0, backlog=512) for _ in range(options.get("doors", 1))
    ]
    print(json.dumps([f"http://127.0.0.1:{door.sockets[0].getsockname()[1]}" for door in doors]), flush=True)
    await asyncio.gather(*(door.serve_forever() for door in doors))


if __name__ == "__main__":
    asyncio.run(_main(json.loads(sys.argv[1])))
