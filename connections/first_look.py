"""Reading the card for a page: what a person is shown before they save, and what moves where calls go."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from django.utils import timezone

from connections import agent_card, events
from connections.agent_card import Card, CardUnreadable, Interface, Suggestion
from connections.drafts import Draft
from connections.methods import method_of
from connections.methods.base import Caller, ConsentRequired, CredentialUnavailable
from connections.models import Connection
from connections.troubleshooting import Entry, entry
from portal.audit import log
from portal.audit.events import Outcome
from portal.users import User

# What makes the address itself useless. Anything else may be better tomorrow: a connection can be saved without a card.
ADDRESS_REFUSED = frozenset({"invalid_url", "address_blocked", "port_blocked", "https_needed", "name_not_found"})


@dataclass(frozen=True)
class Look:
    """What was found: a card with where calls may go, or the problem; `with_credentials` says how it was asked."""

    url: str
    at: datetime
    card: Card | None = None
    interfaces: tuple[Interface, ...] = ()
    foreign: tuple[Interface, ...] = ()
    problem: Entry | None = None
    with_credentials: bool = False

    @property
    def is_usable(self) -> bool:
        """The card says where calls go."""
        return bool(self.interfaces)

    @property
    def suggestion(self) -> Suggestion | None:
        return self.card.suggestion() if self.card else None

    @property
    def digest(self) -> str:
        return digest_of(self.card.raw if self.card else None)

    def complete(self, draft: Draft) -> Draft:
        """The draft with the card's addresses, or with the chosen bindings where it names none."""
        raw = self.card.raw if self.card else None
        return draft.with_card(raw, list(self.interfaces) or draft.chosen_interfaces())


def look(connection: Connection, by: User) -> Look:
    """Asks the endpoint for its card, with the credential where that was chosen. Takes up to 10 seconds.

    A credential that goes along is used by a person, and logged before it is: of a connection that is not saved yet
    too, because its token may be an identity's and not something that they typed.
    """
    if not connection.sends_card_credentials:
        return _look(connection, [])
    columns = {"project": connection.project, "connection": connection, "auth_method": connection.auth_method}
    finish = log.begin(events.CARD_READ, log.Actor.of(by), **columns, target=connection.card_url)
    try:
        seen = _look(connection, _headers(connection))
    except BaseException:
        finish(Outcome.FAILED, reason="internal")
        raise
    finish(Outcome.SUCCEEDED if seen.card else Outcome.FAILED, reason=seen.problem.code if seen.problem else "")
    return seen


def _look(connection: Connection, headers: list[tuple[str, str]]) -> Look:
    try:
        found = agent_card.fetch(agent_card.urls_of(connection), headers)
    except CardUnreadable as failure:
        url = failure.url or connection.card_url
        return Look(url, timezone.now(), problem=entry(failure.code), with_credentials=bool(headers))
    card = Card.of(found.card)
    reach = card.reach(connection.endpoint)
    return Look(
        found.url,
        timezone.now(),
        card,
        reach.interfaces,
        reach.foreign,
        entry(reach.reason) if reach.reason else None,
        with_credentials=bool(headers) and found.url == connection.card_url,
    )


def digest_of(card: dict | None) -> str:
    """Tells two cards apart, whatever the order of their members."""
    return hashlib.sha256(json.dumps(card, sort_keys=True).encode()).hexdigest()


def _headers(connection: Connection) -> list[tuple[str, str]]:
    try:
        credential = method_of(connection).credential(connection, Caller(agent=None))
    except (ConsentRequired, CredentialUnavailable):
        return []
    return [(name, value.reveal()) for name, value in credential.headers]
