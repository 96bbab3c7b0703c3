"""What a token says about itself is shown as far as it can be read, and breaks no page."""

import base64
import json

import pytest

from portal.identities import claims
from portal.vault import Secret


def token_of(said: object) -> Secret:
    head, payload = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "RS256"}, said)
    )
    return Secret(f"{head}.{payload}.c2lnbmF0dXJl")


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ({"exp": 1_800_000_000}, (("exp", "2027-01-15 08:00:00 UTC"),)),
        ({"exp": 10**20, "iat": -(10**12)}, (("iat", "-1000000000000"), ("exp", "100000000000000000000"))),
        ({"aud": ["a", "b"], "unknown": "x", "sub": "\u202eevil"}, (("sub", "evil"), ("aud", "a, b"))),
        (["no", "object"], ()),
    ],
)
def test_claims_are_shown_in_a_fixed_order_and_as_words(said, shown):
    assert claims.shown(token_of(said)) == shown


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "..", "", "\u00e9.\u00e9.\u00e9"])
def test_a_token_that_is_no_jwt_says_nothing(token):
    assert claims.shown(Secret(token)) == ()
