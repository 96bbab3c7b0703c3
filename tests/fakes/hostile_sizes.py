"""Answers that are too long, compressed though nobody asked, or in another charset."""

import asyncio
import gzip

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.fakes import hostile_answers as answers

BOMB = 200 * 1024 * 1024  # bytes when unpacked; less than 1 MB on the wire


async def huge(request: Request) -> Response:
    """A task whose text is 11 MB: well-formed, and too long."""
    return await answers.task_response(request, "x" * answers.HUGE)


async def huge_card(_: Request) -> Response:
    card = answers.plain_card("http://127.0.0.1:9/agent")
    return JSONResponse({**card, "description": "x" * answers.HUGE})


async def gzipped(request: Request) -> Response:
    """Compressed, whatever Accept-Encoding said."""
    plain = await answers.task_response(request, "unpacked")
    return Response(gzip.compress(plain.body), headers=_json_as_gzip())


async def gzip_bomb(_: Request) -> Response:
    packed = await asyncio.to_thread(gzip.compress, b" " * BOMB, 1)
    return Response(packed, headers=_json_as_gzip())


def _json_as_gzip() -> dict[str, str]:
    return {"Content-Encoding": "gzip", "Content-Type": "application/json"}


async def latin1(request: Request) -> Response:
    body = (await answers.task_response(request, "é")).body.decode().encode("latin-1")
    return Response(body, media_type="application/json; charset=iso-8859-1")
