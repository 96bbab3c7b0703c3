"""What an endpoint does with an identity's token: verify it by the issuer's JWKS, with a library (joserfc)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet


@dataclass(frozen=True)
class TokenVerifier:
    """`resource(TokenVerifier(...))` lets in whoever it verifies. `jwks` is asked each time, as a rotation needs it."""

    jwks: Callable[[], dict]
    issuer: str
    audience: str

    def verify(self, token: str) -> dict[str, Any] | None:
        try:
            claims = jwt.decode(token, KeySet.import_key_set(self.jwks()), algorithms=["RS256"]).claims
            jwt.JWTClaimsRegistry(
                iss={"essential": True, "value": self.issuer},
                aud={"essential": True, "value": self.audience},
                exp={"essential": True},
                sub={"essential": True},
            ).validate(claims)
        except (JoseError, ValueError):
            return None
        return {"scope": "", "username": claims["sub"], "client_id": claims.get("azp", ""), **claims}
