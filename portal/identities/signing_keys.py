"""The keys of the portal's own issuer: one signs, the next is published already, the last ones still are.

An endpoint that reads the JWKS when it starts, or keeps it for a day, knows the next key long before it signs, and can
check the tokens of the last one until they have ended. So a rotation breaks no call.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from joserfc.jwk import RSAKey

from portal import vault
from portal.audit import changes, log
from portal.identities import events
from portal.identities.models import SigningKey
from portal.installation import Installation

ALGORITHM = "RS256"
BITS = 2048
# How long an endpoint may keep the JWKS. The next key waits at least as long before it signs.
PUBLISHED_AHEAD = timedelta(hours=1)
# Longer than any token and any clock's deviation.
PUBLISHED_AFTER = timedelta(hours=1)


class TooSoon(Exception):
    """The next key is not known to every endpoint yet; it can sign from `at` on."""

    def __init__(self, at) -> None:
        super().__init__("too soon")
        self.at = at


@dataclass(frozen=True)
class Keys:
    """`ended` are still published, because tokens that they signed may be alive."""

    signing: SigningKey
    waiting: SigningKey
    ended: tuple[SigningKey, ...]

    @property
    def ready_at(self) -> datetime:
        """When every endpoint knows the waiting key."""
        return self.waiting.made_at + PUBLISHED_AHEAD

    @property
    def may_rotate(self) -> bool:
        return self.ready_at <= timezone.now()


def current() -> Keys:
    """Made the first time somebody asks."""
    published = list(SigningKey.objects.filter(_published()).order_by("-signs_from"))
    signing = next((key for key in published if key.signs_from and not key.ended_at), None)
    waiting = next((key for key in published if not key.signs_from), None)
    if signing is None or waiting is None:
        return _make_first()
    return Keys(signing, waiting, tuple(key for key in published if key.ended_at))


def jwks() -> dict:
    """RFC 7517, 5: the public halves, the signing one first."""
    keys = current()
    return {"keys": [key.public for key in (keys.signing, keys.waiting, *keys.ended)]}


def private_of(key: SigningKey) -> RSAKey:
    return RSAKey.import_key(vault.open_sealed(key.private, key.binding()).reveal())


def rotate(by: log.Actor) -> None:
    """The waiting key signs from now on, and another one waits. Raises TooSoon."""
    with changes.announced():
        _lock()
        keys = current()
        if not keys.may_rotate:
            raise TooSoon(keys.ready_at)
        keys.signing.ended_at = keys.waiting.signs_from = timezone.now()
        keys.signing.save(update_fields=["ended_at"])
        keys.waiting.save(update_fields=["signs_from"])
        _made().save()
        log.record(events.SIGNING_KEY_ROTATED, by, details={"key": keys.waiting.kid})


def rotate_when_older(than: timedelta) -> bool:
    """For the sweep: whether it was time."""
    signing = SigningKey.objects.filter(signs_from__isnull=False, ended_at=None).first()
    if signing is None or signing.signs_from + than > timezone.now():
        return False
    try:
        rotate(log.SYSTEM)
    except TooSoon:
        # Another sweep did it just now, or the next key has not waited long enough.
        return False
    return True


def _make_first() -> Keys:
    with transaction.atomic():
        _lock()
        if not SigningKey.objects.filter(signs_from__isnull=False, ended_at=None).exists():
            first = _made()
            first.signs_from = first.made_at
            first.save()
        if not SigningKey.objects.filter(signs_from=None).exists():
            _made().save()
    return current()


def _lock() -> None:
    """One process at a time makes keys."""
    Installation.objects.select_for_update().first()


def _made() -> SigningKey:
    pair = RSAKey.generate_key(BITS, {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    key = SigningKey(public=pair.as_dict(private=False))
    key.private = vault.seal(pair.as_pem(private=True).decode(), key.binding())
    return key


def _published() -> Q:
    return Q(ended_at=None) | Q(ended_at__gt=timezone.now() - PUBLISHED_AFTER)
