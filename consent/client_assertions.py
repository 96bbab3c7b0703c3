"""Proving who we are with a signature instead of a secret: private_key_jwt (RFC 7523, 2.2 and 3).

The audience is the issuer alone, as one string. A server that took its token URL as well could be fooled by a hostile
one that names the same: the assertion that was made for the one would be good at the other (rfc7523bis, 4).
"""

import secrets
import time

from joserfc import jwt
from joserfc.jwk import RSAKey

from portal.vault import Secret

METHOD = "private_key_jwt"
PARAMETER_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHM = "RS256"
BITS = 2048
# Made for one request: longer than any request takes, and one that is caught is soon worth nothing.
LIFE_SECONDS = 60


def new_key() -> RSAKey:
    """Its key id is the thumbprint (RFC 7638), so the private half alone tells it."""
    return RSAKey.generate_key(BITS, {"use": "sig", "alg": ALGORITHM}, auto_kid=True)


def parameters(client_id: str, issuer: str, private: Secret) -> dict[str, str]:
    """The two form parameters; `private` in PEM. Each call makes another assertion, good once."""
    key, now = RSAKey.import_key(private.reveal()), int(time.time())
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": issuer,
        "iat": now,
        "exp": now + LIFE_SECONDS,
        "jti": secrets.token_urlsafe(24),
    }
    header = {"typ": "client-authentication+jwt", "alg": ALGORITHM, "kid": key.thumbprint()}
    return {"client_assertion_type": PARAMETER_TYPE, "client_assertion": jwt.encode(header, claims, key)}
