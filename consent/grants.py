"""What users gave: stored, used, refreshed, revoked.

A rotating refresh token dies when two use it, and a provider that sees it twice ends the whole grant. So one process
at a time talks to the provider, under a lease in the grant's own row on the database's clock; the call itself is made
outside any transaction; and what comes back counts only if row, generation and lease are still the same. The lease
outlasts the call's deadline, so a process that dies holding it blocks nobody for longer than LEASE.
"""

import time
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import OperationalError
from django.db import connection as database
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone

from connections.methods.base import Caller, CredentialUnavailable
from connections.models import Connection
from consent import clients, events, oauth2
from consent.models import ConsentRequest, Grant
from portal import vault
from portal.audit import changes, log
from portal.audit.events import Outcome
from portal.users import User

LEASE = timedelta(seconds=20)
# Refresh a little before the end, so that a token does not expire on the way.
MARGIN = timedelta(seconds=30)
# A token whose provider does not say how long it lives is renewed daily, and whenever it is refused.
UNKNOWN_LIFE = timedelta(days=1)
UNCERTAIN_RETRY = 5
WAIT_SECONDS = 25.0
assert LEASE.total_seconds() > oauth2.DEADLINE + 5


class NeedsConsent(Exception):
    """Only the user can help now; `reason` is a troubleshooting code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class AccessToken:
    """A token to call with, and the generation it is of: what a refused one is renewed beyond."""

    value: vault.Secret
    generation: int


def of(connection: Connection, caller: Caller) -> Grant | None:
    """The grant of this user for this agent and connection, whatever its state."""
    rows = Grant.objects.filter(connection=connection, agent=caller.agent, user=caller.user)
    return rows.select_related("connection__project", "agent", "user").first()


def fresh_token(grant: Grant, beyond: int | None = None) -> AccessToken:
    """A token that lives, refreshed if need be; `beyond` is a generation that the endpoint has refused.

    Raises NeedsConsent, or CredentialUnavailable when an administrator or time must help.
    """
    until = time.monotonic() + WAIT_SECONDS
    while True:
        _check(grant)
        if not _must_refresh(grant, beyond):
            return _opened(grant)
        if lease := _lease(grant):
            return _refreshed(grant, lease, beyond)
        if beyond is None and _lives(grant):
            return _opened(grant)
        if time.monotonic() > until:
            raise CredentialUnavailable("provider_unavailable")
        time.sleep(0.05)
        grant.refresh_from_db()


def _check(grant: Grant) -> None:
    if grant.state != Grant.State.ACTIVE:
        raise NeedsConsent(grant.reason or grant.state)
    if not grant.asked.still_fit(grant.connection):
        raise NeedsConsent("address_changed")


def _must_refresh(grant: Grant, beyond: int | None) -> bool:
    if beyond is not None and grant.generation <= beyond:
        return True
    if grant.expires_at is None:
        return bool(grant.refresh_token) and (grant.refreshed_at or grant.given_at) + UNKNOWN_LIFE < timezone.now()
    return grant.expires_at - MARGIN < timezone.now()


def _lives(grant: Grant) -> bool:
    return grant.expires_at is None or grant.expires_at > timezone.now()


def _opened(grant: Grant) -> AccessToken:
    return AccessToken(_open(grant, "access_token"), grant.generation)


def _open(grant: Grant, field: str) -> vault.Secret:
    try:
        return vault.open_sealed(getattr(grant, field), grant.binding(field))
    except vault.SealBroken:
        raise NeedsConsent("token_unreadable") from None
    except vault.KeyUnavailable:
        raise CredentialUnavailable("key_unavailable") from None


# The lease


@dataclass(frozen=True)
class Lease:
    """The right to talk to the provider, since `at` (monotonic). `replays`: an earlier attempt ended unknown."""

    id: uuid.UUID
    generation: int
    at: float
    replays: bool


def _lease(grant: Grant) -> Lease | None:
    """None while another process holds it."""
    mine, at = uuid.uuid4(), time.monotonic()
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    row = Grant.objects.filter(free, pk=grant.pk, generation=grant.generation, state=Grant.State.ACTIVE)
    if not row.update(lease_by=mine, lease_until=Now() + LEASE):
        return None
    interrupted = grant.lease_by is not None or grant.refresh_error == oauth2.Uncertain.code
    return Lease(mine, grant.generation, at, interrupted)


def _held(grant: Grant, lease: Lease):
    """The row, if it still is as it was when the lease was taken: revoking or another process has not come between."""
    return Grant.objects.filter(pk=grant.pk, lease_by=lease.id, generation=lease.generation, state=Grant.State.ACTIVE)


def _release(grant: Grant, lease: Lease, error: str, retry_in: int) -> None:
    retry_at = timezone.now() + timedelta(seconds=retry_in)
    _held(grant, lease).update(lease_by=None, lease_until=None, refresh_error=error, retry_at=retry_at)
    _log(events.REFRESH_FAILED, grant, Outcome.FAILED, reason=error)


# Refreshing


def _refreshed(grant: Grant, lease: Lease, beyond: int | None) -> AccessToken:
    if _too_soon(grant):
        return _with_the_old(grant, lease, beyond, grant.refresh_error, release=True)
    if not grant.refresh_token:
        _end(grant, lease, "access_token_ended")
        raise NeedsConsent("access_token_ended")
    try:
        tokens = _asked_for(grant, lease)
    except oauth2.GrantEnded:
        reason = "interrupted_refresh" if lease.replays else oauth2.GrantEnded.code
        _end(grant, lease, reason)
        raise NeedsConsent(reason) from None
    except oauth2.ProviderBusy as busy:
        _release(grant, lease, busy.code, busy.retry_after)
        return _with_the_old(grant, lease, beyond, busy.code)
    except oauth2.TokenRefused as refused:
        _release(grant, lease, refused.code, UNCERTAIN_RETRY)
        return _with_the_old(grant, lease, beyond, refused.code)
    return _kept(grant, lease, tokens)


def _too_soon(grant: Grant) -> bool:
    return grant.retry_at is not None and grant.retry_at > timezone.now()


def _with_the_old(grant: Grant, lease: Lease, beyond: int | None, code: str, *, release: bool = False) -> AccessToken:
    """The old token serves while it lives; a refused one does not."""
    if release:
        _held(grant, lease).update(lease_by=None, lease_until=None)
    if beyond is None and _lives(grant):
        return _opened(grant)
    raise CredentialUnavailable(code)


def _asked_for(grant: Grant, lease: Lease) -> oauth2.Tokens:
    client, token = clients.of(grant.connection, grant.asked), _open(grant, "refresh_token")
    # A process that was frozen since it took the lease must not begin what another may have begun (F03).
    if time.monotonic() - lease.at > LEASE.total_seconds() - oauth2.DEADLINE - 2:
        raise oauth2.ProviderBusy(1)
    return oauth2.refresh(client, token)


def _kept(grant: Grant, lease: Lease, tokens: oauth2.Tokens) -> AccessToken:
    """New tokens in one row and one commit: the refresh token is durable before the access token is used."""
    columns = _sealed(grant, tokens) | {"refreshed_at": Now(), "refresh_error": "", "retry_at": None}
    columns |= {"generation": F("generation") + 1, "lease_by": None, "lease_until": None}
    if not _committed(lambda: _held(grant, lease).update(**columns), lease):
        _discard(grant, tokens)
        grant.refresh_from_db()
        _check(grant)
        return _opened(grant)
    _log(events.REFRESHED, grant)
    return AccessToken(tokens.access, lease.generation + 1)


def _committed(update, lease: Lease) -> int:
    """Tries until the lease ends: a database that restarts just now must not cost the user their grant (F09)."""
    while True:
        try:
            return update()
        except OperationalError:
            database.close()
            if time.monotonic() - lease.at > LEASE.total_seconds():
                raise
            time.sleep(0.2)


def _sealed(grant: Grant, tokens: oauth2.Tokens) -> dict:
    """The columns of new tokens. An absent new refresh token keeps the old one (RFC 6749 6)."""
    life = timedelta(seconds=tokens.expires_in) if tokens.expires_in is not None else None
    columns = {
        "access_token": vault.seal(tokens.access.reveal(), grant.binding("access_token")),
        "expires_at": timezone.now() + life if life else None,
    }
    if tokens.refresh:
        columns["refresh_token"] = vault.seal(tokens.refresh.reveal(), grant.binding("refresh_token"))
    if tokens.scopes is not None:
        columns["scopes_given"] = list(tokens.scopes)
    return columns


def _discard(grant: Grant, tokens: oauth2.Tokens) -> None:
    """A refresh that came back after a revocation, or after its lease: nothing of it may stay usable."""
    _log(events.REFRESH_DISCARDED, grant)
    if grant.asked.revocation_url:
        client = clients.of(grant.connection, grant.asked)
        _revoke_both(client, tokens.refresh, tokens.access)


# Beginnings and ends


def store(request: ConsentRequest, tokens: oauth2.Tokens, account: str) -> Grant:
    """What the user just gave, in place of whatever was there; call it inside a transaction."""
    grant = Grant.objects.select_for_update().filter(
        connection=request.connection, agent=request.agent, user=request.user
    ).first() or Grant(connection=request.connection, agent=request.agent, user=request.user)
    grant.terms, grant.scopes_given = request.terms, list(request.asked.scopes)
    grant.state, grant.reason, grant.ended_at = Grant.State.ACTIVE, "", None
    grant.given_at, grant.refreshed_at, grant.account = timezone.now(), None, account
    grant.refresh_error, grant.retry_at, grant.lease_by, grant.lease_until = "", None, None, None
    grant.refresh_token = ""
    grant.generation += 1
    for name, value in _sealed(grant, tokens).items():
        setattr(grant, name, value)
    grant.save()
    return grant


def _end(grant: Grant, lease: Lease, reason: str) -> None:
    """The provider has ended it: the tokens are gone, the row says why."""
    ended = {"state": Grant.State.NEEDS_CONSENT, "reason": reason, "ended_at": Now(), "lease_by": None}
    wiped = {"access_token": "", "refresh_token": "", "lease_until": None, "generation": F("generation") + 1}
    if _held(grant, lease).update(**ended, **wiped):
        _log(events.ENDED, grant, Outcome.CONSENT_NEEDED, reason=reason)


def revoke(grant: Grant, by: User, reason: str = "disconnected_by_user") -> bool | None:
    """Ends it here at once, then tells the provider: True it confirmed, False it did not, None there is no address."""
    with changes.announced():
        row = Grant.objects.select_for_update(of=("self",)).select_related("connection__project", "agent", "user")
        stored = row.get(pk=grant.pk)
        if stored.state == Grant.State.REVOKED:
            return None
        tokens = _openable(stored)
        stored.state, stored.reason, stored.ended_at = Grant.State.REVOKED, reason, timezone.now()
        stored.access_token = stored.refresh_token = ""
        stored.lease_by = stored.lease_until = None
        stored.generation += 1
        stored.save()
        _log(events.REVOKED, stored, actor=log.Actor.of(by))
    return _told_the_provider(stored, tokens)


def _openable(grant: Grant) -> tuple[vault.Secret | None, vault.Secret | None]:
    """(refresh token, access token), None for one that is not there or can't be opened."""
    opened = []
    for name in ("refresh_token", "access_token"):
        try:
            opened.append(_open(grant, name) if getattr(grant, name) else None)
        except (NeedsConsent, CredentialUnavailable):
            opened.append(None)
    return opened[0], opened[1]


