"""An endpoint that repeats the credential gives it to nobody: not in a body, a header, an error or a stream (T09)."""

import asyncio
import base64
import json
from urllib.parse import quote, quote_plus

import pytest

from connections.gateway import sse
from connections.gateway.echo import REPLACEMENT, Echo
from connections.methods.base import Credential
from portal.vault import Secret
from tests.fakes.a2a_server import SPELLINGS
from tests.fakes.stock_client import send
from tests.gateway.conftest import interfaces_at, line_to, new_line, rows_of, rpc

SECRET = 'Bearer s3cr+t/"väl"=end'.encode("ascii", "replace").decode()  # letters that encoders treat differently
TOKEN = SECRET.split(" ")[1]


def echo(*values: str) -> Echo:
    return Echo(Credential(tuple((f"x-{number}", Secret(value)) for number, value in enumerate(values))))


def in_json(text: str, letters: str) -> bytes:
    """As an encoder writes `text` that escapes `letters`, such as System.Text.Json or Go's."""
    return "".join(f"\\u{ord(c):04X}" if c in letters else json.dumps(c)[1:-1] for c in text).encode()


WRITTEN = {
    "as it is": SECRET.encode(),
    "the token alone": TOKEN.encode(),
    "JSON": json.dumps(SECRET).encode(),
    "JSON with escaped slashes": json.dumps(SECRET).replace("/", "\\/").encode(),
    "JSON of .NET": in_json(SECRET, "+\"'&<>"),
    "JSON of Go": in_json(SECRET, "&<>="),
    "JSON that escapes everything": in_json(SECRET, SECRET),
    "JSON with escapes in lower case": in_json(SECRET, SECRET).replace(b"\\u002B", b"\\u002b"),
    "a URL": quote(SECRET, safe="").encode(),
    "a URL, slashes kept": quote(SECRET).encode(),
    "a form": quote_plus(SECRET).encode(),
    "a URL in lower case": quote(SECRET, safe="").lower().encode().replace(b"bearer", b"Bearer"),
    "a URL that encodes every letter": "".join(f"%{ord(c):02X}" for c in SECRET).encode(),
    "base64": base64.b64encode(SECRET.encode()),
    "base64 for URLs": base64.urlsafe_b64encode(SECRET.encode()),
    "base64 without padding": base64.b64encode(SECRET.encode()).rstrip(b"="),
    "base64 in a URL": quote(base64.b64encode(SECRET.encode()), safe="").encode(),
    "base64 in JSON of .NET": in_json(base64.b64encode(SECRET.encode()).decode(), "+"),
    "hexadecimal": SECRET.encode().hex().encode(),
    "hexadecimal in capitals": SECRET.encode().hex().upper().encode(),
}


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN)
def test_a_credential_is_cut_out_however_it_is_written(written):
    cut = echo(SECRET).cut(b'{"a":"before ' + written + b' after"}')

    assert REPLACEMENT in cut
    assert cut.startswith(b'{"a":"before ')
    assert cut.endswith(b' after"}')
    assert written not in cut
    assert TOKEN.encode()[4:] not in cut


@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"x-api-key: "])
@pytest.mark.parametrize("after", [b"", b"\r\n", b"!"])
def test_a_credential_inside_of_a_longer_base64_text_is_cut_out(before, after):
    cut = echo(SECRET).cut(base64.b64encode(before + SECRET.encode() + after))

    assert REPLACEMENT in cut
    kept = cut.replace(REPLACEMENT, b"")
    assert len(kept) < len(base64.b64encode(before + after)) + 8


def test_the_password_of_a_basic_credential_is_cut_out_too():
    value = "Basic " + base64.b64encode(b"ledger:pass-word-1").decode()

    assert echo(value).cut(b"you are ledger:pass-word-1") == b"you are [REDACTED]"
    assert echo(value).cut(b"wrong: pass-word-1") == b"wrong: [REDACTED]"


@pytest.mark.parametrize("value", ["Basic", "Basic ", "Basic !!!not-base64!!!", "Bearer ", " "])
def test_a_strange_value_is_no_reason_to_fail(value):
    assert echo(value).cut(b"an ordinary answer") == b"an ordinary answer"


