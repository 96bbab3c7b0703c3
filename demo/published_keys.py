"""The keys that an issuer of tokens publishes, found by its discovery document (OpenID Connect Discovery 1.0, 4)."""

import asyncio
import ssl
import time

import httpx
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

AT_LEAST_SECONDS = 5.0  # between two readings, however many unknown keys are asked for
ANSWER_SECONDS = 5.0


class KeysUnavailable(Exception):
    """The issuer does not answer, or not with its keys; whether a token is good can't be said."""


class PublishedKeys:
    """Read when a token first asks for a key, kept, and read again when one asks for a key that is not among them.

    `discovery` is the document's address, `trust` who may sign the issuer's certificate; both have the usual defaults.
    """

    def __init__(self, issuer: str, *, discovery: str = "", trust: ssl.SSLContext | None = None) -> None:
        self._issuer = issuer
        self.discovery = discovery or f"{issuer}/.well-known/openid-configuration"
        self._trust = trust
        self._keys: KeySet | None = None
        self._read_at = -AT_LEAST_SECONDS
        self._one_reader = asyncio.Lock()

    async def having(self, kid: str) -> KeySet:
        """The keys, `kid` among them if the issuer publishes it. Raises KeysUnavailable while none were ever read."""
        if not self._serve(kid):
            async with self._one_reader:
                if not self._serve(kid):
                    await self._read()
        return self._keys

    def _serve(self, kid: str) -> bool:
        if self._keys is None:
            return False
        just_read = time.monotonic() < self._read_at + AT_LEAST_SECONDS
        return just_read or any(key.kid == kid for key in self._keys)

    async def _read(self) -> None:
        """What was read before stays when the issuer does not answer."""
        try:
            self._keys = await self._published()
        except (httpx.HTTPError, httpx.InvalidURL, JoseError, ValueError, KeyError, TypeError):
            if self._keys is None:
                raise KeysUnavailable from None
        finally:
            # At the end: whoever waited for this reading has what it brought, and asks for no other.
            self._read_at = time.monotonic()

    async def _published(self) -> KeySet:
        trust = self._trust or ssl.create_default_context()
        async with httpx.AsyncClient(verify=trust, timeout=ANSWER_SECONDS, trust_env=False) as http:
            document = await _json(http, self.discovery)
            if document["issuer"] != self._issuer:
                raise ValueError("the document is another issuer's")
            return KeySet.import_key_set(await _json(http, document["jwks_uri"]))


async def _json(http: httpx.AsyncClient, url: str) -> dict:
    answer = await http.get(url, headers={"Accept": "application/json"})
    if answer.status_code != 200:
        raise ValueError(f"answered {answer.status_code}")
    return answer.json()
