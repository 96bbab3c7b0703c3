import pytest

from portal.outbound.errors import HeaderRefused
from tests.outbound.raw_server import answering, reply

CANARY = "canary-7f3a91"


@pytest.mark.parametrize(
    "forgery", ["\r\nX-Evil: 1", "\nX-Evil: 1", "\rX", "\x00", "\x1f", "\x7f", "é", "\u2028", "😀"]
)
def test_a_value_that_could_forge_a_header_is_refused_and_not_repeated(ask, serve, forgery):
    server = serve(answering(reply()))
    with pytest.raises(HeaderRefused) as caught:
        ask("GET", server.url(), headers=[("x-api-key", CANARY + forgery)])
    assert CANARY not in str(caught.value) and "x-api-key" in str(caught.value)
    assert server.connections == 0


@pytest.mark.parametrize("name", ["", "x y", "x:y", "x\r\ny", "ключ", "x\x00", "(x)", CANARY + "\n"])
def test_a_name_that_is_no_token_is_refused_and_not_repeated(ask, serve, name):
    server = serve(answering(reply()))
    with pytest.raises(HeaderRefused) as caught:
        ask("GET", server.url(), headers=[(name, "value")])
    assert CANARY not in str(caught.value)
    assert server.connections == 0


@pytest.mark.parametrize(
    "name", ["Host", "content-length", "Transfer-Encoding", "Connection", "Upgrade", "TE", "Proxy-Authorization"]
)
def test_framing_and_hop_by_hop_headers_are_not_the_callers(ask, serve, name):
    server = serve(answering(reply()))
    with pytest.raises(HeaderRefused):
        ask("POST", server.url(), headers=[(name, "1")], body=b"{}")
    assert server.connections == 0


def test_headers_arrive_as_they_were_given(ask, serve):
    server = serve(answering(reply(b"", b"X-One: 1", b"x-one: 2")))
    answer = ask("POST", server.url("/a?b=%20c"), headers=[("Authorization", "Bearer abc"), ("X-B", "1")], body=b"{}")
    assert [value for name, value in answer.headers if name.lower() == "x-one"] == ["1", "2"]
    lines = server.requests[0].split(b"\r\n")
    assert lines[0] == b"POST /a?b=%20c HTTP/1.1"
    assert {b"Authorization: Bearer abc", b"X-B: 1", b"Content-Length: 2"} <= set(lines)
    assert server.requests[0].endswith(b"\r\n\r\n{}")
