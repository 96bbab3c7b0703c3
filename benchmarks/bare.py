"""A bare ASGI proxy: one key check, one decryption, aiohttp's client. What a gateway costs that does nothing else.

It stands for the least that any gateway in this language has to do; no rights, no log, no policy, no ownership.
"""

import hashlib
import hmac
import json
import os

import aiohttp
from cryptography.fernet import Fernet

SETTINGS = json.loads(os.environ["BENCH_BARE"])
DIGEST = bytes.fromhex(SETTINGS["digest"])
FERNET = Fernet(SETTINGS["key"])
SEALED = SETTINGS["sealed"].encode()
sessions: list[aiohttp.ClientSession] = []


async def application(scope, receive, send) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    headers = dict(scope["headers"])
    key = headers.get(b"authorization", b"").removeprefix(b"Bearer ")
    if not hmac.compare_digest(hashlib.sha256(key).digest(), DIGEST):
        await _answer(send, 401, b"application/json", b"{}")
        return
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            break
    await _forward(send, body, headers)


async def _forward(send, body: bytes, headers: dict[bytes, bytes]) -> None:
    sent = {"content-type": headers[b"content-type"].decode(), "x-api-key": FERNET.decrypt(SEALED).decode()}
    async with sessions[0].post(SETTINGS["endpoint"], data=body, headers=sent) as answer:
        kind = answer.headers["content-type"].encode()
        if kind != b"text/event-stream":
            await _answer(send, answer.status, kind, await answer.read())
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": [(b"content-type", kind)]})
        async for chunk in answer.content.iter_any():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _answer(send, status: int, kind: bytes, body: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive, send) -> None:
    await receive()
    connector = aiohttp.TCPConnector(limit=1000)
    sessions.append(aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()))
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await sessions[0].close()
    await send({"type": "lifespan.shutdown.complete"})
