"""An endpoint that wants more than a user allowed (RFC 6750, 3.1): what it names is asked for, and only so often.

Everything of it is the endpoint's word, and an endpoint may be hostile. So only names that can be scopes count, and
only so many; each set of them is put to a person a few times, all of them together a few times more, and then the
endpoint's refusal stands. What the person gave before is not touched: calls that it suffices for go on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from connections.models import Connection
from consent.discovery import challenge
from consent.discovery.ways import scopes_of
from consent.models import ConsentRequest, Grant
from consent.terms import Terms

ASKS_FOR_MORE = "more_access_wanted"
ASKS_IN_VAIN = "more_access_refused"
# Names that one answer counts for, and that one person is asked for in all.
MOST_NAMED, MOST_ASKED = 20, 60
# How often a person decides about the same names, and about any, within the time.
MOST_OF_A_SET, MOST_OF_ALL = 3, 10
WITHIN = timedelta(days=7)
DECIDED = (ConsentRequest.State.GRANTED, ConsentRequest.State.DECLINED, ConsentRequest.State.NOT_ASKED)


def named(challenges: Sequence[str]) -> tuple[str, ...]:
    """The scopes that a refusal for want of scopes names; () for any other refusal."""
    found = challenge.insufficient_scope(challenges)
    return scopes_of(found.split())[:MOST_NAMED] if found is not None else ()


def to_ask(grant: Grant, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """All that is asked for now: given and asked before, and what is wanted; () where it would be in vain.

    What a link that is still open asks for is among it, so that two calls don't end each other's link.
    """
    missing = [name for name in wanted if name not in grant.scopes_given]
    if not missing or _was_asked_enough(grant, missing):
        return ()
    open_link = _of(grant).filter(state=ConsentRequest.State.WAITING, expires_at__gt=timezone.now()).first()
    more = open_link.asked.scopes if open_link else ()
    everything = tuple(dict.fromkeys((*grant.asked.scopes, *grant.scopes_given, *more, *missing)))
    return everything if len(everything) <= MOST_ASKED else ()


def _was_asked_enough(grant: Grant, missing: list[str]) -> bool:
    decided = _of(grant).filter(state__in=DECIDED, decided_at__gt=timezone.now() - WITHIN)
    of_this_set = decided.filter(terms__scopes__contains=missing)
    return of_this_set.count() >= MOST_OF_A_SET or decided.count() >= MOST_OF_ALL


def _of(grant: Grant):
    who = {"connection": grant.connection, "agent": grant.agent, "user": grant.user}
    return ConsentRequest.objects.filter(**who, reason=ASKS_FOR_MORE)


def live_of(grant: Grant) -> ConsentRequest | None:
    """The link that waits for this person to allow more."""
    rows = _of(grant).filter(state=ConsentRequest.State.WAITING, expires_at__gt=timezone.now())
    return rows.select_related("connection", "agent", "user").first()


# For the connection's administrator


@dataclass(frozen=True)
class Wanted:
    """A scope that the endpoint named and the connection does not ask for; people by what they answered."""

    scope: str
    allowed: int
    declined: int
    asked: int


def lately(connection: Connection) -> list[Wanted]:
    """By name; empty where the endpoint is content with what the connection asks for."""
    usual, answers = set(Terms.now(connection).scopes), {}
    rows = ConsentRequest.objects.filter(
        connection=connection, reason=ASKS_FOR_MORE, created_at__gt=timezone.now() - WITHIN
    )
    for user, state, terms in rows.order_by("created_at").values_list("user_id", "state", "terms"):
        for scope in set(terms["scopes"]) - usual:
            # The last answer of each person counts.
            answers.setdefault(scope, {})[user] = state
    return [_counted(scope, list(answers[scope].values())) for scope in sorted(answers)]


def _counted(scope: str, states: list[str]) -> Wanted:
    no = states.count(ConsentRequest.State.DECLINED) + states.count(ConsentRequest.State.NOT_ASKED)
    return Wanted(scope, states.count(ConsentRequest.State.GRANTED), no, len(states))
