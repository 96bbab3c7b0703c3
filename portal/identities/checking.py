"""Check: gets a token of an identity and shows what it says, never the token itself."""

import base64
import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from portal.audit import log
from portal.audit.events import Outcome
from portal.audit.readable import readable
from portal.identities import events, tokens
from portal.identities.models import Identity, IdentityToken
from portal.users import User

FIRST = ["iss", "aud", "sub", "appid", "azp", "client_id", "oid", "tid", "roles", "idtyp", "exp", "iat", "nbf", "jti"]
MOMENTS = frozenset({"exp", "iat", "nbf"})
MOST, LONGEST = 60, 400


@dataclass(frozen=True)
class Claim:
    name: str
    value: str
    moment: datetime | None = None


@dataclass(frozen=True)
class Checked:
    """`failure` is a code of the catalogue; without one there is a token, readable or not."""

    audience: str
    failure: str = ""
    claims: list[Claim] = field(default_factory=list)
    obtained_at: datetime | None = None
    expires_at: datetime | None = None


def check(identity: Identity, audience: str, by: User) -> Checked:
    """Asks the source, unless a kept token is younger than a minute. Nothing is sent to anybody with it."""
    details = {"identity": identity.name, "audience": audience}
    finish = log.begin(
        events.IDENTITY_CHECKED, log.Actor.of(by), project=identity.project, agent=identity.agent, details=details
    )
    kept = IdentityToken.objects.filter(identity=identity, audience=audience, obtained_at__isnull=False).first()
    try:
        token = tokens.access_token(identity, audience, (), beyond=kept.generation if kept else None)
    except tokens.TokenUnavailable as refusal:
        finish(Outcome.FAILED, reason=refusal.code, details=json.dumps(details))
        return Checked(audience, refusal.code)
    finish(Outcome.SUCCEEDED, details=json.dumps(details))
    return Checked(audience, "", claims_of(token.value.reveal()), token.obtained_at, token.expires_at)


def claims_of(token: str) -> list[Claim]:
    """For display only: nobody has verified them. Empty for a token that is no JWT."""
    parts = token.split(".")
    if len(parts) != 3:
        return []
    try:
        found = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return []
    if not isinstance(found, dict):
        return []
    known = [name for name in FIRST if name in found]
    return [_claim(name, found[name]) for name in [*known, *sorted(set(found) - set(known))][:MOST]]


def _claim(name: str, value: Any) -> Claim:
    text = value if isinstance(value, str) else json.dumps(value)
    return Claim(readable(name)[:LONGEST], readable(text)[:LONGEST], _moment(value) if name in MOMENTS else None)


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(value, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None
