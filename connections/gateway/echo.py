"""Cuts a credential out of an answer that repeats it (T09)."""

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from connections.methods.base import Credential

REPLACEMENT = b"[REDACTED]"
SHORTEST = 8


class Echo:
    """The spellings of one call's credential, looked for in each complete body or event."""

    def __init__(self, credential: Credential) -> None:
        values = {value.reveal() for _, value in credential.headers}
        # "Bearer abc": an endpoint that repeats only the token gives as much away.
        values |= {value.split(" ", 1)[1] for value in values if " " in value}
        spelled = {form for value in values if len(value) >= SHORTEST for form in _spellings(value)}
        self._forms = sorted(spelled, key=len, reverse=True)

    def cut(self, data: bytes) -> bytes:
        for form in self._forms:
            if form in data:
                data = data.replace(form, REPLACEMENT)
        return data


def _spellings(value: str) -> Iterable[bytes]:
    """As it is, in JSON, percent-encoded, in base64 of both alphabets."""
    raw = value.encode()
    yield raw
    in_json = json.dumps(value)[1:-1]
    yield from (form.encode() for form in (in_json, in_json.replace("/", "\\/")))
    for encoded in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield encoded.encode()
        yield _lower_escapes(encoded).encode()
    for encoded in (base64.b64encode(raw), base64.urlsafe_b64encode(raw)):
        yield encoded.rstrip(b"=")
    yield raw.hex().encode()


def _lower_escapes(encoded: str) -> str:
    head, *rest = encoded.split("%")
    return "%".join([head, *(part[:2].lower() + part[2:] for part in rest)])
