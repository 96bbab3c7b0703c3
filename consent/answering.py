"""How a provider answers: within which time, and whether it takes a refresh token once more that was used already.

Both are read from the connection at each use, never from what somebody agreed to: they say how the provider is
spoken to, not where anything goes, and a figure that is mended must count for what was given before. Of a managed app
the publisher's record knows the grace.

A refresh whose end nobody knows (a timeout, an answer cut off, a process that died) leaves two possibilities. Either
the provider has done nothing, and the refresh token is good; or it has rotated, and the answer with the next one is
lost. To ask again is to present the same token a second time. A provider with a grace answers that anew. One without
takes it for a theft and ends the whole family (RFC 9700, 4.14.2): the refresh token that was lost anyway, and the
access token that still works. So when it may be asked again follows from what it could cost:

- Within a grace that is known, at once: nothing can be lost, and each second of waiting is one of the grace. The grace
  is counted from when the first attempt began, which is never later than when the provider took the token.
- Without a grace, or once it is over: not while the access token works. Afterwards once, for then the family has
  nothing left that works here, and if the provider had done nothing, the consent is saved. Never to ask again would
  end every consent in use at each outage that is answered with an error 500.
- Where nobody knows: as without, after an answer that was lost; and at once after a process that died, because most
  providers have a grace, and its lease has used up a part of it.

What is left: where a provider ends more than the family, such as all that this person gave to the same app, the one
replay after the access token's end can cost that too.
"""

from datetime import datetime, timedelta

from django.utils import timezone

from connections.models import Connection
from consent import oauth2
from consent.models import Grant
from consent.publishers import PUBLISHERS
from consent.terms import Terms

SHORTEST_DEADLINE, LONGEST_DEADLINE = 2, 60
LONGEST_GRACE = 7 * 24 * 3600


def deadline_of(connection: Connection) -> float:
    """Seconds for one answer of the token endpoint."""
    return float(connection.settings.get("deadline_seconds") or oauth2.DEADLINE)


def grace_of(connection: Connection, terms: Terms) -> int | None:
    """Seconds; 0 where a used refresh token is never taken again, None where nobody knows."""
    publisher = PUBLISHERS.get(terms.publisher)
    return publisher.grace if publisher else connection.settings.get("grace_seconds")


def is_open(grant: Grant) -> bool:
    """Whether an earlier attempt ended nobody knows how, and nobody is at it now."""
    return grant.was_interrupted or grant.refresh_error == oauth2.Uncertain.code


def may_ask_again(grant: Grant) -> bool:
    """Of one that is open: whether asking costs nothing although the access token still works."""
    grace = grace_of(grant.connection, grant.asked)
    if grace is None:
        return grant.refresh_error != oauth2.Uncertain.code
    return grace_runs(grant)


def grace_runs(grant: Grant) -> bool:
    until = grace_ends(grant)
    return until is not None and timezone.now() < until


def grace_ends(grant: Grant) -> datetime | None:
    """When the provider no longer takes the token that was used; None where that is not known."""
    grace = grace_of(grant.connection, grant.asked)
    return grant.asked_at + timedelta(seconds=grace) if grace and grant.asked_at else None


def pause(grant: Grant, seconds: int) -> int:
    """How long it is left alone after an answer that was lost: within a short grace not longer than half of the rest.

    Where the provider itself named a longer time, that is kept to.
    """
    until = grace_ends(grant)
    if until is None or seconds > oauth2.Uncertain.pause:
        return seconds
    left = (until - timezone.now()).total_seconds()
    return max(1, min(seconds, int(left / 2))) if left > 0 else seconds
