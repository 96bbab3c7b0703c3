"""Cuts a credential out of an answer that repeats it (T09)."""

import base64
import binascii
import re
from collections.abc import Iterable

from connections.methods.base import Credential

REPLACEMENT = b"[REDACTED]"
SHORTEST = 8
# One letter written as JSON or a URL may write it: \u002b, %2B, \/. To look for what begins one first is far quicker.
ESCAPE = re.compile(rb'\\u00([0-7][0-9a-fA-F])|%([0-7][0-9a-fA-F])|\\(["/\\])')
FOR_URLS = bytes.maketrans(b"+/", b"-_")
ALWAYS, SELDOM = (b"\\u00", b"%"), (b'"', b"/", b"\\")


class Echo:
    """The spellings of one call's credentials, looked for in each complete body or event."""

    def __init__(self, *credentials: Credential) -> None:
        values = {value for credential in credentials for value in _values(credential) if len(value) >= SHORTEST}
        spelled = {form for value in values for form in _spellings(value)}
        self._forms = sorted(spelled, key=len, reverse=True)
        self._marks = [*ALWAYS, *(b"\\" + letter for letter in SELDOM if any(letter in form for form in spelled))]

    def cut(self, data: bytes) -> bytes:
        for form in self._forms:
            if form in data:
                data = data.replace(form, REPLACEMENT)
        return self._cut_escaped(data) if any(mark in data for mark in self._marks) else data

    def cut_each(self, pieces: list[bytes]) -> list[bytes]:
        """Each of them, searched together first: there hardly ever is something to cut out."""
        whole = b"".join(pieces)
        return pieces if self.cut(whole) == whole else [self.cut(piece) for piece in pieces]

    def _cut_escaped(self, data: bytes) -> bytes:
        """Encoders differ in which letters they escape, so any of a credential's may be."""
        plain = ESCAPE.sub(_letter, data)
        found = [form for form in self._forms if form in plain]
        return re.sub(b"|".join(map(_escapable, found)), REPLACEMENT, data) if found else data


def _values(credential: Credential) -> set[bytes]:
    """What must not come back: the whole value, and what gives as much away as the whole."""
    values = {value.reveal() for _, value in credential.headers}
    texts = values | {value.split(" ", 1)[1] for value in values if " " in value}
    return {text.encode() for text in texts} | {own for value in values for own in _basic(value)}


def _basic(value: str) -> list[bytes]:
    """`user:password` and the password, of a value for HTTP's own Basic scheme (RFC 7617)."""
    scheme, _, encoded = value.partition(" ")
    if scheme.lower() != "basic":
        return []
    try:
        pair = base64.b64decode(encoded, validate=True)
    except binascii.Error:
        return []
    return [pair, pair.partition(b":")[2]]


def _spellings(value: bytes) -> Iterable[bytes]:
    """As it is, in hexadecimal, and in base64 of both alphabets, alone or inside of something longer."""
    yield from (value, value.hex().encode(), value.hex().upper().encode())
    for encoded in _in_base64(value):
        yield from (encoded, encoded.translate(FOR_URLS))


def _in_base64(value: bytes) -> Iterable[bytes]:
    yield base64.b64encode(value).rstrip(b"=")
    for before in range(3):
        # Letters that also hold bits of what stands before or after differ from case to case.
        own = base64.b64encode(bytes(before) + value)[: (before + len(value)) * 8 // 6]
        yield own[(0, 2, 3)[before] :]


def _letter(match: re.Match[bytes]) -> bytes:
    return bytes.fromhex((match[1] or match[2]).decode()) if not match[3] else match[3]


def _escapable(form: bytes) -> bytes:
    return b"".join(
        rb"(?:%s|\\%s|(?i:\\u00%02x|%%%02x))" % (re.escape(letter), re.escape(letter), letter[0], letter[0])
        for letter in (form[at : at + 1] for at in range(len(form)))
    )