def _told_the_provider(grant: Grant, tokens: tuple[vault.Secret | None, vault.Secret | None]) -> bool | None:
    if not grant.asked.revocation_url or not any(tokens):
        return None
    try:
        client = clients.of(grant.connection, grant.asked)
    except CredentialUnavailable:
        return False
    return _revoke_both(client, *tokens)


def _revoke_both(client: oauth2.Client, refresh: vault.Secret | None, access: vault.Secret | None) -> bool:
    """The refresh token first: with it goes the whole family at most providers."""
    told = [oauth2.revoke(client, token, hint) for token, hint in _hinted(refresh, access)]
    return bool(told) and all(told)


def _hinted(refresh: vault.Secret | None, access: vault.Secret | None) -> list[tuple[vault.Secret, str]]:
    both = ((refresh, "refresh_token"), (access, "access_token"))
    return [(token, hint) for token, hint in both if token is not None]


def ends(grant: Grant) -> datetime | None:
    """When it stops working by itself; None while it renews itself or nobody knows."""
    return None if grant.refresh_token else grant.expires_at


def _log(
    event, grant: Grant, outcome: Outcome = Outcome.SUCCEEDED, *, actor: log.Actor = log.SYSTEM, reason: str = ""
) -> None:
    connection = grant.connection
    log.record(
        event,
        actor,
        outcome=outcome,
        reason=reason,
        project=connection.project,
        agent=grant.agent,
        connection=connection,
        on_behalf_of=grant.user,
        auth_method=connection.auth_method,
        details={"generation": grant.generation},
    )
