"""The oracle sees a loss where there is one, and the provider punishes what a real one would."""

import pytest

from tests.soak import oracle
from tests.soak.oracle import Struck
from tests.soak.provider import Family
from tests.soak.providers import provider

WORKER = 4711


def request(did: str, fault: str = "", at: float = 100.0, struck: str = "") -> dict:
    return {"at": at, "by": WORKER, "presented": 0, "did": did, "fault": fault, "struck": struck}


def family(ended: str, *requests: dict) -> dict:
    return {"newest": 1, "ended": ended, "requests": list(requests)}


PUNISHED = family("reuse", request("rotated"), request("refused"))
CUT_OFF = family("reuse", request("rotated", "502 after rotation"), request("refused"))


@pytest.mark.parametrize(
    ("reason", "kept", "ledger", "has_grace", "verdict"),
    [
        ("refresh_token_ended", 0, family("invalid_grant", request("refused", "invalid_grant")), False, oracle.ENDED),
        ("interrupted_refresh", 0, CUT_OFF, False, oracle.INTERRUPTED),
        ("refresh_token_ended", 0, CUT_OFF, False, oracle.LOST),
        ("interrupted_refresh", 0, CUT_OFF, True, oracle.LOST),
        ("interrupted_refresh", 1, CUT_OFF, False, oracle.LOST),
        ("interrupted_refresh", 0, PUNISHED, False, oracle.LOST),
        ("interrupted_refresh", 0, family("", request("rotated", "502 after rotation")), False, oracle.LOST),
        ("access_token_ended", 0, family("invalid_grant", request("refused", "invalid_grant")), False, oracle.LOST),
    ],
    ids=[
        "the provider ended it", "cut off without a grace", "cut off, and another reason", "cut off with a grace",
        "used again although the newest was kept", "not kept by one who was not cut off",
        "ended by the portal alone", "ended by the provider, another reason",
    ],
)  # fmt: skip
def test_an_end_is_held_against_the_ledger(reason, kept, ledger, has_grace, verdict):
    assert oracle.of_ended(reason, kept, ledger, has_grace, Struck())[0] == verdict


@pytest.mark.parametrize(
    ("struck_at", "verdict"),
    [(100.5, oracle.INTERRUPTED), (99, oracle.INTERRUPTED), (70, oracle.LOST), (130, oracle.LOST)],
)
def test_only_a_strike_while_the_request_was_under_way_excuses_that_the_newest_was_not_kept(struck_at, verdict):
    struck = Struck()
    struck.add(WORKER, struck_at)
    assert oracle.of_ended("interrupted_refresh", 0, PUNISHED, False, struck)[0] == verdict


@pytest.mark.parametrize(
    ("held", "ended", "verdict"),
    [
        (("7", 1), "", oracle.KEPT),
        (("7", 0), "", oracle.LOST),
        (("8", 1), "", oracle.LOST),
        (None, "", oracle.LOST),
        (("7", 1), "reuse", oracle.LOST),
    ],
)
def test_an_active_grant_holds_the_newest_token_of_its_living_family(held, ended, verdict):
    assert oracle.of_active(held, "7", family(ended))[0] == verdict


def test_an_old_token_ends_the_family_unless_it_comes_within_the_grace():
    kind, harsh = Family(), Family()
    assert [kind.present(number, grace=60) for number in (0, 0, 1, 0)] == ["rotated", "replayed", "rotated", "refused"]
    assert [harsh.present(number, grace=0) for number in (0, 0, 1)] == ["rotated", "refused", "refused"]
    assert kind.ended == harsh.ended == "reuse"


def test_the_ledger_of_a_provider_that_runs_can_be_read_from_outside():
    with provider("octo", grace=0) as octo:
        assert octo.families(2) == ["0", "1"]
        assert octo.families(1) == ["2"]
        assert octo.ledger()["2"] == {"newest": 0, "rotated_at": 0.0, "ended": "", "requests": []}
