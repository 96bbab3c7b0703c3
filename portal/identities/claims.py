"""What a token says about itself, for a person who tests a connection. Nothing here decides anything.

Nobody has verified it: only the endpoint can, and a token of Entra need not be readable at all.
"""

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError

from portal.audit.readable import readable
from portal.vault import Secret

SHOWN = ("iss", "sub", "aud", "client_id", "azp", "appid", "oid", "tid", "roles", "idtyp", "name", "iat", "exp")
LONGEST = 300
Claims = tuple[tuple[str, str], ...]


def shown(token: Secret) -> Claims:
    """(name, value) pairs in a fixed order; empty for a token that is no JWT."""
    try:
        payload = jws.extract_compact(token.reveal().encode()).payload
        said = _object(payload)
    except (JoseError, ValueError):
        return ()
    return tuple((name, _words(name, said[name])) for name in SHOWN if name in said)


def _object(payload: bytes) -> dict[str, Any]:
    said = json.loads(payload)
    if not isinstance(said, dict):
        raise ValueError("no object")
    return said


def _words(name: str, value: Any) -> str:
    if name in ("iat", "exp") and isinstance(value, int):
        # A moment that no calendar has is shown as it is written.
        with contextlib.suppress(OverflowError, OSError, ValueError):
            return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC"
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return readable(text)[:LONGEST]
