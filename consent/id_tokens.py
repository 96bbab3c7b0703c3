"""Who signed in at the provider, as it says itself: an id token, verified (OpenID Connect Core, 3.1.3.7).

The keys are those that the saved issuer publishes, found by its own metadata and never by anything that stands in the
token: `jku`, `x5u` and `jwk` of its header are not looked at. Symmetric algorithms and `none` are not in the list.
"""

import base64
import hashlib
import hmac
import threading
import time
from typing import Any

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from consent.discovery import addresses, server
from consent.discovery.asking import Asking
from consent.terms import Terms
from portal.vault import Secret

SCOPE = "openid"
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]
SKEW = 60
# An id token that is for a sign-in of ten minutes at most.
OLDEST = 900
SECONDS = 10.0
# How long the keys are kept, and how soon they are asked for again where a token names another one.
KEPT, ASKED_AGAIN = 3600, 60
MOST_KEPT, MOST_KEYS = 200, 50
LONGEST_SUBJECT = 255


class Untrue(Exception):
    """The id token is not what the provider of these terms says to us about this sign-in."""


class KeysUnknown(Exception):
    """Its issuer's keys can't be had, so nobody knows."""


def is_asked_for(terms: Terms) -> bool:
    """Only where it can be verified."""
    return SCOPE in terms.scopes and bool(terms.issuer)


def nonce_of(verifier: str) -> str:
    """Bound to the flow as its PKCE verifier is, of which the browser only ever sees another digest."""
    return base64.urlsafe_b64encode(hashlib.sha256(b"nonce:" + verifier.encode()).digest()).rstrip(b"=").decode()


def verified(terms: Terms, token: Secret, nonce: str) -> dict[str, Any]:
    """The claims. Raises Untrue, KeysUnknown."""
    try:
        header = jws.extract_compact(token.reveal().encode()).headers()
        if header.get("alg") not in ALGORITHMS:
            raise Untrue("alg")
        keys = _keys_for(terms.issuer, header.get("kid"))
        claims = jwt.decode(token.reveal(), keys, algorithms=ALGORITHMS).claims
    except (JoseError, ValueError, TypeError, AttributeError) as error:
        raise Untrue(type(error).__name__) from None
    _check(claims, terms, nonce)
    return claims


def _check(claims: dict[str, Any], terms: Terms, nonce: str) -> None:
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    named = claims.get("azp")
    now, ends, made = time.time(), claims.get("exp"), claims.get("iat")
    subject, said = claims.get("sub"), claims.get("nonce")
    checks = {
        "iss": claims.get("iss") == terms.issuer,
        "aud": terms.client_id in audiences,
        "azp": named == terms.client_id if named is not None or len(audiences) > 1 else True,
        "exp": _is_number(ends) and ends > now - SKEW,
        "iat": _is_number(made) and now - OLDEST < made < now + SKEW,
        "nonce": isinstance(said, str) and hmac.compare_digest(said.encode(), nonce.encode()),
        "sub": isinstance(subject, str) and 0 < len(subject) <= LONGEST_SUBJECT and subject.isprintable(),
    }
    wrong = [name for name, holds in checks.items() if not holds]
    if wrong:
        raise Untrue(wrong[0])


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# The issuer's keys

_kept: dict[str, tuple[float, KeySet]] = {}
_lock = threading.Lock()


def _keys_for(issuer: str, kid: object) -> KeySet:
    """The one key that is named, or the only one there is. Asks again, not too often, for a key that is not known."""
    at, keys = _kept.get(issuer, (0.0, None))
    age = time.monotonic() - at
    found = _chosen(keys, kid) if keys is not None and age < KEPT else None
    if found is None and (keys is None or age > ASKED_AGAIN):
        found = _chosen(_keep(issuer, _read(issuer)), kid)
    if found is None:
        raise Untrue("kid")
    return found


def _keep(issuer: str, keys: KeySet) -> KeySet:
    with _lock:
        if len(_kept) >= MOST_KEPT:
            _kept.clear()
        _kept[issuer] = (time.monotonic(), keys)
    return keys


def _chosen(keys: KeySet, kid: object) -> KeySet | None:
    if kid is None:
        return keys if len(keys.keys) == 1 else None
    named = [key for key in keys.keys if key.kid == kid]
    return KeySet(named) if len(named) == 1 else None


def _read(issuer: str) -> KeySet:
    """Over the portal's own door; at the issuer's metadata, which must name the issuer itself. Raises KeysUnknown."""
    asking = Asking(time.monotonic() + SECONDS)
    metadata = server.of_issuer(asking, issuer) if addresses.is_issuer(issuer) else None
    url = addresses.usable(metadata.members.get("jwks_uri")) if metadata else ""
    listed = (asking.document(url, "keys") or {}).get("keys") if url else None
    if not isinstance(listed, list):
        raise KeysUnknown
    usable = [key for key in listed[:MOST_KEYS] if isinstance(key, dict) and _signs(key)]
    try:
        return KeySet([one for key in usable for one in _imported(key)])
    except (JoseError, ValueError, TypeError):
        raise KeysUnknown from None


def _signs(key: dict[str, Any]) -> bool:
    return key.get("kty") in ("RSA", "EC") and key.get("use") in (None, "sig")


def _imported(key: dict[str, Any]) -> list:
    """A key of a kind that is not known here spoils none of the others."""
    public = {name: value for name, value in key.items() if name in ("kty", "n", "e", "crv", "x", "y", "kid", "use")}
    try:
        return list(KeySet.import_key_set({"keys": [public]}).keys)
    except (JoseError, ValueError, TypeError, KeyError):
        return []
