import pytest

from portal.outbound import policy
from portal.outbound.errors import AddressBlocked, HttpsNeeded, InvalidUrl, PortBlocked


@pytest.fixture(autouse=True)
def nothing_allowed(settings):
    settings.ALLOWED_OUTBOUND_NETWORKS = []


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("https://agent.example.com", "https://agent.example.com/"),
        ("HTTPS://Agent.Example.COM:443/A2A?x=1", "https://agent.example.com/A2A?x=1"),
        ("https://agent.example.com./a", "https://agent.example.com/a"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        ("https://ａｇｅｎｔ.example/", "https://agent.example/"),
        ("https://agent.example.com/grüße", "https://agent.example.com/gr%C3%BC%C3%9Fe"),
        ("https://agent.example.com/a%20b", "https://agent.example.com/a%20b"),
        ("https://[2606:2800:0220::0001]/", "https://[2606:2800:220::1]/"),
        ("https://93.184.216.34/", "https://93.184.216.34/"),
        ("https://my_agent/v1/message:send", "https://my_agent/v1/message:send"),
    ],
)
def test_an_address_is_read_into_one_spelling(given, read):
    target = policy.check_url(given)
    assert target.url == read
    assert target.origin + target.path == read
    assert policy.check_url(target.url) == target


@pytest.mark.parametrize(
    "url",
    [
        "",
        "agent.example.com",
        "//agent.example.com/",
        "ftp://agent.example.com/",
        "file:///etc/passwd",
        "gopher://127.0.0.1:25/_HELO",
        "javascript:alert(1)",
        "https://",
        "https:///path",
        "https://:443/",
        "https://./",
        "https://a..b/",
        "https://-a.example/",
        "https://user@agent.example.com/",
        "https://user:pw@agent.example.com/",
        "https://agent.example.com@127.0.0.1/",
        "https://agent.example.com\\@127.0.0.1/",
        "https://127.0.0.1\\.agent.example.com/",
        "https://agent.example.com/#fragment",
        "https://agent.example.com#@127.0.0.1/",
        "https://agent.example.com/a b",
        " https://agent.example.com/",
        "https://agent.example.com/\r\nX-Evil: 1",
        "https://agent.example.com/\tx",
        "https://agent.example.com/\x00",
        "https://agent.exam\u00a0ple.com/",
        "https://agent.exam\u200bple.com\u2028/",
        "https://%31%32%37.0.0.1/",
        "https://agent.example.com:0/",
        "https://agent.example.com:65536/",
        "https://agent.example.com:https/",
        "https://agent.example.com:-1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://0x7f.1/",
        "https://017700000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://127.0.0.01/",
        "https://127.0.0.1.1/",
        "https://256.0.0.1/",
        "https://agent.example.123/",
        "https://[::1/",
        "https://[127.0.0.1]/",
        "https://[fe80::1%25eth0]/",
        "https://[fe80::1%eth0]/",
        "https://[v1.x]/",
        "https://[::1]agent.example.com/",
        "https://agent.example.com[::1]/",
        "https://agent.example.com/a/../b",
        "https://agent.example.com/a/%2E%2e/b",
        "https://agent.example.com/./b",
        "https://" + "a" * 64 + ".example/",
        "https://" + "a." * 130 + "example/",
        "https://agent.example.com/" + "a" * 4096,
        "https://ex⁄ample.com/",
    ],
)
def test_an_address_that_could_be_read_in_two_ways_is_refused(url):
    with pytest.raises(InvalidUrl) as caught:
        policy.check_url(url)
    assert "pw@" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("https://127.0.0.1/", AddressBlocked),
        ("https://１２７.0.0.1/", AddressBlocked),
        ("https://①②⑦.⓪.⓪.①/", AddressBlocked),
        ("https://127。0。0。1/", AddressBlocked),
        ("https://127.0.0.1./", AddressBlocked),
        ("https://[::1]/", AddressBlocked),
        ("https://[::]/", AddressBlocked),
        ("https://localhost/", AddressBlocked),
        ("https://LOCALHOST./", AddressBlocked),
        ("https://a.localhost/", AddressBlocked),
        ("https://169.254.169.254/latest/meta-data/", AddressBlocked),
        ("http://agent.example.com/", HttpsNeeded),
        ("http://93.184.216.34/", HttpsNeeded),
        ("https://agent.example.com:8443/", PortBlocked),
        ("https://agent.example.com:22/", PortBlocked),
        ("https://93.184.216.34:8443/", PortBlocked),
    ],
)
def test_what_the_spelling_decides_is_refused_without_the_dns(url, error, dialled):
    with pytest.raises(error):
        policy.check_url(url)
    assert dialled == []


def test_a_name_may_use_a_port_that_some_allowed_network_has(settings):
    settings.ALLOWED_OUTBOUND_NETWORKS = ["10.20.0.0/16:8443"]
    assert policy.check_url("https://agent.internal:8443/").port == 8443
    assert policy.check_url("http://agent.internal:8443/").plain
    with pytest.raises(PortBlocked):
        policy.check_url("http://agent.internal/")
    with pytest.raises(PortBlocked):
        policy.check_url("https://agent.internal:8080/")
