from ipaddress import ip_address

import pytest

from portal.outbound import policy


@pytest.mark.parametrize(
    ("entry", "address", "port", "inside"),
    [
        ("10.20.0.0/16", "10.20.3.4", 9999, True),
        ("10.20.0.0/16", "10.21.0.1", 443, False),
        ("10.20.0.0/16:443,8443", "10.20.3.4", 8443, True),
        ("10.20.0.0/16:443,8443", "10.20.3.4", 8444, False),
        ("10.20.0.0/16:8000-8099", "10.20.3.4", 8050, True),
        ("10.20.0.0/16:8000-8099", "10.20.3.4", 8100, False),
        ("192.168.7.9", "192.168.7.9", 80, True),
        ("192.168.7.9", "192.168.7.10", 80, False),
        ("[::1]/128", "::1", 80, True),
        ("[fd12:3456::]/48:443", "fd12:3456::7", 443, True),
        ("[fd12:3456::/48]:443", "fd12:3456::7", 80, False),
        ("[fd12:3456::1]", "fd12:3456::1", 80, True),
    ],
)
def test_an_entry_opens_its_addresses_on_its_ports(entry, address, port, inside):
    (network,) = policy.parse_networks([entry])
    assert (network.holds(ip_address(address)) and network.admits(port)) is inside


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "example.com",
        "10.20.0.0/33",
        "10.20.1.1/16",
        "10.20.0.0/16:",
        "10.20.0.0/16:0",
        "10.20.0.0/16:65536",
        "10.20.0.0/16:90-80",
        "10.20.0.0/16:http",
        "10.20.0.0/16,10.30.0.0/16",
        "::1/128",
        "[::1/128]/128",
        "10.20.0.0/255.255.0.0",
        "8443",
        "*",
    ],
)
def test_an_entry_that_is_no_network_is_named(entry):
    with pytest.raises(ValueError, match="ALLOWED_OUTBOUND_NETWORKS") as caught:
        policy.parse_networks([entry])
    assert repr(entry) in str(caught.value)


def test_a_string_in_place_of_a_list_is_refused():
    with pytest.raises(ValueError, match="list"):
        policy.parse_networks("10.0.0.0/8")
