"""What a method has prepared serves call after call, and no longer than what it was made from."""

import time

import pytest

from portal.audit import changes
from tests.gateway.conftest import line_to, new_line, rpc
from tests.gateway.methods import Prepares

V1 = {"a2a-version": "1.0"}


@pytest.fixture
def asked(settings, monkeypatch) -> list[str]:
    settings.AUTH_METHODS = [*settings.AUTH_METHODS, "tests.gateway.methods.Prepares"]
    monkeypatch.setattr(Prepares, "asked", [])
    monkeypatch.setattr(Prepares, "due", False)
    return Prepares.asked


@pytest.fixture
def prepares(asked, gateway, fake_agent):
    return line_to(fake_agent(required_header=("x-api-key", "ledger-secret-value")), auth_method="prepares")


def called(line) -> dict:
    return line.post(rpc(), headers=V1).json()


def test_it_is_prepared_once_for_many_calls(prepares, asked):
    assert all("result" in called(prepares) for _ in range(3))
    assert asked == ["prepared"]


def test_it_is_prepared_again_within_a_second_of_a_change(prepares, asked):
    called(prepares)
    with changes.announced():
        pass
    time.sleep(changes.FRESH_SECONDS)
    called(prepares)
    assert asked == ["prepared", "prepared"]


def test_once_it_is_due_the_method_is_asked_and_then_prepares_again(prepares, asked):
    called(prepares)
    Prepares.due = True
    assert "result" in called(prepares)
    Prepares.due = False
    assert "result" in called(prepares)
    assert asked == ["prepared", "credential", "prepared"]


def test_it_is_prepared_again_after_the_endpoint_refused_it(asked, gateway, fake_agent):
    line = line_to(fake_agent(required_header=("x-api-key", "another-value")), auth_method="prepares")
    assert all("error" in called(line) for _ in range(2))
    assert asked == ["prepared", "renew", "prepared", "renew"]


def test_after_a_403_the_next_call_gets_what_is_newest(asked, gateway, hostile):
    line = new_line(hostile.url("html-403"), auth_method="prepares")
    assert all("error" in called(line) for _ in range(2))
    assert asked == ["prepared", "prepared"]
