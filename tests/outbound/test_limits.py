"""Slow, endless, huge and compressed answers (T26, F14)."""

import time
import tracemalloc

import pytest

from portal.outbound.errors import AnswerTooLarge, BadAnswer, Disconnected, EncodingRefused, OutboundError, TimedOut
from tests.outbound.raw_server import answering, reply

DEADLINE = 0.5


def _drip_body(peer):
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    peer.drip(b"x" * 1000, every=0.1)


def _drip_headers(peer):
    peer.drip(b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 1000, every=0.1)


def _drip_chunks(peer):
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(100):
        peer.send(b"1\r\nx\r\n")
        time.sleep(0.1)


def _silent(peer):
    time.sleep(3)


def _provisional(peer):
    while True:
        peer.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        time.sleep(0.002)


def _endless_chunk_size(peer):
    peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;")
    while True:
        peer.send(b"x" * 1000)
        time.sleep(0.002)


@pytest.mark.parametrize(
    "script", [_drip_body, _drip_headers, _drip_chunks, _silent, _provisional, _endless_chunk_size]
)
def test_a_slow_answer_ends_with_the_deadline(ask, serve, script):
    server = serve(script)
    started = time.monotonic()
    with pytest.raises(OutboundError) as caught:
        ask("GET", server.url(), deadline=DEADLINE)
    assert time.monotonic() - started < DEADLINE + 0.5
    assert caught.value.code in {"timeout", "bad_answer", "answer_too_large"}
    if script not in (_provisional, _endless_chunk_size):
        assert isinstance(caught.value, TimedOut)


def _two_hundred_mebibytes(peer):
    peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
    for _ in range(200):
        peer.send(b"x" * 1_048_576)


def test_a_huge_answer_is_refused_early_and_in_little_memory(ask, serve):
    server = serve(_two_hundred_mebibytes)
    tracemalloc.start()
    with pytest.raises(AnswerTooLarge):
        ask("GET", server.url())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * 1_048_576
    assert server.gone.wait(2)
    assert server.sent < 20 * 1_048_576


def test_an_announced_huge_answer_is_refused_unread(ask, serve):
    server = serve(answering(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n"))
    with pytest.raises(AnswerTooLarge):
        ask("GET", server.url())


def test_an_answer_of_exactly_the_limit_passes(ask, serve):
    server = serve(answering(reply(b"x" * 1000)))
    assert len(ask("GET", server.url(), limit=1000).body) == 1000
    with pytest.raises(AnswerTooLarge):
        ask("GET", server.url(), limit=999)


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"identity, gzip"])
def test_a_compressed_answer_is_refused_and_never_unpacked(ask, serve, coding):
    server = serve(answering(reply(b"\x1f\x8b" + b"x" * 100, b"Content-Encoding: " + coding)))
    with pytest.raises(EncodingRefused):
        ask("GET", server.url())
    assert b"accept-encoding: identity\r\n" in server.requests[0].lower()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: %s\r\n" % (n, b"x" * 7000) for n in range(9)) + b"\r\n",
                     id="many large headers"),
        pytest.param(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 70_000 + b"\r\n\r\n", id="one huge header"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 5000 + b"\r\n", id="very many headers"),
        pytest.param(b"220 mail.example ESMTP ready\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: ten\r\n\r\n", id="no length"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", id="upgrade"),
        pytest.param(b"\x16\x03\x01\x00\x00", id="TLS"),
    ],
)  # fmt: skip
def test_an_answer_that_is_not_sound_http_is_refused(ask, serve, data):
    server = serve(lambda peer: peer.send(data))
    with pytest.raises(BadAnswer):
        ask("GET", server.url(), deadline=2)


def test_a_truncated_answer_is_not_taken_for_a_whole_one(ask, serve):
    server = serve(lambda peer: peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"))
    with pytest.raises(BadAnswer):
        ask("GET", server.url())


def test_a_connection_that_ends_before_an_answer_says_so(ask, serve):
    server = serve(lambda peer: None)
    with pytest.raises(Disconnected) as caught:
        ask("POST", server.url(), body=b"{}")
    assert caught.value.sent is True
    assert len(server.requests) == 1
