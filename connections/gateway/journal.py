"""What one call leaves in the access log: an attempt before the credential is opened, and its outcome after."""

import asyncio
import time
from typing import TYPE_CHECKING
from uuid import UUID

from connections.gateway.exchange import Exchange
from connections.gateway.refusals import Refused
from connections.gateway.spelling import Asked, Spelling
from connections.models import Connection
from portal import metrics
from portal.agents.models import AgentKey
from portal.audit import log
from portal.audit.events import CALL, CALL_REFUSED, Event, Outcome
from portal.users import User

if TYPE_CHECKING:
    from connections.gateway.admission import Admitted
    from connections.gateway.app import Gateway

# Seconds; above what the database allows a statement, so that only one that hangs is given up.
SLOWEST_COMMIT = 10.0
NOBODY = log.Actor("nobody", None, "")


class Journal:
    """Collects what is known of the call; a row says as much as is known when it is written."""

    def __init__(self, gateway: "Gateway", exchange: Exchange) -> None:
        self._gateway = gateway
        self._exchange = exchange
        self._began = time.monotonic()
        self._attempt: dict | None = None
        self.is_stranger = True
        self.key: AgentKey | None = None
        self.connection: Connection | None = None
        self.user: User | None = None
        self.asked: Asked | None = None
        self.status: int | None = None
        self.used: tuple[UUID, ...] = ()
        # As which identity, where the method has one: an agent's is another once it is published.
        self.acted_as = ""
        # What the second credential was, where the endpoint refused the first.
        self.renewed = ""

    async def attempt(self, admitted: "Admitted") -> None:
        """No row, no credential: returns when the attempt is durable, else raises Refused (F21)."""
        # Kept before it is durable: a client that leaves meanwhile ends this attempt and no other.
        self._attempt = row = log.attempt_of(self._actor(), **self._columns(), target=admitted.target)
        try:
            await self._durable(row, admitted.used)
        except TimeoutError:
            # The row may still come, and then finds the outcome of this refusal.
            raise Refused("log_unavailable") from None
        except log.LogUnavailable:
            self._attempt = None
            raise Refused("log_unavailable") from None

    async def _durable(self, row: dict, used: tuple[UUID, ...] = ()) -> None:
        async with asyncio.timeout(SLOWEST_COMMIT):
            await self._gateway.committer.attempt(row, used)

    def ended(self, outcome: Outcome, reason: str = "") -> None:
        """The outcome's row, within a second. Without an attempt (a refused call) it is the call's only row."""
        seconds = self._counted(outcome, _kind(self.asked), reason)
        measured = {
            "duration": round(seconds * 1000),
            "bytes_in": self._exchange.bytes_in,
            "bytes_out": self._exchange.bytes_out,
            "status": self.status,
            "reason": reason,
            "details": self._details(),
        }
        if self._attempt:
            row, self._attempt = log.outcome_of(self._attempt, outcome, **measured), None
            self._gateway.committer.outcome(row, self.used)
        elif self._gateway.limits.may_note_refusal(None if self.is_stranger else self.key.agent_id):
            self._gateway.committer.outcome(self._row(CALL_REFUSED, outcome, measured))

    async def answers_here(self, method: str) -> None:
        """One row for what needs no credential: the card, the consent status. No row, no answer here either."""
        try:
            await self._durable(self._row(CALL, Outcome.SUCCEEDED, {"method": method}))
        except (TimeoutError, log.LogUnavailable):
            raise Refused("log_unavailable") from None
        self._counted(Outcome.SUCCEEDED, "about")

    def _counted(self, outcome: Outcome, kind: str, reason: str = "") -> float:
        """Counts the call, and returns the seconds that it took."""
        seconds = time.monotonic() - self._began
        metrics.call_ended(outcome.value, self.connection.auth_method if self.connection else "", kind, seconds, reason)
        return seconds

    def _details(self) -> dict[str, str]:
        known = {"acted_as": self.acted_as, "credential": self.renewed}
        return {name: value for name, value in known.items() if value}

    def _row(self, event: Event, outcome: Outcome, more: dict) -> dict:
        return log.row_of(event, self._actor(), outcome=outcome, **self._columns(), **more)

    def _actor(self) -> log.Actor:
        return log.Actor("agent_key", self.key.id, self.key.name) if self.key else NOBODY

    def _columns(self) -> dict:
        agent = self.key.agent if self.key else None
        known = {
            "project": agent.project if agent else None,
            "agent": agent,
            "connection": self.connection,
            "on_behalf_of": self.user,
            "auth_method": self.connection.auth_method if self.connection else "",
            "request_id": self._exchange.request_id,
        }
        return known | (_spelled(self.asked) if self.asked else {})


def _kind(asked: Asked | None) -> str:
    if asked is None:
        return "unread"
    return "stream" if asked.spelling.streams else "plain"


def _spelled(asked: Asked) -> dict:
    spelling: Spelling = asked.spelling
    return {"method": asked.operation.name, "binding": spelling.binding, "protocol": spelling.version}
