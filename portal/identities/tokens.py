"""`access_token`: the one way to a token of an identity, whatever its source.

A token is kept, sealed, until shortly before it ends, for all processes together; one of them at a time asks for the
next. That right is a lease in the token's own row, on the database's clock, as for grants: the source is asked outside
any transaction, and what comes back counts only while row and lease are still the same.
"""

import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from portal import vault
from portal.identities import audiences, entra, issuer
from portal.identities.models import Identity, IdentityToken, Source
from portal.identities.obtaining import Obtained, TokenUnavailable
from portal.outbound.errors import OutboundError

__all__ = ["AccessToken", "TokenUnavailable", "access_token", "at_hand", "check", "forget"]

SOURCES: dict[str, Callable[[Identity, str], Obtained]] = {Source.PORTAL: issuer.obtain, Source.ENTRA: entra.obtain}
LEASE = timedelta(seconds=entra.DEADLINE + 10)
# Longer than a lease, so that whoever waits for a process that died takes over from it.
WAIT_SECONDS = LEASE.total_seconds() + 5
LOOK_AGAIN = 0.05
# The next token is asked for this long before the old one ends, or after four fifths of a short life.
AHEAD = timedelta(minutes=5)
# An endpoint that refuses every token must not make every call ask for another one.
RENEW_AFTER = timedelta(seconds=60)
LONGEST_PAUSE = timedelta(seconds=60)
# What was obtained later than this from now comes from a process whose clock is wrong, and so is its end (F16).
CLOCKS_APART = timedelta(seconds=60)


@dataclass(frozen=True)
class AccessToken:
    value: vault.Secret
    audience: str
    expires_at: datetime
    obtained_at: datetime
    generation: int


def access_token(
    identity: Identity, audience: str, addresses: Iterable[str], *, beyond: int | None = None
) -> AccessToken:
    """A token of `identity` for `audience`, to be sent to these addresses and no others.

    `beyond` is a generation that the endpoint has refused. Waits while another process asks the source, unless the old
    token still serves. Raises TokenUnavailable, with `audience_not_listed` where the owner of the portal has not
    listed an address for the audience.
    """
    check(identity, audience, addresses)
    token = _awaited(identity, audience, beyond)
    # Again: it may have taken a while, and what was allowed before may have been taken away.
    check(_as_it_is_now(identity), audience, addresses)
    return token


def at_hand(identity: Identity, audience: str, addresses: Iterable[str]) -> Callable[[], AccessToken | None]:
    """Gives what is kept, as often as it is called, while nobody has to be asked for the next one; then None.

    Raises as `access_token`. Good until a change is announced.
    """
    check(identity, audience, addresses)
    row = IdentityToken.objects.filter(identity=identity, audience=audience).first()
    if row is None:
        return lambda: None
    row.identity = identity
    opener = _opener(row)
    return lambda: _token(row, opener) if opener and _lives(row) and (not _is_due(row) or _waits(row)) else None


def check(identity: Identity, audience: str, addresses: Iterable[str]) -> None:
    """Whether a token may be had and sent at all. Raises TokenUnavailable."""
    if identity.disabled_at is not None:
        raise TokenUnavailable("identity_disabled")
    if not identity.is_set_up:
        raise TokenUnavailable("identity_not_set_up")
    try:
        audiences.check(audience, addresses)
    except audiences.NotListed:
        raise TokenUnavailable("audience_not_listed") from None
    except OutboundError as refused:
        # An address that was fine when it was saved: the owner of the portal allows fewer networks since.
        raise TokenUnavailable(refused.code) from None


def _as_it_is_now(identity: Identity) -> Identity:
    found = Identity.objects.filter(pk=identity.pk).first()
    if found is None:
        raise TokenUnavailable("identity_not_set_up")
    return found


def forget(identities: Iterable[Identity]) -> None:
    """Whatever was obtained under other ids or from another source; call it in the transaction of the change."""
    IdentityToken.objects.filter(identity__in=list(identities)).delete()


def _awaited(identity: Identity, audience: str, beyond: int | None) -> AccessToken:
    until = time.monotonic() + WAIT_SECONDS
    while True:
        row = _row(identity, audience)
        if token := _now(row, beyond):
            return token
        if time.monotonic() > until:
            raise TokenUnavailable("identity_provider_unavailable")
        time.sleep(LOOK_AGAIN)


def _now(row: IdentityToken, beyond: int | None) -> AccessToken | None:
    """None while somebody else is asking."""
    if token := _serving(row, beyond):
        return token
    old = None if _is_refused(row, beyond) else _opened(row)
    if _waits(row):
        if old is None:
            raise TokenUnavailable(row.failure)
        return old
    if lease := _take(row):
        return _asked_or(old, row, lease)
    return old


def _serving(row: IdentityToken, beyond: int | None) -> AccessToken | None:
    return None if _is_due(row) or _is_refused(row, beyond) else _opened(row)


