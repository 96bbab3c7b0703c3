"""What users gave: stored, used, revoked. How one is refreshed stands in `leases` and `refreshing`."""

import time
from collections.abc import Callable, Sequence

from django.db.models import QuerySet
from django.utils import timezone

from connections.methods.base import Caller, CredentialUnavailable
from connections.models import Connection
from consent import answering, events, leases, oauth2, records, refreshing, revocation, tokens
from consent.identifying import Account
from consent.models import ConsentRequest, Grant
from consent.tokens import AccessToken, NeedsConsent, ends
from portal.audit import changes, log
from portal.users import User

__all__ = [
    "AccessToken", "NeedsConsent", "ends", "fresh_token", "is_usable", "of", "revoke", "revoke_all", "store",
    "token_at_hand",
]  # fmt: skip

# Beyond a lease, so that whoever waits for a process that died takes over from it.
WAIT_SECONDS = 5.0
LOOK_AGAIN = 0.05


def of(connection: Connection, caller: Caller) -> Grant | None:
    """The grant of this user for this agent and connection, whatever its state."""
    rows = Grant.objects.filter(connection=connection, agent=caller.agent, user=caller.user)
    return rows.select_related("connection__project", "agent", "user").first()


def is_usable(grant: Grant, connection: Connection) -> bool:
    """Whether the next call needs no consent, as far as anybody knows without asking the provider."""
    stands = grant.state == Grant.State.ACTIVE and grant.asked.still_fit(connection)
    return stands and not tokens.is_spent(grant)


def token_at_hand(grant: Grant) -> Callable[[], AccessToken | None]:
    """Gives the grant's token, as often as it is called, while the provider need not be asked; then None.

    Raises as `fresh_token`. Good until a change is announced.
    """
    _check(grant)
    opener = tokens.opener(grant, "access_token")

    def token() -> AccessToken | None:
        serves = not tokens.is_due(grant, None) or (_waits(grant) and tokens.lives(grant))
        return AccessToken(opener(), grant.generation) if serves else None

    return token


def fresh_token(grant: Grant, beyond: int | None = None) -> AccessToken:
    """A token that lives, refreshed if need be; `beyond` is a generation that the endpoint has refused.

    Waits while another process talks to the provider, unless the old token still serves. Raises NeedsConsent, or
    CredentialUnavailable when an administrator or time must help.
    """
    lease = leases.length(answering.deadline_of(grant.connection))
    until = time.monotonic() + lease.total_seconds() + WAIT_SECONDS
    while True:
        if token := _token_now(grant, beyond):
            return token
        if time.monotonic() > until:
            raise CredentialUnavailable("provider_unavailable")
        time.sleep(LOOK_AGAIN)
        _read_again(grant)


def _token_now(grant: Grant, beyond: int | None) -> AccessToken | None:
    """None while somebody else is at it."""
    _check(grant)
    if not tokens.is_due(grant, beyond):
        return tokens.current(grant)
    if _waits(grant):
        return refreshing.with_the_old(grant, beyond, grant.refresh_error)
    if lease := leases.take(grant):
        return refreshing.refreshed(grant, lease, beyond)
    return tokens.current(grant) if beyond is None and tokens.lives(grant) else None


def _check(grant: Grant) -> None:
    if grant.state != Grant.State.ACTIVE:
        raise NeedsConsent(grant.reason or grant.state)
    if not grant.asked.still_fit(grant.connection):
        raise NeedsConsent("address_changed")


def _waits(grant: Grant) -> bool:
    """The provider said no a moment ago, and is not asked again yet."""
    return grant.retry_at is not None and grant.retry_at > timezone.now()


def _read_again(grant: Grant) -> None:
    try:
        grant.refresh_from_db()
    except Grant.DoesNotExist:
        raise CredentialUnavailable("connection_unknown") from None


# Beginnings and ends


def store(request: ConsentRequest, new: oauth2.Tokens, account: Account, notes: Sequence[str] = ()) -> Grant:
    """What the user just gave, in place of whatever was there; call it inside a transaction."""
    grant = Grant.objects.select_for_update().filter(
        connection=request.connection, agent=request.agent, user=request.user
    ).first() or Grant(connection=request.connection, agent=request.agent, user=request.user)
    grant.terms, grant.scopes_given = request.terms, list(request.asked.scopes)
    grant.state, grant.reason, grant.ended_at = Grant.State.ACTIVE, "", None
    grant.given_at, grant.refreshed_at, grant.account = timezone.now(), None, account.shown
    grant.account_issuer, grant.account_subject, grant.account_notes = account.issuer, account.subject, list(notes)
    grant.refresh_error, grant.refresh_failures, grant.retry_at = "", 0, None
    grant.lease_by = grant.lease_until = grant.asked_at = grant.restored_at = None
    grant.refresh_token = ""
    grant.refresh_token_ends_at = grant.tell_at = grant.told_at = None
    grant.generation += 1
    for name, value in tokens.sealed(grant, new).items():
        setattr(grant, name, value)
    grant.save()
    revocation.supersede(grant)
    return grant


def revoke(grant: Grant, by: User, reason: str = "disconnected_by_user") -> bool:
    """Ends it here at once; the provider is told by a worker. False where it can't be told."""
    with changes.announced():
        return bool(revoke_all(Grant.objects.filter(pk=grant.pk), by, reason))


def revoke_all(rows: QuerySet[Grant], by: User, reason: str) -> int:
    """For the transaction of whatever ends them. Of how many a provider is to be told."""
    standing = rows.exclude(state=Grant.State.REVOKED).select_for_update(of=("self",)).order_by("id")
    found = list(standing.select_related("connection__project", "agent", "user"))
    return sum(_revoked(grant, log.Actor.of(by), reason) for grant in found)


def _revoked(grant: Grant, by: log.Actor, reason: str) -> bool:
    """Queued before it is wiped, so that neither is without the other."""
    queued = revocation.queue(grant, *tokens.both(grant))
    grant.state, grant.reason, grant.ended_at = Grant.State.REVOKED, reason, timezone.now()
    grant.access_token = grant.refresh_token = ""
    grant.lease_by = grant.lease_until = grant.tell_at = None
    grant.generation += 1
    grant.save()
    records.of_grant(events.REVOKED, grant, actor=by, reason=reason)
    return queued
