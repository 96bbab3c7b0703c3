import inspect

import pytest

from portal.outbound import errors
from portal.outbound.errors import OutboundError
from tests.outbound.raw_server import answering, reply

HEADERS = [("x-api-key", "canary-key")]


def _classes() -> list[type[OutboundError]]:
    return [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, OutboundError)]


def test_every_error_has_a_code_and_a_sentence_of_its_own():
    classes = _classes()
    assert len({kind.code for kind in classes}) == len({kind.sentence for kind in classes}) == len(classes) > 8
    for kind in classes:
        assert str(kind()) == kind.sentence
        assert kind.sentence.endswith(".") and "!" not in kind.sentence


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"canary-answer\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: canary-answer" + b"x" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncanary-answer",
        reply(b"canary-answer", b"Location: http://canary-answer/", status=b"302 Found"),
        reply(b"canary-answer", b"Content-Encoding: canary-answer"),
    ],
    ids=["nothing", "no HTTP", "huge header", "truncated", "redirect", "encoding"],
)
def test_an_error_holds_nothing_of_the_request_or_the_answer(ask, serve, data):
    """Neither in its text nor in the chain of causes, where error reports would find it."""
    server = serve(lambda peer: peer.send(data))
    with pytest.raises(OutboundError) as caught:
        ask("POST", server.url("/canary-path"), headers=HEADERS, body=b"canary-body", deadline=2)
    error = caught.value
    assert "canary" not in f"{error!r} {vars(error)}" and "127.0.0.1" not in repr(error)
    assert error.__cause__ is None and error.__context__ is None


def test_a_good_answer_raises_nothing(ask, serve):
    assert ask("POST", serve(answering(reply())).url(), headers=HEADERS, body=b"{}").status == 200
