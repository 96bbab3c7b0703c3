"""Streams of server-sent events that are correct, and hard to bear."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from tests.fakes import hostile_answers as answers


async def sse_bytes(request: Request) -> Response:
    """A correct stream, sent one byte at a time."""
    return _events(_one_by_one(await answers.stream(request)))


async def sse_huge(request: Request) -> Response:
    """11 MB of small events; no single one is too long."""
    event = (await answers.stream(request))[0]
    return _events(_repeat(event, answers.HUGE // len(event) + 1))


async def sse_huge_event(_: Request) -> Response:
    """One event of 11 MB that has no end."""
    return _events(_repeat(b"data: " + b"x" * 65536, answers.HUGE // 65536 + 1))


async def sse_forever(request: Request) -> Response:
    event = (await answers.stream(request))[0]
    return _events(_repeat(event, 10**9, pause=0.02))


async def sse_silent(request: Request) -> Response:
    """One event, then nothing, with the connection open."""
    event = (await answers.stream(request))[0]
    return _events(_repeat(event, 2, pause=600))


def _events(body: AsyncIterator[bytes]) -> Response:
    return StreamingResponse(body, media_type="text/event-stream")


async def _one_by_one(events: list[bytes]) -> AsyncIterator[bytes]:
    for byte in b"".join(events):
        yield bytes([byte])
        await asyncio.sleep(0)


async def _repeat(event: bytes, times: int, pause: float = 0) -> AsyncIterator[bytes]:
    for _ in range(times):
        yield event
        await asyncio.sleep(pause)
