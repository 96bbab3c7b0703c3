import pytest

from portal.outbound import policy
from portal.outbound.errors import AddressBlocked, HttpsNeeded, PortBlocked

EVERYTHING = ["0.0.0.0/0", "[::]/0"]

PRIVATE = """
10.0.0.1 10.255.255.255 172.16.0.1 172.31.255.254 192.168.1.1 127.0.0.1 127.255.255.254 100.64.0.1 100.127.255.254
192.0.0.8 192.0.2.1 192.31.196.1 192.52.193.1 192.88.99.1 192.175.48.1 198.18.0.1 198.19.255.255 198.51.100.1
203.0.113.1 240.0.0.1 254.1.2.3 ::1 100::1 2001:db8::1 2001:2::1 2001:10::1 2620:4f:8000::1 3fff::1 5f00::1 4000::1
fc00::1 fd12:3456::1 fec0::1 e000::1
""".split()

NEVER = """
169.254.169.254 169.254.170.2 169.254.170.23 169.254.0.1 168.63.129.16 100.100.100.200 192.0.0.192 0.0.0.0 0.1.2.3
224.0.0.1 239.255.255.255 255.255.255.255 :: fd00:ec2::254 fd00:ec2::23 fd20:ce::254 fd00:42::42 fe80::1 febf::1
fe80::1%1 ff02::1 ff0e::1 2001::1 2001:0:5ef5:79fd::1 64:ff9b:1::1
""".split()

CARRIERS = {
    "mapped": "::ffff:{0}",
    "translated": "::ffff:0:{0}",
    "compatible": "::{0}",
    "NAT64": "64:ff9b::{0}",
    "6to4": "2002:{1}::1",
}


def carried(form: str, four: str) -> str:
    high, low = (int(a) * 256 + int(b) for a, b in zip(four.split(".")[::2], four.split(".")[1::2], strict=True))
    return CARRIERS[form].format(four, f"{high:x}:{low:x}")


@pytest.mark.parametrize("address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1:248:1893:25c8:1946"])
def test_a_public_address_is_open_with_tls_on_443(settings, address):
    settings.ALLOWED_OUTBOUND_NETWORKS = []
    policy.check_address(address, 443)
    with pytest.raises(PortBlocked):
        policy.check_address(address, 8443)
    with pytest.raises(HttpsNeeded):
        policy.check_address(address, 443, plain=True)
    with pytest.raises(HttpsNeeded):
        policy.check_address(address, 80, plain=True)


@pytest.mark.parametrize("address", PRIVATE + NEVER)
def test_a_special_address_is_closed_unless_allowed(settings, address):
    settings.ALLOWED_OUTBOUND_NETWORKS = []
    with pytest.raises(AddressBlocked):
        policy.check_address(address, 443)


@pytest.mark.parametrize("address", PRIVATE)
def test_an_allow_list_opens_a_private_address(settings, address):
    settings.ALLOWED_OUTBOUND_NETWORKS = EVERYTHING
    policy.check_address(address, 8080, plain=True)


@pytest.mark.parametrize("address", NEVER)
def test_no_allow_list_opens_metadata_link_local_or_multicast(settings, address):
    settings.ALLOWED_OUTBOUND_NETWORKS = [*EVERYTHING, f"[{address}]" if ":" in address else address]
    if "%" in address:
        settings.ALLOWED_OUTBOUND_NETWORKS = EVERYTHING
    with pytest.raises(AddressBlocked, match="nor be allowed"):
        policy.check_address(address, 443)


@pytest.mark.parametrize("form", CARRIERS)
@pytest.mark.parametrize("four", ["169.254.169.254", "168.63.129.16", "100.100.100.200", "169.254.170.2"])
def test_metadata_inside_an_ipv6_address_is_never_open(settings, form, four):
    settings.ALLOWED_OUTBOUND_NETWORKS = EVERYTHING
    with pytest.raises(AddressBlocked, match="nor be allowed"):
        policy.check_address(carried(form, four), 443)


@pytest.mark.parametrize("form", CARRIERS)
def test_an_ipv4_address_inside_an_ipv6_one_goes_not_round_the_allow_list(settings, form):
    settings.ALLOWED_OUTBOUND_NETWORKS = ["[::]/0", "10.0.0.0/8:443"]
    for four in ("127.0.0.1", "192.168.1.1"):
        with pytest.raises(AddressBlocked):
            policy.check_address(carried(form, four), 443)
    policy.check_address(carried(form, "10.1.2.3"), 443)
    with pytest.raises(PortBlocked):
        policy.check_address(carried(form, "10.1.2.3"), 8443)


@pytest.mark.parametrize("form", CARRIERS)
def test_allowing_the_ipv4_address_does_not_open_its_ipv6_spellings(settings, form):
    settings.ALLOWED_OUTBOUND_NETWORKS = ["0.0.0.0/0"]
    with pytest.raises(AddressBlocked):
        policy.check_address(carried(form, "10.1.2.3"), 443)


def test_a_listed_network_is_open_on_its_ports_only(settings):
    settings.ALLOWED_OUTBOUND_NETWORKS = ["10.20.0.0/16:443,8443"]
    policy.check_address("10.20.1.1", 8443, plain=True)
    with pytest.raises(PortBlocked):
        policy.check_address("10.20.1.1", 22)
    with pytest.raises(AddressBlocked):
        policy.check_address("10.21.1.1", 443)


def test_no_sentence_repeats_the_address(settings):
    settings.ALLOWED_OUTBOUND_NETWORKS = []
    with pytest.raises(AddressBlocked) as caught:
        policy.check_address("10.20.1.1", 443)
    assert "10.20" not in str(caught.value)
