"""Clients that sign who they are (RFC 7523, 2.2 and 3): the server reads their public keys and checks every claim."""

import time
from collections import deque

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from demo.provider.incoming import Incoming
from demo.provider.records import Client
from demo.provider.settings import SIGNING, Settings

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# What no assertion needs more of, and how far two clocks may differ, in seconds.
LONGEST_LIFE, SKEW = 120, 5


class Assertions:
    """Remembers each `jti` until its assertion has ended; none counts twice."""

    def __init__(self, issuer: str, settings: Settings) -> None:
        self._issuer = issuer
        self._settings = settings
        self._seen: dict[tuple[str, str], float] = {}
        self.refused: deque[str] = deque(maxlen=100)

    def client(self, query_client, request: Incoming) -> Client | None:
        """The client that the assertion proves, for Authlib; None for one that doesn't, `refused` says why."""
        asked = request.form
        if asked.get("client_assertion_type") != TYPE:
            return None
        try:
            return self._proven(query_client, asked)
        except (JoseError, ValueError) as error:
            self.refused.append(str(error))
            return None

    def _proven(self, query_client, asked: dict[str, str]) -> Client:
        client = query_client(asked.get("client_id", ""))
        if client is None or client.auth_method != "private_key_jwt":
            raise ValueError("client")
        keys = client.jwks or self._settings.read_keys(client.jwks_uri)
        token = jwt.decode(asked.get("client_assertion", ""), KeySet.import_key_set(keys), algorithms=list(SIGNING))
        if token.header.get("typ") not in ("client-authentication+jwt", "JWT", None):
            raise ValueError("typ")
        self._check(token.claims, client.client_id)
        return client

    def _check(self, claims: dict, client_id: str) -> None:
        """The audience is the issuer alone: a server that took its token URL could be fooled by another server."""
        now = time.time()
        expected = {"iss": client_id, "sub": client_id, "aud": self._issuer}
        for name, value in expected.items():
            if claims.get(name) != value:
                raise ValueError(name)
        ends, made = claims.get("exp"), claims.get("iat")
        if not isinstance(ends, int) or not now - SKEW < ends < now + LONGEST_LIFE + SKEW:
            raise ValueError("exp")
        if not isinstance(made, int) or made > now + SKEW:
            raise ValueError("iat")
        self._use_once(client_id, claims.get("jti"), ends)

    def _use_once(self, client_id: str, jti: object, ends: int) -> None:
        self._seen = {one: until for one, until in self._seen.items() if until > time.time() - SKEW}
        if not isinstance(jti, str) or not jti or (client_id, jti) in self._seen:
            raise ValueError("jti")
        self._seen[client_id, jti] = ends
