"""The battery of security.md 5.1 on both clients: what may not be reached is not even dialled (T24, T25)."""

import asyncio

import pytest

from portal.outbound import names
from portal.outbound.client import Client
from portal.outbound.dialling import RefusedToDial
from portal.outbound.errors import AddressBlocked, NameNotFound, NotReachable, OutboundError, RedirectRefused
from portal.outbound.urls import Target
from portal.outbound.wire import Line
from tests.outbound.raw_server import answering, reply

VECTORS = """
https://127.0.0.1/ https://127.1/ https://127.0.1/ https://2130706433/ https://0x7f000001/ https://0x7f.0.0.1/
https://0177.0.0.1/ https://017700000001/ https://0.0.0.0/ https://0/ https://10.0.0.5/ https://172.16.0.1/
https://192.168.1.1/ https://100.64.0.1/ https://100.100.100.200/ https://169.254.169.254/latest/meta-data/
https://169.254.170.2/v2/credentials https://169.254.170.23/ https://168.63.129.16/machine?comp=goalstate
https://192.0.0.192/ https://198.18.0.1/ https://203.0.113.9/ https://224.0.0.1/ https://240.0.0.1/
https://255.255.255.255/ https://[::]/ https://[::1]/ https://[::127.0.0.1]/ https://[::ffff:127.0.0.1]/
https://[::ffff:7f00:1]/ https://[::ffff:169.254.169.254]/ https://[::ffff:0:127.0.0.1]/ https://[64:ff9b::7f00:1]/
https://[64:ff9b::a9fe:a9fe]/ https://[64:ff9b:1::7f00:1]/ https://[2002:7f00:1::]/ https://[2002:a9fe:a9fe::]/
https://[2001:0:5ef5:79fd::1]/ https://[fe80::1]/ https://[fec0::1]/ https://[fc00::1]/ https://[fd00:ec2::254]/
https://[ff02::1]/ https://[2001:db8::1]/ https://localhost/ https://a.localhost/ https://localhost./
https://１２７.0.0.1/ https://①②⑦.⓪.⓪.①/ https://127。0。0。1/ https://user@127.0.0.1/ https://agent.example@127.0.0.1/
https://127.0.0.1\\@agent.example/ https://agent.example:22/ https://93.184.216.34:6379/ http://93.184.216.34/
http://agent.example/ file:///etc/passwd gopher://127.0.0.1/ https://%31%32%37.0.0.1/ https://[::1]agent.example/
""".split()

HIDDEN_ANSWERS = """
127.0.0.1 10.0.0.1 169.254.169.254 168.63.129.16 100.64.0.1 0.0.0.0 ::1 ::127.0.0.1 ::ffff:127.0.0.1
64:ff9b::7f00:1 2002:7f00:1:: fe80::1%2 fd00:ec2::254
""".split()


@pytest.mark.parametrize("url", VECTORS)
def test_a_forbidden_address_is_refused_and_never_dialled(ask, url, settings, dialled):
    settings.ALLOWED_OUTBOUND_NETWORKS = []
    with pytest.raises(OutboundError) as caught:
        ask("GET", url)
    assert caught.value.code in {"address_blocked", "invalid_url", "port_blocked", "https_needed"}
    assert caught.value.sent is False
    assert dialled == []


@pytest.mark.parametrize("address", HIDDEN_ANSWERS)
def test_a_name_that_leads_to_a_forbidden_address_is_refused(ask, address, settings, dialled, answers):
    settings.ALLOWED_OUTBOUND_NETWORKS = []
    answers([address])
    with pytest.raises(AddressBlocked):
        ask("GET", "https://agent.example/")
    assert dialled == []


def test_one_bad_answer_among_good_ones_refuses_the_name(ask, settings, dialled, answers):
    settings.ALLOWED_OUTBOUND_NETWORKS = []
    answers(["93.184.216.34", "127.0.0.1"])
    with pytest.raises(AddressBlocked):
        ask("GET", "https://agent.example/")
    assert dialled == []


