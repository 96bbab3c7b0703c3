"""Access tokens that an endpoint verifies by itself: signature, type, issuer, audience and time (RFC 9068, 4)."""

from collections.abc import Sequence
from dataclasses import dataclass

from joserfc import jws, jwt
from joserfc.errors import ClaimError, ExpiredTokenError, JoseError

from demo.bearer import Claims
from demo.published_keys import PublishedKeys

ALGORITHMS = ["RS256"]
LEEWAY_SECONDS = 30
TYPES = ("at+jwt", "application/at+jwt")
WRONG_CLAIMS = {
    "iss": "The token is of another issuer",
    "aud": "The token is for another audience",
    "nbf": "The token is not valid yet",
    "iat": "The token is not valid yet",
}


class Rejected(Exception):
    """The token is no good here; the sentence says why and repeats nothing of it."""


@dataclass(frozen=True)
class Verifier:
    """`types` is what the header's `typ` may be: Microsoft Entra writes "JWT"."""

    issuer: str
    audience: str
    keys: PublishedKeys
    types: Sequence[str] = TYPES

    async def verify(self, token: str) -> Claims:
        """The claims of a token that is good here. Raises Rejected, and KeysUnavailable."""
        keys = await self.keys.having(self._key_named_in(token))
        try:
            claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
        except (JoseError, ValueError):
            raise Rejected("The token is not signed by a key that its issuer publishes") from None
        self._check(claims)
        return claims

    def _key_named_in(self, token: str) -> str:
        """The `kid` of a header that is what it should be; nobody is asked for the keys of any other."""
        try:
            header = jws.extract_compact(token.encode()).headers()
        except (JoseError, ValueError):
            raise Rejected("The token is no signed JWT") from None
        if str(header.get("typ", "")).lower() not in [name.lower() for name in self.types]:
            raise Rejected("The token is no access token")
        if header.get("alg") not in ALGORITHMS or not isinstance(header.get("kid"), str):
            raise Rejected("The token is not signed in a way that is accepted here")
        return header["kid"]

    def _check(self, claims: Claims) -> None:
        expected = jwt.JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": self.audience},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            expected.validate(claims)
        except ExpiredTokenError:
            raise Rejected("The token has expired") from None
        except ClaimError as wrong:
            raise Rejected(WRONG_CLAIMS.get(wrong.claim, "The token has a claim missing or wrong")) from None
