import time
from datetime import UTC, datetime, timedelta

import pytest

from portal.outbound.errors import NotReachable, OutboundError, TlsFailed
from portal.outbound.session import fetch
from tests.outbound.authority import Authority
from tests.outbound.raw_server import answering, reply


@pytest.fixture
def authority(tmp_path, settings) -> Authority:
    made = Authority(tmp_path)
    settings.OUTBOUND_CA_FILE = made.file
    return made


@pytest.fixture
def agent_example(answers):
    answers(["127.0.0.1"])


def test_a_certificate_for_the_name_passes(ask, serve, authority, agent_example):
    server = serve(answering(reply(b"safe")), tls=authority.server("agent.example"))
    assert ask("GET", server.url(host="agent.example")).body == b"safe"


def test_a_certificate_for_an_ip_address_passes_for_that_address(ask, serve, authority):
    server = serve(answering(reply(b"safe")), tls=authority.server("127.0.0.1"))
    assert ask("GET", server.url()).body == b"safe"


@pytest.mark.parametrize("name", ["other.example", "127.0.0.1"])
def test_a_certificate_for_another_name_is_refused(ask, serve, authority, agent_example, name):
    """That it names the address dialled does not help either."""
    server = serve(answering(reply()), tls=authority.server(name))
    with pytest.raises(TlsFailed) as caught:
        ask("POST", server.url(host="agent.example"), headers=[("x-api-key", "canary")], body=b"{}")
    assert caught.value.sent is False
    assert server.requests == []
    assert name not in str(caught.value)


def test_an_expired_certificate_is_refused(ask, serve, authority, agent_example):
    server = serve(answering(reply()), tls=authority.server("agent.example", days=-1))
    with pytest.raises(TlsFailed):
        ask("GET", server.url(host="agent.example"))
    assert server.requests == []


def test_an_unknown_authority_is_refused_whatever_the_environment_says(
    ask, serve, authority, agent_example, settings, monkeypatch
):
    for variable in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(variable, authority.file)
    settings.OUTBOUND_CA_FILE = None
    server = serve(answering(reply()), tls=authority.server("agent.example"))
    with pytest.raises(TlsFailed):
        ask("GET", server.url(host="agent.example"))
    assert server.requests == []


def test_a_server_without_tls_on_an_https_port_is_refused(ask, serve, authority):
    server = serve(lambda peer: peer.send(reply()), speaks_first=True)
    with pytest.raises(OutboundError) as caught:
        ask("GET", server.url().replace("http:", "https:"), headers=[("x-api-key", "canary")], deadline=2)
    assert caught.value.code == "tls_failed"
    assert not any(b"canary" in request for request in server.requests)


def test_a_handshake_that_never_ends_ends_with_the_deadline(ask, serve, authority):
    server = serve(lambda peer: time.sleep(3))
    started = time.monotonic()
    with pytest.raises(OutboundError) as caught:
        ask("GET", server.url().replace("http:", "https:"), deadline=0.5)
    assert time.monotonic() - started < 1.0
    assert caught.value.code in {"timeout", NotReachable.code}
    assert caught.value.sent is False or caught.value.code == "timeout"


def test_the_end_of_the_servers_certificate_is_told_and_nothing_else_of_it(serve, authority):
    server = serve(answering(reply(b"safe")), tls=authority.server("127.0.0.1", days=20))
    answer = fetch("GET", server.url())
    assert timedelta(days=19, hours=23) < answer.certificate_ends - datetime.now(UTC) <= timedelta(days=20)
    assert "Test authority" not in repr(answer)


def test_plain_http_has_no_certificate(serve):
    assert fetch("GET", serve(answering(reply(b"plain"))).url()).certificate_ends is None
