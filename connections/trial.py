"""One test of a connection while it goes: the credential, the card, the call."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from django.views.decorators.debug import sensitive_variables

from connections import agent_card
from connections.agent_card import Card, CardUnreadable, Fetched, Interface
from connections.agent_card.interfaces import origin_of
from connections.methods import method_of, methods
from connections.methods.base import Caller, ConsentRequired, Credential, CredentialUnavailable
from connections.models import Connection, Health
from connections.questions import question, verdict
from connections.troubleshooting import entry
from portal.audit.events import Outcome
from portal.outbound.errors import OutboundError
from portal.outbound.session import Answer, fetch

CARD_SECONDS = 8.0
CALL_SECONDS = 10.0
Claims = tuple[tuple[str, str], ...]
DONE, FAILED, OPEN = "done", "failed", "open"
# A test that met one of these could not tell; the connection may well work.
UNDECIDED = frozenset({"consent_required", "test_needs_agent", "credential_not_proven"})


@dataclass(frozen=True)
class Step:
    """`state`: "done", "failed", or "open" where the test could not tell; `took_ms` None where it says nothing.

    `claims` are what the token that was prepared says about itself.
    """

    name: str
    state: str
    detail: str
    took_ms: int | None = None
    claims: tuple[tuple[str, str], ...] = ()


@dataclass
class Trial:
    """`go` fills the rest. `code` is what went wrong first, "" for nothing, and `refused` whether that was the
    endpoint's no to a credential; `card_code` why a card that was once read is no longer there."""

    connection: Connection
    interface: Interface
    steps: list[Step] = field(default_factory=list)
    code: str = ""
    refused: bool = False
    card_code: str = ""
    # Whether the endpoint refused the credential and accepted the one that the method had beside it.
    took_former: bool = False
    card: Card | None = None
    status: int | None = None
    took_ms: int | None = None

    def go(self) -> None:
        """The card once, with the first caller's credential; the call as everybody whom the endpoint can tell apart."""
        first, *others = self._callers()
        credential = self._prepare(first)
        reached = self._read_card(credential)
        self._call_if(credential if reached else None, first)
        for caller in others if reached else ():
            self._call_if(self._prepare(caller), caller)

    def _callers(self) -> Sequence[Caller]:
        known = self.connection.auth_method in methods()
        return method_of(self.connection).callers(self.connection) if known else (Caller(agent=None),)

    def _prepare(self, caller: Caller) -> Credential | None:
        name = "Prepare the credential"
        try:
            if self.connection.auth_method not in methods():
                raise CredentialUnavailable("method_not_installed")
            credential = method_of(self.connection).credential(self.connection, caller)
        except ConsentRequired:
            return self._refuse(name, "consent_required")
        except CredentialUnavailable as unavailable:
            return self._refuse(name, unavailable.code)
        self._step(name, DONE, credential.described or "Ready", claims=method_of(self.connection).claims(credential))
        return credential

    def _read_card(self, credential: Credential | None) -> bool:
        """Whether the endpoint's server could be spoken to; a card that is not there keeps nobody from calling."""
        name, sends = "Read the agent card", credential is not None and self.connection.sends_card_credentials
        try:
            found = _fetch_card(self.connection, credential if sends else None)
        except CardUnreadable as failure:
            return self._without_card(name, failure)
        self.card = Card.of(found.card)
        sent = sends and found.url == self.connection.card_url
        self._step(name, DONE, "Read with the credential." if sent else "Read without credentials.", found.took_ms)
        return True

    def _without_card(self, name: str, failure: CardUnreadable) -> bool:
        at_endpoint = origin_of(failure.url) == origin_of(self.interface["url"])
        if at_endpoint and not failure.reached:
            self._refuse(name, failure.code)
            return False
        self._step(name, OPEN, f"{entry(failure.code).title}.")
        if self.connection.card is not None:
            self.card_code = failure.code
        return True

    def _call_if(self, credential: Credential | None, caller: Caller) -> None:
        if credential is None:
            self._step("Call the endpoint", OPEN, "Not tried.")
        else:
            self._call(credential, caller)

    def _call(self, credential: Credential, caller: Caller) -> None:
        name, ends = "Call the endpoint", time.monotonic() + CALL_SECONDS
        try:
            answer = _ask(self.interface, credential, ends)
            if answer.status == 401:
                answer = self._ask_again(credential, caller, ends) or answer
        except CredentialUnavailable as unavailable:
            self._refuse(name, unavailable.code)
        except ConsentRequired:
            self._refuse(name, "consent_required")
        except OutboundError as error:
            self._refuse(name, error.code)
        else:
            self._judge(name, answer, bool(credential.headers))

    def _ask_again(self, refused: Credential, caller: Caller, ends: float) -> Answer | None:
        """As the gateway does: after a 401 the method may renew its credential once."""
        method = method_of(self.connection)
        renewed = method.renew(self.connection, caller, refused)
        if renewed is None:
            return None
        answer = _ask(self.interface, renewed, ends)
        self.took_former = method.keeps_former and answer.status != 401
        return answer

    def _judge(self, name: str, answer: Answer, sent: bool) -> None:
        if not self.code:
            self.status, self.took_ms = answer.status, answer.took_ms
        if answer.status in (401, 403):
            self.refused = self.refused or not self.code
            code = method_of(self.connection).refused(answer.status)
        else:
            code = verdict(self.interface, answer.status, answer.body)
        if code is not None:
            self._refuse(name, code, answer.took_ms)
            return
        taken = "refused the new value and accepted the former one" if self.took_former else "accepted the credential"
        said = f"The endpoint {taken}." if sent else "The endpoint answered without a credential."
        self._step(name, DONE, said, answer.took_ms)

    def _refuse(self, name: str, code: str, took_ms: int | None = None) -> None:
        self.code = self.code or code
        state = OPEN if code in UNDECIDED else FAILED
        self._step(name, state, f"{entry(code).title}.", took_ms)

    def _step(self, name: str, state: str, detail: str, took_ms: int | None = None, claims: Claims = ()) -> None:
        self.steps.append(Step(name, state, detail, took_ms, claims))

    @property
    def reason(self) -> str:
        """What the page should say beside the state: what failed, else what somebody should look after."""
        return self.code or ("former_value_used" if self.took_former else self.card_code)

    @property
    def state(self) -> Health.State:
        if not self.code:
            return Health.State.HEALTHY
        return Health.State.NOT_CHECKED if self.code in UNDECIDED else Health.State.FAILING

    @property
    def outcome(self) -> Outcome:
        if self.refused:
            return Outcome.REFUSED_BY_ENDPOINT
        if self.code == "consent_required":
            return Outcome.CONSENT_NEEDED
        return Outcome.FAILED if self.state == Health.State.FAILING else Outcome.SUCCEEDED


@sensitive_variables()
def _fetch_card(connection: Connection, credential: Credential | None) -> Fetched:
    headers = [(name, value.reveal()) for name, value in credential.headers] if credential else []
    return agent_card.fetch(agent_card.urls_of(connection), headers, CARD_SECONDS)


@sensitive_variables()
def _ask(interface: Interface, credential: Credential, ends: float) -> Answer:
    """The credential comes last, and each of its names exactly once (T06)."""
    asked = question(interface)
    own = {name.lower() for name, _ in credential.headers}
    headers = [pair for pair in asked.headers if pair[0].lower() not in own]
    headers += [(name, value.reveal()) for name, value in credential.headers]
    left = max(ends - time.monotonic(), 0.1)
    return fetch(asked.method, asked.url, headers=headers, data=asked.body, deadline=left)
