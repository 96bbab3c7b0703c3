"""The endpoint of `make bench`: as light as an HTTP server in Python can be, so that it is not what is measured.

    python -m benchmarks.endpoint PORT

It says under which credential it was called, in the words of BENCH_CREDENTIALS (JSON: {value: word}), or answers 401.
A token of the portal's own issuer is known by what it says about itself.
"""

import asyncio
import base64
import json
import os
import re
import sys

import httptools
import uvloop

EVENTS = 100
MESSAGE = re.compile(rb'"messageId":"([^"]+)"')
CONTEXT = re.compile(rb'"contextId":"([^"]+)"')
KNOWN: dict[bytes, bytes] = {}


def main(port: int) -> None:
    for value, word in json.loads(os.environ["BENCH_CREDENTIALS"]).items():
        KNOWN[value.encode()] = word.encode()
    uvloop.run(_serve(port))


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Protocol, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


class Protocol(asyncio.Protocol):
    def connection_made(self, transport) -> None:
        self._transport = transport
        self._parser = httptools.HttpRequestParser(self)
        self._credential = b""
        self._body: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in (b"x-api-key", b"authorization"):
            self._credential = value

    def on_body(self, data: bytes) -> None:
        self._body.append(data)

    def on_message_complete(self) -> None:
        body, self._body = b"".join(self._body), []
        word, self._credential = _word_of(self._credential), b""
        if word is None:
            self._answer(b"401 Unauthorized", b'{"error":"unknown credential"}')
        elif b'"stay open"' in body:
            self._begin_stream()
            self._send_event(_event(MESSAGE.search(body)[1], CONTEXT.search(body)[1], word))
        elif b'"SendStreamingMessage"' in body:
            self._stream(MESSAGE.search(body)[1], CONTEXT.search(body)[1], word)
        else:
            self._answer(b"200 OK", _answer_to(body, word))

    def _answer(self, status: bytes, body: bytes) -> None:
        head = b"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self._transport.write(head + body)

    def _begin_stream(self) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        )

    def _send_event(self, event: bytes) -> None:
        self._transport.write(b"%x\r\n%s\r\n" % (len(event), event))

    def _stream(self, message: bytes, context: bytes, word: bytes) -> None:
        self._begin_stream()
        self._events(message, context, word, 0)

    def _events(self, message: bytes, context: bytes, word: bytes, number: int) -> None:
        """Ten by ten, so that no stream keeps the others waiting."""
        for each in range(number, number + 10):
            self._send_event(_event(message, context, word if each == EVENTS - 1 else b"%d" % each))
        if number + 10 < EVENTS:
            asyncio.get_running_loop().call_soon(self._events, message, context, word, number + 10)
        else:
            self._transport.write(b"0\r\n\r\n")


def _word_of(credential: bytes) -> bytes | None:
    if credential not in KNOWN and credential.startswith(b"Bearer ey"):
        claims = json.loads(base64.urlsafe_b64decode(credential.split(b".")[1] + b"=="))
        if claims["aud"] == "api://bench":
            KNOWN[credential] = b"entra"
    return KNOWN.get(credential)


def _answer_to(body: bytes, word: bytes) -> bytes:
    """A message in the caller's context or, where the caller asks for one, a task that nobody has seen before."""
    message, context = MESSAGE.search(body)[1], CONTEXT.search(body)[1]
    said = b'"contextId":"%s","role":"ROLE_AGENT","parts":[{"text":"%s by %s"}]' % (context, message, word)
    if b'"a new task"' not in body:
        return b'{"jsonrpc":"2.0","id":7,"result":{"message":{"messageId":"r",%s}}}' % said
    status = b'"status":{"state":"TASK_STATE_COMPLETED","message":{"messageId":"r",%s}}' % said
    task = os.urandom(8).hex().encode()
    return b'{"jsonrpc":"2.0","id":7,"result":{"task":{"id":"t-%s","contextId":"%s",%s}}}' % (task, context, status)


def _event(message: bytes, context: bytes, words: bytes) -> bytes:
    return (
        b'data: {"jsonrpc":"2.0","id":7,"result":{"artifactUpdate":{"taskId":"t-%s","contextId":"%s","artifact":'
        b'{"artifactId":"a","parts":[{"text":"%s by %s"}]}}}}\n\n'
    ) % (context, context, message, words)


if __name__ == "__main__":
    main(int(sys.argv[1]))
