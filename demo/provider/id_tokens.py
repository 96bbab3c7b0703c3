"""Id tokens (OpenID Connect Core, 2), for clients that ask for the scope openid."""

import time
from functools import cached_property
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from demo.provider.records import Code
from demo.provider.settings import Settings

LIFE = 300


class IdTokens:
    def __init__(self, issuer: str, settings: Settings) -> None:
        self._issuer = issuer
        self._settings = settings

    @cached_property
    def key(self) -> RSAKey:
        """Made when it is first needed: most servers sign none."""
        return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)

    def jwks(self) -> dict[str, Any]:
        return {"keys": [self.key.as_dict(private=False)]}

    def claims_of(self, account: str) -> dict[str, Any]:
        name = self._settings.accounts.get(account, account)
        return {"sub": account, "preferred_username": account, "name": name, **self._settings.claims.get(account, {})}

    def token(self, code: Code) -> str:
        now = int(time.time())
        claims = {"iss": self._issuer, "aud": code.approval.client_id, "iat": now, "exp": now + LIFE}
        claims |= {"nonce": code.nonce} if code.nonce else {}
        header = {"alg": "RS256", "kid": self.key.kid, "typ": "JWT"}
        return jwt.encode(header, claims | self.claims_of(code.approval.account), self.key)
