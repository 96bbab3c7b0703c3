"""How much memory one gateway process takes for streams that are open and silent."""

import asyncio
import json
import os
import sys
import time

from benchmarks import serving
from benchmarks.limits import world_with_endpoint

PROMISED_MB = 300
TOGETHER = 50


def measure(number: int = 1000) -> list[str]:
    with world_with_endpoint() as (way, _, _), serving.web("portal.asgi:application", 1, dict(os.environ)) as server:
        before = server.memory()
        opened, most, after = asyncio.run(_hold(way, server, number))
    print(f"{opened} of {number} streams open. Memory of the process: {before:.0f} MB before, {most:.0f} MB with them,")
    print(f"{after:.0f} MB after their end; {(most - before) * 1024 / max(opened, 1):.0f} kB a stream.")
    problems = [f"only {opened} streams were opened"] if opened < number else []
    return problems + ([f"more than {PROMISED_MB} MB"] if most > PROMISED_MB else [])


async def _hold(way, server, number: int) -> tuple[int, float, float]:
    held = []
    for _ in range(0, number, TOGETHER):
        held += [one for one in await asyncio.gather(*(_open(way, server.port) for _ in range(TOGETHER))) if one]
    await asyncio.sleep(3)  # each is looked at once a second
    still = [not reader.at_eof() for reader, _ in held]
    most = server.memory()
    for _, writer in held:
        writer.close()
    await asyncio.sleep(3)
    return sum(still), most, server.memory()


async def _open(way, port: int) -> tuple | None:
    """A stream of which one event has come; None where it was refused."""
    parts = [{"text": "stay open"}]
    message = {"messageId": "m", "contextId": "c-streams", "role": "ROLE_USER", "parts": parts}
    asked = {"jsonrpc": "2.0", "id": 7, "method": "SendStreamingMessage", "params": {"message": message}}
    body = json.dumps(asked, separators=(",", ":")).encode()
    headers = way.headers | {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": len(body)}
    head = "\r\n".join([f"POST {way.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    writer.write(head.encode() + b"\r\n\r\n" + body)
    until = time.monotonic() + 30
    got = b""
    while b"by key" not in got and time.monotonic() < until:
        piece = await reader.read(4096)
        got += piece
        if not piece or b"error" in got:
            print(f"Refused: {got[-300:]!r}", file=sys.stderr)
            return None
    return reader, writer