def _asked_or(old: AccessToken | None, row: IdentityToken, lease: uuid.UUID) -> AccessToken | None:
    """Whoever asks in vain goes on with the old token, as everybody does who comes after."""
    try:
        return _asked(row, lease)
    except TokenUnavailable:
        if old is None or old.expires_at <= timezone.now():
            raise
        return old


def _asked(row: IdentityToken, lease: uuid.UUID) -> AccessToken | None:
    """Asks the source. None where ids or source were changed meanwhile: what came back is not theirs."""
    try:
        obtained, value = _obtained(row)
    except TokenUnavailable as failure:
        _note(row, lease, failure)
        raise
    except Exception:
        # A fault of ours. Nobody waits for the end of its lease, and not every call repeats it.
        _note(row, lease, TokenUnavailable("internal"))
        raise
    now, generation = timezone.now(), row.generation + 1
    kept = _held(row, lease).update(
        value=value,
        generation=generation,
        obtained_at=now,
        expires_at=obtained.expires_at,
        failure="",
        failing_since=None,
        retry_at=None,
        **_NO_LEASE,
    )
    return AccessToken(obtained.value, row.audience, obtained.expires_at, now, generation) if kept else None


def _obtained(row: IdentityToken) -> tuple[Obtained, str]:
    """What the source gave, and the token as it is kept."""
    try:
        obtained = SOURCES[row.identity.source](row.identity, row.audience)
        value = vault.seal(obtained.value.reveal(), row.binding())
    except vault.VaultError:
        raise TokenUnavailable("key_unavailable") from None
    if obtained.expires_at <= timezone.now():
        # Kept by nobody, it would be asked for at every call.
        raise TokenUnavailable("entra_answer_unreadable")
    return obtained, value


def _note(row: IdentityToken, lease: uuid.UUID, failure: TokenUnavailable) -> None:
    """The longer it fails, the longer it is left alone (F11)."""
    now = timezone.now()
    since = row.failing_since or now
    pause = max(timedelta(seconds=failure.again_after), min((now - since) / 4, LONGEST_PAUSE))
    _held(row, lease).update(failure=failure.code, failing_since=since, retry_at=now + pause, **_NO_LEASE)


_NO_LEASE = {"lease_by": None, "lease_until": None}


def _take(row: IdentityToken) -> uuid.UUID | None:
    """None where another process holds the lease or has asked meanwhile."""
    mine = uuid.uuid4()
    nobody_holds = Q(lease_until=None) | Q(lease_until__lt=Now())
    with transaction.atomic():
        free = IdentityToken.objects.filter(nobody_holds, pk=row.pk, generation=row.generation, retry_at=row.retry_at)
        if not free.select_for_update(skip_locked=True).values_list("pk", flat=True).first():
            return None
        IdentityToken.objects.filter(pk=row.pk).update(lease_by=mine, lease_until=Now() + LEASE)
    return mine


def _held(row: IdentityToken, lease: uuid.UUID):
    return IdentityToken.objects.filter(pk=row.pk, generation=row.generation, lease_by=lease)


def _row(identity: Identity, audience: str) -> IdentityToken:
    rows = IdentityToken.objects.filter(identity=identity, audience=audience)
    row = rows.first() or IdentityToken.objects.get_or_create(identity=identity, audience=audience)[0]
    row.identity = identity
    return row


def _is_due(row: IdentityToken) -> bool:
    if not _lives(row) or row.obtained_at > timezone.now() + CLOCKS_APART:
        return True
    ahead = min(AHEAD, (row.expires_at - row.obtained_at) / 5)
    return row.expires_at - ahead <= timezone.now()


def _is_refused(row: IdentityToken, beyond: int | None) -> bool:
    """The endpoint said 401 to this very token, and it is old enough for another one to be worth asking for."""
    return beyond is not None and row.generation <= beyond and row.obtained_at + RENEW_AFTER <= timezone.now()


def _lives(row: IdentityToken) -> bool:
    return bool(row.value) and row.expires_at > timezone.now()


def _waits(row: IdentityToken) -> bool:
    """The source said no a moment ago, and is not asked again yet."""
    return row.retry_at is not None and row.retry_at > timezone.now()


def _opened(row: IdentityToken) -> AccessToken | None:
    """None for one that has ended, or that was sealed for other ids: the source has another one."""
    opener = _opener(row)
    return _token(row, opener) if opener else None


def _opener(row: IdentityToken) -> Callable[[], vault.Secret] | None:
    if not _lives(row):
        return None
    try:
        opener = vault.opener(row.value, row.binding())
        opener()
    except vault.SealBroken:
        return None
    except vault.KeyUnavailable:
        raise TokenUnavailable("key_unavailable") from None
    return opener


def _token(row: IdentityToken, opener: Callable[[], vault.Secret]) -> AccessToken:
    return AccessToken(opener(), row.audience, row.expires_at, row.obtained_at, row.generation)
