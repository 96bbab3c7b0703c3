"""What a change of a connection ends: a token is only used as it was given (T01, T16)."""

from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from connections.models import Connection
from consent import events, revocation, stepping_up, tokens
from consent.models import ConsentRequest, Grant
from consent.terms import Terms
from portal.audit import log
from portal.audit.events import Outcome
from portal.users import User


def lost_by(connection: Connection, slug: str) -> str:
    """What saving `connection` as it is now would end, in words; "" for nothing. `slug` is this method's."""
    count = len(_misfits(connection, slug))
    lost = ["clears the client secret"] if _drops_secret(connection, slug) else []
    lost += [f"sets {count} consent{'' if count == 1 else 's'} to “needs consent again”"] if count else []
    return " and ".join(lost)


def _drops_secret(connection: Connection, slug: str) -> bool:
    """A connection that turns to a publisher's app keeps no secret of its own."""
    turns = connection.auth_method == slug and bool(connection.settings.get("publisher"))
    return turns and connection.secrets.exclude(value="").exists()


def end_what_no_longer_fits(connection: Connection, slug: str, by: User) -> None:
    """Wipes the tokens and ends the open links; for the transaction that has just saved the connection.

    The provider is told where they were given; the client secret for it is still stored.
    """
    for grant in _misfits(connection, slug, locked=True):
        end(grant, "address_changed", by)
    _end_links(connection, slug)


def end(grant: Grant, reason: str, by: User) -> None:
    """Its tokens are wiped and its user must be asked again; for the transaction that has its row locked."""
    revocation.queue(grant, *tokens.both(grant))
    grant.state, grant.reason, grant.ended_at = Grant.State.NEEDS_CONSENT, reason, timezone.now()
    grant.access_token = grant.refresh_token = ""
    grant.lease_by = grant.lease_until = None
    grant.generation += 1
    grant.save()
    _log(grant, by)


def _misfits(connection: Connection, slug: str, *, locked: bool = False) -> list[Grant]:
    rows = Grant.objects.filter(connection=connection, state=Grant.State.ACTIVE).select_related("agent", "user")
    if locked:
        rows = rows.select_for_update(of=("self",)).order_by("id")
    return [grant for grant in rows if connection.auth_method != slug or not grant.asked.still_fit(connection)]


def _end_links(connection: Connection, slug: str) -> None:
    """A link that shows something else than what is asked now would only be answered in vain."""
    waiting = ConsentRequest.objects.filter(connection=connection, state=ConsentRequest.State.WAITING)
    if connection.auth_method == slug:
        now = Terms.now(connection).stored()
        # Scopes that the endpoint named are the link's own.
        with_more = Q(reason=stepping_up.ASKS_FOR_MORE, pk__in=_same_but_for_scopes(waiting, now))
        waiting = waiting.exclude(Q(terms=now) | with_more)
    waiting.update(state=ConsentRequest.State.ENDED)


def _same_but_for_scopes(rows: QuerySet[ConsentRequest], now: dict) -> list[UUID]:
    return [row.pk for row in rows if row.terms | {"scopes": now["scopes"]} == now]


def _log(grant: Grant, by: User) -> None:
    log.record(
        events.ENDED,
        log.Actor.of(by),
        outcome=Outcome.CONSENT_NEEDED,
        reason=grant.reason,
        project=grant.connection.project,
        agent=grant.agent,
        connection=grant.connection,
        on_behalf_of=grant.user,
        auth_method=grant.connection.auth_method,
        details={"generation": grant.generation},
    )