def test_a_value_under_eight_characters_is_left():
    """Cutting `admin` or `1234` out of every answer would break more than it saves; the form says so."""
    assert echo("1234567").cut(b"1234567") == b"1234567"
    assert echo("12345678").cut(b"12345678") == REPLACEMENT


def test_of_several_credentials_each_is_cut_out():
    assert echo("first-secret", "second-secret").cut(b"first-secret second-secret") == b"[REDACTED] [REDACTED]"


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"100% of \\u00e9", b"%", b"%zz", b"\\", b"\\u00", "ä 🙂 \\n".encode(), b"\xff\xfe\x00"]
)
def test_what_has_no_credential_passes_as_it_came(data):
    assert echo(SECRET).cut(data) == data


def test_a_stream_cut_anywhere_gives_no_piece_of_it_away():
    """The same three events, divided after every single byte."""
    stream = b'data: {"a":1}\n\n' + b'data: {"b":"say ' + TOKEN.encode() + b'"}\r\n\r\n' + b": ping\n\n"
    whole = echo(SECRET)

    async def through(at: int) -> bytes:
        async def chunks():
            yield stream[:at]
            yield stream[at:]

        return b"".join([event async for together in sse.events(chunks()) for event in whole.cut_each(together)])

    expected = stream.replace(TOKEN.encode(), REPLACEMENT)
    for at in range(len(stream) + 1):
        assert asyncio.run(through(at)) == expected, at


LEAKED = "ledger-secret-value"
FORMS = [LEAKED, base64.b64encode(LEAKED.encode()).decode().rstrip("="), quote(LEAKED, safe="")]


@pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
@pytest.mark.parametrize("command", ["leak", "leak-message"])
def test_an_endpoint_that_repeats_its_headers_gives_nothing_away(shared_line, spelling, streaming, command):
    """As a stream the fake sends 16 bytes at a time: no piece holds a whole credential."""
    events = send(shared_line.url, spelling, command, streaming=streaming, headers=shared_line.headers)

    said = str(events)
    assert "[REDACTED]" in said
    assert [form for form in FORMS if form in said] == []
    assert shared_line.key not in said


def test_a_bearer_token_is_cut_out_without_its_scheme(shared_gateway, fake_agent):
    line = line_to(fake_agent(), credential=("Authorization", "Bearer ledger-token-value"))
    said = str(send(line.url, ("JSONRPC", "1.0"), "leak", headers=line.headers))

    assert "ledger-token-value" not in said
    assert "[REDACTED]" in said


def test_headers_and_errors_of_the_endpoint_give_nothing_away(shared_gateway, hostile):
    line = new_line(hostile.url("echo-headers"), credential=("A2A-Extension-Key", LEAKED))
    answer = line.post(rpc(), headers={"a2a-version": "1.0"})

    assert answer.json()["error"]["code"] == -32099
    assert "[REDACTED]" in answer.text
    assert LEAKED not in answer.text + str(answer.headers)
    assert line.key not in answer.text + str(answer.headers)


def test_a_header_that_may_pass_is_searched_too(shared_gateway, raw_endpoint):
    async def repeats(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        value = next(line.split(b": ")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"x-api-key"))
        body = b'{"jsonrpc":"2.0","id":7,"result":{}}'
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nA2A-Extensions: https://e.example/" + value)
        writer.write(b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    line = new_line(raw_endpoint(repeats).url)
    answer = line.post(rpc(), headers={"a2a-version": "1.0"})

    assert answer.headers["a2a-extensions"] == "https://e.example/[REDACTED]"


def test_the_log_has_nothing_of_an_echo(shared_gateway, hostile):
    line = new_line(hostile.url("echo-headers"), interfaces=interfaces_at(hostile.url("echo-headers")))
    answer = line.post(rpc(), headers={"a2a-version": "1.0"})

    rows = rows_of(answer.headers["x-request-id"])
    assert len(rows) == 2
    assert LEAKED not in str([vars(row) for row in rows])
