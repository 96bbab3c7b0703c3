"""What the environment can say about the network is not asked (security.md 5.2, rule 4)."""

import pytest

from tests.outbound.raw_server import answering, reply


def test_proxies_of_the_environment_are_ignored(ask, serve, monkeypatch):
    proxy, server = serve(answering(reply(b"proxy"))), serve(answering(reply(b"server")))
    for variable in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(variable, proxy.url())
    assert ask("GET", server.url()).body == b"server"
    assert proxy.connections == 0


def test_a_netrc_file_is_ignored(ask, serve, monkeypatch, tmp_path):
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login canary password canary\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    server = serve(answering(reply()))
    ask("GET", server.url())
    assert b"authorization" not in server.requests[0].lower()


@pytest.mark.parametrize("times", [2])
def test_cookies_are_not_kept(ask, serve, times):
    server = serve(answering(reply(b"", b"Set-Cookie: endpoint=stolen; Path=/")))
    for _ in range(times):
        ask("GET", server.url())
    assert not any(b"stolen" in request for request in server.requests)
