"""When a grant is looked at next: to refresh it before its end, and to tell its user of an end that nothing renews.

Who is in use is refreshed ahead; who is not is left alone, unless the connection says that unused access is kept alive.
"""

import random
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from connections.models import Health
from consent import answering, clients, marking, oauth2
from consent.models import Grant

# Before the end of an access token, and at most so much of its life.
MARGIN, SHARE = timedelta(minutes=5), 4
# A token whose provider does not say how long it lives is renewed daily, and whenever it is refused.
UNKNOWN_LIFE = timedelta(days=1)
# Longer than a weekend: who calls on Mondays does not wait for a refresh then.
IN_USE = timedelta(days=3)
LOOK_AGAIN = timedelta(days=1)
SELDOM = timedelta(hours=1)
CLIENT_RETRY = timedelta(minutes=5)
# Before an end that only the user can move, and at most so much of the whole time.
WARNING = timedelta(days=3)


def refresh_due(ends: datetime, life: timedelta) -> datetime:
    """Spread over a while, so that what was given together is not refreshed together."""
    return ends - min(MARGIN, life / SHARE) * random.uniform(1, 2)  # noqa: S311 -- no secret


def after(grant: Grant, new: oauth2.Tokens) -> dict[str, Any]:
    """The columns that follow from new tokens."""
    now, life = timezone.now(), _span(new.expires_in)
    if not (new.refresh or grant.refresh_token):
        return {"refresh_due_at": now + (life or LOOK_AGAIN)} | _told_of(grant, now, life)
    due, whole = refresh_due(now + (life or UNKNOWN_LIFE), life or UNKNOWN_LIFE), _span(new.refresh_expires_in)
    if whole is None:
        # Of a new refresh token nobody knows the end; of the old one stays known what was.
        return {"refresh_due_at": due} | ({"refresh_token_ends_at": None, "tell_at": None} if new.refresh else {})
    due = min(due, _well_before(now + whole, whole, now))
    return {"refresh_due_at": due, "refresh_token_ends_at": now + whole} | _told_of(grant, now, whole)


def _span(seconds: int | None) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds is not None else None


def _well_before(end: datetime, whole: timedelta, now: datetime) -> datetime:
    """Before anybody is warned of a refresh token's end: many providers give one that lives longer with a refresh."""
    return max(end - min(WARNING, whole / SHARE) * 2, now + SELDOM)


def _told_of(grant: Grant, now: datetime, life: timedelta | None) -> dict[str, Any]:
    """Once for each end: of a provider that repeats the same one with every refresh nobody hears twice."""
    if life is None:
        return {"tell_at": None}
    known = grant.refresh_token_ends_at
    if grant.told_at and known and now + life < known + timedelta(minutes=1):
        return {}
    return {"tell_at": now + life - min(WARNING, life / SHARE), "told_at": None}


def known_end(grant: Grant) -> datetime | None:
    """When it ends unless something is done: the refresh token's end or, without one, the access token's."""
    return grant.refresh_token_ends_at if grant.refresh_token else grant.expires_at


def ends_soon(grant: Grant) -> bool:
    """Whether only its user can keep it from ending, and it is time to."""
    end, begun = known_end(grant), grant.refreshed_at or grant.given_at
    return end is not None and end - min(WARNING, (end - begun) / SHARE) <= timezone.now()


def postponed(grant: Grant, used_at: datetime | None) -> datetime | None:
    """When a sweep should look at it again; None where now is the time to ask the provider."""
    now = timezone.now()
    if not _is_of_use(grant):
        return now + LOOK_AGAIN
    if not grant.refresh_token or (answering.is_open(grant) and not answering.may_ask_again(grant)):
        # Nothing to ask with; or it may have been used up already, and a second use can end the whole grant.
        return _unless_past(grant.expires_at or now + LOOK_AGAIN, now)
    if refused_at := _client_refused_at(grant.connection):
        return _unless_past(refused_at + CLIENT_RETRY * random.uniform(1, 1.2), now)  # noqa: S311 -- no secret
    if answering.is_open(grant) and answering.grace_runs(grant):
        return None
    if grant.restored_at:
        # From a backup: one try says whether it still stands, be it used or not.
        return None
    return _unless_past(_wanted(grant, used_at, now), now)


def _is_of_use(grant: Grant) -> bool:
    """Not while no call could use it, for a reason that may pass."""
    enabled = grant.connection.is_enabled and grant.agent.disabled_at is None and grant.user.is_active
    return enabled and grant.asked.still_fit(grant.connection) and clients.is_complete(grant.connection)


def _client_refused_at(connection) -> datetime | None:
    """The provider refuses our app registration: one grant's answer is every grant's, until somebody acts (F15)."""
    health = getattr(connection, "health", None)
    refused = health and health.state == Health.State.FAILING and health.reason == marking.REASON
    return health.checked_at if refused else None


def _wanted(grant: Grant, used_at: datetime | None, now: datetime) -> datetime:
    begun = grant.refreshed_at or grant.given_at
    if max(used_at or grant.given_at, grant.given_at) > now - IN_USE:
        return _before_its_end(grant, begun, now)
    days = grant.connection.settings.get("keep_alive_days")
    if not days:
        return now + LOOK_AGAIN
    wanted = begun + timedelta(days=days)
    if end := grant.refresh_token_ends_at:
        wanted = min(wanted, end - (end - begun) / SHARE)
    return min(wanted, now + LOOK_AGAIN)


def _before_its_end(grant: Grant, begun: datetime, now: datetime) -> datetime:
    """The earliest that `after` can have chosen: rows from before there were sweeps have no date of their own."""
    end = grant.expires_at or begun + UNKNOWN_LIFE
    wanted = end - min(MARGIN, (end - begun) / SHARE) * 2 - timedelta(seconds=5)
    if last := grant.refresh_token_ends_at:
        wanted = min(wanted, _well_before(last, last - begun, begun))
    return wanted


def _unless_past(moment: datetime, now: datetime) -> datetime | None:
    return moment if moment > now else None
