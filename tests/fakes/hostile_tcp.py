"""Endpoints that are no correct HTTP servers: handlers for `serve_raw`."""

import asyncio
import re
from asyncio import StreamReader, StreamWriter

SLOW_PAUSE = 1.0  # seconds between two bytes
OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
OK_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def slow_headers(reader: StreamReader, writer: StreamWriter) -> None:
    """The status line and headers come one byte a second."""
    await _read_request(reader)
    await _drip(writer, OK + b"Content-Length: 2\r\n\r\n{}")


async def slow_body(reader: StreamReader, writer: StreamWriter) -> None:
    """The headers come at once, the body one byte a second."""
    await _read_request(reader)
    writer.write(OK + b"Content-Length: 1000\r\n\r\n")
    await _drip(writer, b" " * 1000)


async def silent(reader: StreamReader, writer: StreamWriter) -> None:
    """Reads everything, says nothing."""
    while await reader.read(65536):
        pass


async def drops_at_once(reader: StreamReader, writer: StreamWriter) -> None:
    """Takes the request and hangs up (a reset, not a close)."""
    await _read_request(reader)
    writer.transport.abort()


async def drops_in_body(reader: StreamReader, writer: StreamWriter) -> None:
    """Promises 1000 bytes, sends 20 and hangs up."""
    await _read_request(reader)
    await _send(writer, OK + b'Content-Length: 1000\r\n\r\n{"jsonrpc": "2.0", "i')


async def drops_in_stream(reader: StreamReader, writer: StreamWriter) -> None:
    """One whole event, half of a second one, and no end of the chunked body."""
    await _read_request(reader)
    event = b'data: {"jsonrpc":"2.0","id":"1","result":{"task":{"id":"t","contextId":"c"}}}\r\n\r\n'
    await _send(writer, OK_STREAM + _chunk(event) + _chunk(event[:30]))


async def no_http(reader: StreamReader, writer: StreamWriter) -> None:
    """Answers as a mail server would."""
    await _send(writer, b"220 mail.example ESMTP ready\r\n")


async def two_lengths(reader: StreamReader, writer: StreamWriter) -> None:
    """Two Content-Length headers that differ (RFC 9112 section 6.3: the answer must be refused)."""
    await _read_request(reader)
    await _send(writer, OK + b"Content-Length: 2\r\nContent-Length: 30\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\nsmuggled")


async def endless_headers(reader: StreamReader, writer: StreamWriter) -> None:
    """Headers without an end, as fast as they are taken."""
    await _read_request(reader)
    await _send(writer, OK)
    for number in range(10**6):
        await _send(writer, f"X-Padding-{number}: {'x' * 1000}\r\n".encode())


async def _read_request(reader: StreamReader) -> None:
    """Take the body too: a close with unread bytes is a reset, which may overtake the answer."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
    await reader.readexactly(int(length.group(1)) if length else 0)


async def _send(writer: StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def _drip(writer: StreamWriter, data: bytes) -> None:
    for byte in data:
        await _send(writer, bytes([byte]))
        await asyncio.sleep(SLOW_PAUSE)


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"
