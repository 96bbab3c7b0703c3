"""What `make run` and `make test` put into the environment of their processes."""

import stat

import pytest

from launcher.demo_endpoint import endpoint_environment
from launcher.ports import any_free, is_free, listens
from launcher.refusal import Refusal
from launcher.surroundings import for_demo, for_tests

URL = "postgresql://gatehouse@/gatehouse?host=%2Fsocket"


def test_the_demo_takes_no_key_from_the_caller(tmp_path):
    given = {"SECRET_KEY": "theirs", "SECRET_KEY_FILE": "/run/secret", "GATEHOUSE_KEYS_FILE": "/run/ring"}
    made = for_demo(given, tmp_path, URL)
    assert made["SECRET_KEY"] != "theirs"
    assert not {"SECRET_KEY_FILE", "GATEHOUSE_KEYS_FILE"} & set(made)


def test_the_demo_listens_on_this_machine_alone(tmp_path):
    assert for_demo({"HOST": "0.0.0.0"}, tmp_path, URL)["HOST"] == "127.0.0.1"


def test_the_demo_keeps_networks_that_were_allowed_and_adds_this_machine(tmp_path):
    made = for_demo({"ALLOWED_OUTBOUND_NETWORKS": "10.20.0.0/16:443"}, tmp_path, URL)
    assert made["ALLOWED_OUTBOUND_NETWORKS"].split() == ["10.20.0.0/16:443", "127.0.0.0/8", "[::1]/128"]


@pytest.mark.parametrize("address", ["http://localhost:8000", "http://127.0.0.1:8001", "http://[::1]:8000"])
def test_a_loopback_address_is_kept(tmp_path, address):
    assert for_demo({"PUBLIC_URL": address}, tmp_path, URL)["PUBLIC_URL"] == address


def test_tests_carry_no_mark_of_the_demo_and_fresh_keys(tmp_path):
    given = {"GATEHOUSE_DEMO": "1", "ALLOWED_OUTBOUND_NETWORKS": "10.0.0.0/8"}
    first, second = (for_tests(given, tmp_path, URL) for _ in range(2))
    assert not set(given) & set(first)
    assert first["GATEHOUSE_KEYS"] != second["GATEHOUSE_KEYS"]
    assert first["PUBLIC_URL"] == "http://localhost:8000"


def test_the_endpoint_keeps_its_port_and_its_key(tmp_path):
    port = str(any_free())
    first = endpoint_environment({"DEMO_ENDPOINT_PORT": port}, tmp_path)
    assert first["DEMO_ENDPOINT_URL"] == f"http://127.0.0.1:{port}"
    assert endpoint_environment({}, tmp_path) == first
    assert first["DEMO_ROLES_FILE"] == str(tmp_path / "roles.json")
    assert stat.S_IMODE((tmp_path / "endpoint.json").stat().st_mode) == 0o600


def test_an_endpoint_whose_port_was_taken_since_says_so(tmp_path, taken_port):
    with pytest.raises(Refusal, match=f"Port {taken_port} .* is taken"):
        endpoint_environment({"DEMO_ENDPOINT_PORT": str(taken_port)}, tmp_path)


def test_ports_are_seen_as_they_are(taken_port):
    assert listens(taken_port)
    assert not is_free(taken_port)
    free = any_free()
    assert is_free(free)
    assert not listens(free)
