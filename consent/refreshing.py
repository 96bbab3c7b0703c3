"""One refresh, by whoever holds the lease: what is asked of the provider, and what each of its answers means."""

import time
from dataclasses import replace
from functools import partial

from django.db import InterfaceError, OperationalError, transaction
from django.db import connection as database
from django.db.models import F
from django.db.models.functions import Now

from connections.methods.base import CredentialUnavailable
from consent import answering, clients, events, leases, marking, oauth2, pace, records, revocation, rollover, tokens
from consent.leases import Lease
from consent.models import Grant
from consent.tokens import AccessToken, NeedsConsent
from portal import vault
from portal.audit import changes
from portal.audit.events import Outcome

# Seconds beyond the lease for which new tokens are held in memory while the database can't be reached (F09).
OUTLASTS = 30
CLIENT_RETRY = 30


def refreshed(grant: Grant, lease: Lease, beyond: int | None) -> AccessToken | None:
    """The new token, or the old one where that still serves; None where the lease was lost on the way: look again.

    Raises NeedsConsent or CredentialUnavailable.
    """
    if not grant.refresh_token:
        return _ended(grant, lease, "access_token_refused" if tokens.lives(grant) else "access_token_ended")
    try:
        client, token = clients.of(grant.connection, grant.asked), tokens.opened(grant, "refresh_token")
        # As the lease was taken for, whatever the connection says by now.
        client = replace(client, deadline=lease.deadline)
    except CredentialUnavailable as unavailable:
        return _put_off(grant, lease, beyond, unavailable.code, CLIENT_RETRY)
    except NeedsConsent:
        leases.give_back(grant, lease)
        raise
    if lease.is_spent:
        leases.give_back(grant, lease)
        return None
    return _answered(grant, lease, beyond, client, token)


def _answered(grant, lease, beyond, client, token) -> AccessToken | None:
    try:
        new = rollover.asked(grant.connection, client, partial(_ask, token), lambda: not lease.is_spent)
    except oauth2.GrantEnded as refused:
        return _ended(grant, lease, _why_ended(grant, lease, refused))
    except oauth2.ClientRefused as refused:
        marking.client_refused(grant.connection)
        return _put_off(grant, lease, beyond, refused.code, refused.retry_after)
    except oauth2.TokenRefused as refused:
        if isinstance(refused, oauth2.ProviderBusy | oauth2.Uncertain):
            pace.pause(grant.provider, refused.retry_after)
        return _put_off(grant, lease, beyond, refused.code, _pause_after(grant, refused))
    return _kept(grant, lease, client, new)


def _pause_after(grant: Grant, refused: oauth2.TokenRefused) -> int:
    uncertain = isinstance(refused, oauth2.Uncertain)
    return answering.pause(grant, refused.retry_after) if uncertain else refused.retry_after


def _ask(token: vault.Secret, client: oauth2.Client) -> oauth2.Tokens:
    return oauth2.refresh(client, token)


def _why_ended(grant: Grant, lease: Lease, refused: oauth2.GrantEnded) -> str:
    if grant.restored_at:
        return "restored_from_backup"
    return "interrupted_refresh" if lease.replays else refused.code


def with_the_old(grant: Grant, beyond: int | None, code: str) -> AccessToken:
    """The old token serves while it lives; a refused one does not."""
    if beyond is None and tokens.lives(grant):
        return tokens.current(grant)
    raise CredentialUnavailable(code)


def _put_off(grant: Grant, lease: Lease, beyond: int | None, code: str, seconds: int) -> AccessToken | None:
    with transaction.atomic():
        if not leases.put_off(grant, lease, code, seconds):
            return None
        records.of_grant(events.REFRESH_FAILED, grant, Outcome.FAILED, reason=code)
    return with_the_old(grant, beyond, code)


def _ended(grant: Grant, lease: Lease, reason: str) -> None:
    """The provider has ended it: the tokens are gone, the row says why."""
    ended = {"state": Grant.State.NEEDS_CONSENT, "reason": reason, "ended_at": Now(), "lease_by": None}
    ended["restored_at"] = None
    wiped = {"access_token": "", "refresh_token": "", "lease_until": None, "generation": F("generation") + 1}
    # Whom a call ends it for, learns it from the answer; whom a sweep does, by mail, unless they were warned before.
    ended |= {"tell_at": Now() if lease.ahead and grant.told_at is None else None}
    # Announced, because processes keep tokens at hand for as long as nothing changes.
    with changes.announced():
        if not leases.held(grant, lease).update(**ended, **wiped):
            return
        records.of_grant(events.ENDED, grant, Outcome.CONSENT_NEEDED, reason=reason)
    raise NeedsConsent(reason)


# Keeping what came


def _kept(grant: Grant, lease: Lease, client: oauth2.Client, new: oauth2.Tokens) -> AccessToken | None:
    """New tokens in one row and one commit: the refresh token is durable before the access token is used."""
    if not _committed(grant, lease, new):
        _discard(grant, client, new)
        return None
    records.of_grant(events.REFRESHED, grant)
    marking.client_accepted(grant.connection)
    return AccessToken(new.access, lease.generation + 1)


def _committed(grant: Grant, lease: Lease, new: oauth2.Tokens) -> bool:
    """Tries for a while: a database that restarts just now must not cost the user their grant (F09)."""
    while True:
        try:
            return _update(grant, lease, new) or _is_there(grant, lease, new)
        except (OperationalError, InterfaceError):
            database.close()
            if time.monotonic() > lease.ends + OUTLASTS:
                raise
            time.sleep(0.2)


def _update(grant: Grant, lease: Lease, new: oauth2.Tokens) -> int:
    columns = tokens.sealed(grant, new) | {"refreshed_at": Now(), "generation": F("generation") + 1}
    settled = {"refresh_error": "", "refresh_failures": 0, "retry_at": None, "lease_by": None, "lease_until": None}
    settled |= {"restored_at": None, "asked_at": None}
    return leases.held(grant, lease).update(**columns, **settled)


def _is_there(grant: Grant, lease: Lease, new: oauth2.Tokens) -> bool:
    """Whether an earlier try was committed and only its answer was lost: then these tokens are no late ones."""
    stored = Grant.objects.filter(pk=grant.pk, generation=lease.generation + 1, state=Grant.State.ACTIVE).first()
    access = tokens.both(stored)[1] if stored else None
    return access is not None and access.reveal() == new.access.reveal()


def _discard(grant: Grant, client: oauth2.Client, new: oauth2.Tokens) -> None:
    """A refresh that came back after a revocation, or after its lease.

    After a revocation nothing of it may stay usable, also where its connection was deleted meanwhile. While the grant
    stands, another process got tokens of the same family, and revoking these would end those too.
    """
    with transaction.atomic():
        records.of_grant(events.REFRESH_DISCARDED, grant)
        if not Grant.objects.filter(pk=grant.pk, state=Grant.State.ACTIVE).exists():
            revocation.queue(grant, new.refresh, new.access, client)