def test_a_name_that_changes_its_answer_gains_nothing(ask, settings, dialled, answers):
    settings.ALLOWED_OUTBOUND_NETWORKS = []
    answers(["93.184.216.34"], ["127.0.0.1"])
    with pytest.raises(NotReachable):
        ask("GET", "https://agent.example/")
    assert set(dialled) == {"93.184.216.34"}
    with pytest.raises(AddressBlocked):
        ask("GET", "https://agent.example/")
    assert set(dialled) == {"93.184.216.34"}


def test_the_checked_address_is_dialled_and_the_name_is_sent(ask, serve, answers, dialled):
    answers(["127.0.0.1"])
    server = serve(answering(reply(b"hello")))
    assert ask("GET", server.url(host="agent.example")).body == b"hello"
    assert dialled == ["127.0.0.1"]
    assert f"host: agent.example:{server.port}".encode() in server.requests[0].lower()


def test_metadata_stays_closed_when_the_allow_list_covers_it(ask, settings, dialled, answers):
    settings.ALLOWED_OUTBOUND_NETWORKS = ["0.0.0.0/0", "[::]/0", "169.254.169.254"]
    answers(["169.254.169.254"])
    for url in ("http://169.254.169.254/latest/", "http://[::ffff:169.254.169.254]/", "http://agent.example/"):
        with pytest.raises(AddressBlocked):
            ask("GET", url)
    assert dialled == []


def test_an_allowed_network_is_open_on_its_ports_only(ask, serve, settings, dialled):
    server = serve(answering(reply()))
    settings.ALLOWED_OUTBOUND_NETWORKS = [f"127.0.0.0/8:{server.port}"]
    assert ask("GET", server.url()).status == 200
    settings.ALLOWED_OUTBOUND_NETWORKS = ["127.0.0.0/8:443"]
    with pytest.raises(AddressBlocked):
        ask("GET", server.url())
    assert len(dialled) == 1


def test_an_unknown_name_is_said_to_be_unknown(ask, dialled, answers):
    answers([])
    with pytest.raises(NameNotFound, match=r"agent\.example can't be found"):
        ask("GET", "https://agent.example/")


def test_a_closed_port_tells_nothing_but_that(ask, serve):
    server = serve(answering(reply()))
    url = server.url()
    stopped = url.replace(str(server.port), "1")
    with pytest.raises(NotReachable) as caught:
        ask("GET", stopped)
    assert caught.value.sent is False
    assert "127.0.0.1" not in str(caught.value) and "rrno" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.parametrize("status", [b"301 Moved", b"302 Found", b"303 See Other", b"307 Temporary", b"308 Permanent"])
def test_a_redirect_sends_nothing_to_the_other_port(ask, serve, status):
    other = serve(answering(reply()))
    first = serve(answering(reply(b"", b"Location: " + other.url("/steal").encode(), status=status)))
    with pytest.raises(RedirectRefused):
        ask("POST", first.url(), headers=[("x-api-key", "canary")], body=b"{}")
    assert (len(first.requests), other.connections) == (1, 0)


def test_a_redirect_to_metadata_is_not_followed(ask, serve, dialled):
    server = serve(answering(reply(b"", b"Location: http://169.254.169.254/latest/", status=b"302 Found")))
    with pytest.raises(RedirectRefused):
        ask("GET", server.url())
    assert dialled == ["127.0.0.1"]


def test_the_sockets_check_even_what_got_past_the_parser(settings, dialled, monkeypatch):
    """IP literals go round aiohttp's resolver; a hand-made target goes round the parser."""
    settings.ALLOWED_OUTBOUND_NETWORKS = []

    async def dial_literal() -> BaseException:
        client = Client()
        try:
            await client._session(plain=False).get("https://127.0.0.1/")
        except OSError as error:
            return error.os_error
        finally:
            await client.close()

    assert isinstance(asyncio.run(dial_literal()), RefusedToDial)
    # The same for a resolver that forgets to check.
    monkeypatch.setattr(names, "resolve", lambda *arguments, **options: ["127.0.0.1"])
    forged = Target("https", "127.0.0.1", 443, "/", "https://127.0.0.1/", True)
    with pytest.raises(AddressBlocked):
        Line(forged, 1.0).dial()
    assert dialled == []
