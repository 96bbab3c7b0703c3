"""The portal's own issuer, for those without Azure: short-lived signed tokens that an endpoint verifies by the JWKS.

They read like access tokens of RFC 9068, with the names that a verifier of Entra tokens looks for beside them
(`azp`, `oid`, `tid`, `idtyp`).
"""

import time
import uuid
from datetime import UTC, datetime

from django.conf import settings
from joserfc import jwt

from portal import vault
from portal.identities import signing_keys
from portal.identities.models import Identity
from portal.identities.obtaining import Obtained

TOKEN_SECONDS = 600


def issuer() -> str:
    return f"{settings.PUBLIC_URL}/identities"


def metadata() -> dict:
    """OpenID Connect Discovery 1.0, 3, as far as there is anything to discover: nobody signs in here."""
    return {
        "issuer": issuer(),
        "jwks_uri": f"{issuer()}/jwks.json",
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [signing_keys.ALGORITHM],
        "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "client_id", "azp", "oid", "tid"],
    }


def obtain(identity: Identity, audience: str) -> Obtained:
    """Signs a token for ten minutes."""
    key = signing_keys.current().signing
    now = int(time.time())
    claims = {
        "iss": issuer(),
        "sub": identity.principal_id,
        "aud": audience,
        "exp": now + TOKEN_SECONDS,
        "iat": now,
        "nbf": now,
        "jti": uuid.uuid4().hex,
        "client_id": identity.client_id,
        "azp": identity.client_id,
        "oid": identity.principal_id,
        "tid": identity.tenant,
        "idtyp": "app",
        "name": identity.name,
    }
    header = {"typ": "at+jwt", "alg": signing_keys.ALGORITHM, "kid": key.kid}
    value = jwt.encode(header, claims, signing_keys.private_of(key))
    return Obtained(vault.Secret(value), datetime.fromtimestamp(claims["exp"], UTC))
