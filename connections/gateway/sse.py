"""Server-sent events, cut at their ends and otherwise untouched (HTML standard, 9.2.5)."""

import re
from collections.abc import AsyncIterator, Iterator

from portal.outbound.errors import AnswerTooLarge

END = re.compile(rb"(?:\r\n|\n|\r(?!\n)){2}")
LINE = re.compile(rb"\r\n|\n|\r")
LARGEST_EVENT = 2_097_152


async def events(chunks: AsyncIterator[bytes]) -> AsyncIterator[list[bytes]]:
    """The complete events that came together, each with the blank line that ends it; what is left comes last."""
    waiting = bytearray()
    async for chunk in chunks:
        # Only what is new, and the few bytes before it, can hold the end.
        searched = max(0, len(waiting) - 3)
        waiting += chunk
        if complete := list(_cut(waiting, searched)):
            yield complete
        if len(waiting) > LARGEST_EVENT:
            raise AnswerTooLarge
    if waiting:
        yield [bytes(waiting)]


def _cut(waiting: bytearray, searched: int) -> Iterator[bytes]:
    """Takes the complete events away from the front."""
    begins = 0
    while match := END.search(waiting, max(begins, searched)):
        yield bytes(waiting[begins : match.end()])
        begins = match.end()
    del waiting[:begins]


def data_of(event: bytes) -> bytes:
    """The event's data lines joined; b"" for a comment."""
    lines = (line for line in LINE.split(event) if line.startswith(b"data:"))
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines)


def event_of(data: bytes, name: bytes = b"") -> bytes:
    """An event that carries `data` (one line)."""
    head = b"event: " + name + b"\n" if name else b""
    return head + b"data: " + data + b"\n\n"
