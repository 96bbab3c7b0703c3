"""Agent keys: made once, shown once, checked at every call."""

import base64
import hashlib
import hmac
import secrets
import string
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from portal.agents.models import Agent, AgentKey
from portal.audit import changes, events, log
from portal.users import User

LIVE_KEYS = 2
PREFIX_LETTERS = string.ascii_letters + string.digits
PREFIX_LENGTH, SECRET_LENGTH = 12, 43


class TooManyKeys(Exception):
    """Two keys are live: one in use, one to change over to. Revoke one first."""


@dataclass(frozen=True)
class Presented:
    """A key as it came in a request: well formed, not yet known."""

    prefix: str
    digest: bytes

    @classmethod
    def parse(cls, text: str) -> "Presented | None":
        mark, _, rest = text.partition("_")
        prefix, _, secret = rest.partition("_")
        well_formed = mark == "ghk" and len(prefix) == PREFIX_LENGTH and len(secret) == SECRET_LENGTH
        return cls(prefix, digest_of(text)) if well_formed and text.isascii() else None

    def matches(self, key: AgentKey) -> bool:
        return hmac.compare_digest(self.digest, bytes(key.digest))


def digest_of(key: str) -> bytes:
    # A plain digest is enough: the key has 256 random bits, there is nothing to guess.
    return hashlib.sha256(key.encode()).digest()


def make(agent: Agent, name: str, by: User, expires_at: datetime | None = None) -> tuple[AgentKey, str]:
    """(row, key). The key is in no other place; show it once. Raises TooManyKeys."""
    prefix = "".join(secrets.choice(PREFIX_LETTERS) for _ in range(PREFIX_LENGTH))
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    key = f"ghk_{prefix}_{secret}"
    with changes.announced():
        Agent.objects.select_for_update().get(pk=agent.pk)
        if agent.keys.live().count() >= LIVE_KEYS:
            raise TooManyKeys
        row = AgentKey.objects.create(
            agent=agent, name=name, prefix=prefix, digest=digest_of(key), made_by=by, expires_at=expires_at
        )
        _log(events.KEY_MADE, row, by)
    return row, key


def revoke(key: AgentKey, by: User) -> None:
    """The next call with it is refused. Revoking twice is no error."""
    with changes.announced():
        revoked = AgentKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=timezone.now(), revoked_by=by)
        if revoked:
            _log(events.KEY_REVOKED, key, by)


def _log(event: events.Event, key: AgentKey, by: User) -> None:
    agent = key.agent
    details = {"key": key.name, "prefix": key.prefix}
    log.record(event, log.Actor.of(by), project=agent.project, agent=agent, details=details)
