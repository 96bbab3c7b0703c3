"""What only the asynchronous client does: a pool, streams, and leaving early."""

import asyncio
import time

import pytest

from portal.outbound.body import Body
from portal.outbound.client import Client
from portal.outbound.errors import AnswerTooLarge, Disconnected, TimedOut
from tests.outbound.raw_server import Peer, answering, reply


def run(story) -> None:
    """Runs `story(client)` with a client that is closed afterwards."""

    async def with_client():
        client = Client()
        try:
            return await story(client)
        finally:
            await client.close()

    return asyncio.run(with_client())


async def post(client: Client, url: str, body: bytes = b"{}", **options) -> bytes:
    async with client.stream("POST", url, [], body, **options) as answer:
        return await answer.read()


def _events(peer: Peer) -> None:
    peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    for number in range(100):
        peer.send(b"data: %d\r\n\r\n" % number)
        time.sleep(0.05)


def test_connections_are_kept_alive_and_cookies_are_not(serve, answers):
    answers(["127.0.0.1"])
    server = serve(answering(reply(b"ok", b"Set-Cookie: endpoint=stolen; Path=/")))

    async def story(client):
        for _ in range(5):
            assert await post(client, server.url(host="agent.example")) == b"ok"

    run(story)
    assert (server.connections, len(server.requests)) == (1, 5)
    assert not any(b"stolen" in request for request in server.requests)


def test_nothing_is_added_to_the_headers_given(serve):
    server = serve(answering(reply()))

    async def story(client):
        async with client.stream("POST", server.url(), [("X-A", "1"), ("x-a", "2")], b"{}") as answer:
            assert answer.raw_headers == ((b"Content-Length", b"2"),)

    run(story)
    head = server.requests[0].partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    names = sorted(line.partition(b":")[0].lower() for line in head)
    assert names == [b"accept-encoding", b"content-length", b"host", b"x-a", b"x-a"]


def test_events_pass_as_they_come(serve):
    server = serve(_events)

    async def story(client):
        seen, started = [], time.monotonic()
        async with client.stream("GET", server.url()) as answer:
            async for chunk in answer.chunks():
                seen.append(chunk)
                if len(seen) == 4:
                    break
        assert b"".join(seen).startswith(b"data: 0\r\n\r\ndata: 1\r\n\r\n")
        assert time.monotonic() - started < 1

    run(story)


def test_leaving_early_closes_the_upstream(serve):
    server = serve(_events)

    async def story(client):
        async with client.stream("GET", server.url()) as answer:
            async for _ in answer.chunks():
                break
        assert await asyncio.to_thread(server.gone.wait, 1)

    run(story)


@pytest.mark.parametrize("script", [_events, lambda peer: time.sleep(0.5)], ids=["in the body", "before the answer"])
def test_cancelling_the_caller_closes_the_upstream(serve, script):
    server = serve(script)

    async def story(client):
        task = asyncio.create_task(post(client, server.url()))
        while not server.requests:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(server.gone.wait, 1.5)

    run(story)


def _answers_once(peer: Peer) -> bool:
    """Answers the first request of a connection, and hangs up on the second after reading it."""
    if peer.sent:
        return False
    peer.send(reply())
    return True


def test_a_post_is_not_sent_again_on_a_dead_connection(serve):
    server = serve(_answers_once)

    async def story(client):
        await post(client, server.url())
        with pytest.raises(Disconnected) as caught:
            await post(client, server.url())
        assert caught.value.sent is True

    run(story)
    assert (server.connections, len(server.requests)) == (1, 2)


def test_a_get_is_sent_again_on_a_dead_connection(serve):
    server = serve(_answers_once)

    async def story(client):
        for _ in range(2):
            async with client.stream("GET", server.url()) as answer:
                assert await answer.read() == b"ok"

    run(story)
    assert (server.connections, len(server.requests)) == (2, 3)


def _hangs_up(peer: Peer) -> bool:
    peer.send(reply())
    return False


def test_a_connection_that_was_closed_while_idle_is_not_used(serve):
    server = serve(_hangs_up)

    async def story(client):
        for _ in range(3):
            assert await post(client, server.url()) == b"ok"
            await asyncio.sleep(0.05)

    run(story)
    assert (server.connections, len(server.requests)) == (3, 3)


class _Writer:
    """Only what `Body` asks of aiohttp's writer, over a real transport."""

    def __init__(self, transport: asyncio.Transport):
        self.transport = transport
        self.taken = b""

    async def write(self, piece: bytes) -> None:
        self.taken += bytes(piece)


def test_a_body_knows_that_a_closing_connection_took_nothing(serve):
    server = serve(answering(reply()))

    async def story(_):
        _, stream = await asyncio.open_connection("127.0.0.1", server.port)
        open_body, late_body = Body(b"x" * 600_000), Body(b"x")
        writer = _Writer(stream.transport)
        await open_body.write(writer)
        stream.transport.abort()
        with pytest.raises(ConnectionError):
            await late_body.write(writer)
        assert (open_body.written, len(writer.taken)) == (True, 600_000)
        assert late_body.written is False

    run(story)


def test_a_large_body_arrives_whole(serve):
    server = serve(answering(reply()))
    body = bytes(range(256)) * 12_000

    run(lambda client: post(client, server.url(), body))
    assert server.requests[0].partition(b"\r\n\r\n")[2] == body


def test_silence_in_the_middle_ends_with_the_idle_deadline(serve):
    def script(peer):
        peer.send(b"HTTP/1.1 200 OK\r\n\r\nbegin")
        time.sleep(2)

    server = serve(script)

    async def story(client):
        started = time.monotonic()
        with pytest.raises(TimedOut):
            await post(client, server.url(), idle_deadline=0.4)
        assert 0.3 < time.monotonic() - started < 0.9

    run(story)


def test_a_total_deadline_before_the_connection_means_nothing_was_sent(serve, settings):
    server = serve(lambda peer: time.sleep(2))

    async def story(client):
        with pytest.raises(TimedOut) as caught:
            await post(client, server.url().replace("http:", "https:"), total_deadline=0.4)
        assert caught.value.sent is False

    run(story)


def test_the_limit_is_kept_before_a_byte_beyond_it_is_given(serve):
    server = serve(lambda peer: peer.send(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 10_000))

    async def story(client):
        size = 0
        async with client.stream("GET", server.url(), limit=5000) as answer:
            with pytest.raises(AnswerTooLarge):
                async for chunk in answer.chunks():
                    size += len(chunk)
        assert size <= 5000

    run(story)
