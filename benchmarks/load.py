"""The load of `make bench`, a process of its own: kept-alive connections that call again as soon as they are answered.

    python -m benchmarks.load '{"port":…, "path":…, "headers":{…}, "connections":16, "seconds":1, "kind":"short"}'

Each answer must repeat its request's own words and name the credential (`word`); what does not is counted as wrong.
Prints one line of JSON.
"""

import asyncio
import json
import os
import sys
import time
from array import array

import uvloop

WARMING = 0.2  # seconds at the beginning that do not count
PATIENCE = 30.0
EVENTS = 100
WORDS = {"short": "hello, how are you today?", "task": "a new task", "stream": "hello"}


class Run:
    """What all connections of one run share."""

    def __init__(self, asked: dict) -> None:
        self.kind, self.word = asked["kind"], asked["word"].encode()
        self.calls = self.wrong = 0
        self.sample = ""
        self.took, self.all_took = array("d"), array("d")
        self.began = time.perf_counter()
        self.counts_from = time.perf_counter() + WARMING
        self.ends = self.counts_from + asked["seconds"]
        self.last = self.last_of_all = self.counts_from
        lines = [f"POST {asked['path']} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in asked["headers"].items()]
        self.head = "\r\n".join([*lines, "Content-Length: %d\r\n\r\n"])

    def request(self, message: str, context: str) -> bytes:
        method = "SendStreamingMessage" if self.kind == "stream" else "SendMessage"
        body = (
            f'{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{{"message":{{"messageId":"{message}",'
            f'"contextId":"{context}","role":"ROLE_USER","parts":[{{"text":"{WORDS[self.kind]}"}}]}}}}}}'
        )
        return (self.head % len(body) + body).encode()

    def judge(self, whole: bytes, expected: bytes, took: float, now: float) -> None:
        self.calls += 1
        if not self._is_right(whole, expected) and not self._is_right(_joined(whole), expected):
            self.wrong += 1
            self.sample = whole[-600:].decode("latin-1")
        self.all_took.append(took)
        self.last_of_all = now
        if self.counts_from <= now <= self.ends:
            self.took.append(took)
            self.last = now

    def _is_right(self, whole: bytes, expected: bytes) -> bool:
        events = whole.count(b"data: ") if self.kind == "stream" else EVENTS
        return whole.startswith(b"HTTP/1.1 200") and expected in whole and events == EVENTS


def _joined(whole: bytes) -> bytes:
    """A chunked answer in one piece: a chunk may end in the middle of a word (RFC 9112, 7.1)."""
    head, _, rest = whole.partition(b"\r\n\r\n")
    pieces = [head, b"\r\n\r\n"]
    while rest and b"chunked" in head.lower():
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        pieces.append(rest[:length])
        rest = rest[length + 2 :] if length else b""
    return b"".join(pieces)


class Connection(asyncio.Protocol):
    def __init__(self, run: Run, number: int) -> None:
        self._run, self._number, self._count = run, number, 0
        self._context = f"c-{os.getpid()}-{number}"
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport) -> None:
        self._transport = transport

    def call(self) -> None:
        self._count += 1
        message = f"m-{self._number}-{self._count}"
        self._expected = message.encode() + b" by " + self._run.word
        self._got, self._needs = b"", 0
        self._began = time.perf_counter()
        self._transport.write(self._run.request(message, self._context))

    def data_received(self, data: bytes) -> None:
        self._got = self._got + data if self._got else data
        if not self._is_whole():
            return
        now = time.perf_counter()
        self._run.judge(self._got, self._expected, now - self._began, now)
        if now < self._run.ends:
            self.call()
        else:
            self._transport.close()

    def _is_whole(self) -> bool:
        if not self._needs:
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return False
            head = self._got[:end].lower()
            at = head.find(b"\r\ncontent-length:")
            self._needs = end + 4 + int(head[at + 17 :].partition(b"\r\n")[0]) if at >= 0 else -1
        if self._needs > 0:
            return len(self._got) >= self._needs
        return self._got.endswith(b"\r\n0\r\n\r\n")

    def connection_lost(self, error) -> None:
        if time.perf_counter() < self._run.ends:
            self._run.wrong += 1
            self._run.sample = f"connection closed: {self._got[-300:]!r}"
        if not self.done.done():
            self.done.set_result(None)


async def _run(asked: dict) -> dict:
    loop, made = asyncio.get_running_loop(), []
    run = Run(asked)
    for number in range(asked["connections"]):
        made.append((await loop.create_connection(lambda n=number: Connection(run, n), "127.0.0.1", asked["port"]))[1])
    for connection in made:
        connection.call()
    _, late = await asyncio.wait([each.done for each in made], timeout=asked["seconds"] + PATIENCE)
    counted = len(run.took) >= asked["connections"]
    # Calls that take longer than the run: then all of them count, from the beginning to the last one's end.
    took = sorted(run.took if counted else run.all_took)
    seconds = run.last - run.counts_from if counted else run.last_of_all - run.began
    return {
        "calls": run.calls,
        "wrong": run.wrong + len(late),
        "sample": run.sample,
        "per_second": len(took) / max(seconds, 0.001),
        "p50": took[len(took) // 2] * 1000 if took else None,
        "p99": took[min(len(took) - 1, int(len(took) * 0.99))] * 1000 if took else None,
    }


if __name__ == "__main__":
    print(json.dumps(uvloop.run(_run(json.loads(sys.argv[1])))))
