"""A grant's tokens: sealed into its row, opened from it, and when new ones are due."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from connections.methods.base import CredentialUnavailable
from consent import answering, oauth2, timing
from consent.models import Grant
from portal import vault

# Refresh a little before the end, so that a token does not expire on the way.
MARGIN = timedelta(seconds=30)


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


def current(grant: Grant) -> AccessToken:
    """What is stored, whether it lives or not. Raises as `opened`."""
    return AccessToken(opened(grant, "access_token"), grant.generation)


def opened(grant: Grant, field: str) -> vault.Secret:
    """Raises NeedsConsent where the value is not this row's, CredentialUnavailable where the ring lacks its key."""
    return opener(grant, field)()


def opener(grant: Grant, field: str) -> Callable[[], vault.Secret]:
    """Opens it as often as it is called; it could be opened now. Raises as `opened`."""
    try:
        opened_again = vault.opener(getattr(grant, field), grant.binding(field))
        opened_again()
        return opened_again
    except vault.SealBroken:
        raise NeedsConsent("token_unreadable") from None
    except vault.KeyUnavailable:
        raise CredentialUnavailable("key_unavailable") from None


def both(grant: Grant) -> tuple[vault.Secret | None, vault.Secret | None]:
    """(refresh token, access token), None for one that is not there or can't be opened."""
    return _if_readable(grant, "refresh_token"), _if_readable(grant, "access_token")


def _if_readable(grant: Grant, field: str) -> vault.Secret | None:
    try:
        return opened(grant, field) if getattr(grant, field) else None
    except (NeedsConsent, CredentialUnavailable):
        return None


def sealed(grant: Grant, new: oauth2.Tokens) -> dict[str, Any]:
    """The columns of new tokens. An absent new refresh token keeps the old one (RFC 6749 6)."""
    life = timedelta(seconds=new.expires_in) if new.expires_in is not None else None
    columns = {
        "access_token": vault.seal(new.access.reveal(), grant.binding("access_token")),
        "expires_at": timezone.now() + life if life else None,
    }
    if new.refresh:
        columns["refresh_token"] = vault.seal(new.refresh.reveal(), grant.binding("refresh_token"))
    if new.scopes is not None:
        columns["scopes_given"] = list(new.scopes)
    return columns | timing.after(grant, new)


def lives(grant: Grant) -> bool:
    return grant.expires_at is None or grant.expires_at > timezone.now()


def is_spent(grant: Grant) -> bool:
    """Whether nothing is left to call with or to refresh: only the user can give a new one."""
    return not grant.refresh_token and not lives(grant)


def is_due(grant: Grant, beyond: int | None) -> bool:
    """Whether new tokens must be asked for; `beyond` is a generation that the endpoint has refused."""
    if beyond is not None and grant.generation <= beyond:
        return True
    if not grant.refresh_token:
        return not lives(grant)
    if answering.is_open(grant):
        if not answering.may_ask_again(grant):
            return not lives(grant)
        if grant.refresh_error == oauth2.Uncertain.code:
            # The grace runs.
            return True
    if grant.expires_at is None:
        return (grant.refreshed_at or grant.given_at) + timing.UNKNOWN_LIFE < timezone.now()
    return grant.expires_at - MARGIN < timezone.now()


def ends(grant: Grant) -> datetime | None:
    """When it stops working by itself; None while it renews itself or nobody knows."""
    return None if grant.refresh_token else grant.expires_at
