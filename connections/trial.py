"""One test of a connection while it goes: the credential, the card, the call."""

import time
from dataclasses import dataclass, field
from datetime import datetime

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
Prepared = tuple[Caller, Credential | None]
DONE, FAILED, OPEN = "done", "failed", "open"
# A test that met one of these could not tell; the connection may well work.
UNDECIDED = frozenset({"consent_required", "test_needs_agent", "credential_not_proven"})
# The credential belongs to agents or users, so the portal alone can't try it: what is seen is the server and its card.
NEEDS_AGENT = "test_needs_agent"
# The endpoint refused the new value and accepted the one that it replaced.
FORMER_VALUE = "former_value_used"


@dataclass(frozen=True)
class Step:
    """`state`: "done", "failed", or "open" where the test could not tell; `took_ms` None where it says nothing.

    `claims` are what the token that was prepared says about itself.
    """

    name: str
    state: str
    detail: str
    took_ms: int | None = None
    claims: Claims = ()


@dataclass
class Trial:
    """`go` fills the rest. `code` is what went wrong first, "" for nothing, and `refused` whether that was the
    endpoint's no to a credential; `card_code` why a card that was once read is no longer there.

    `prepare` and `reach` are its two halves: only the first needs the database, unless the method renews after a 401.
    The card is read once, with the first caller's credential; the call is made as everybody whom the endpoint can
    tell apart.
    Where `reads_card` is not set, `card_code` is what was known before.
    """

    connection: Connection
    interface: Interface
    reads_card: bool = True
    card_code: str = ""
    steps: list[Step] = field(default_factory=list)
    code: str = ""
    refused: bool = False
    # Whether the endpoint refused the credential and accepted the one that the method had beside it.
    took_former: bool = False
    card: Card | None = None
    status: int | None = None
    took_ms: int | None = None
    certificate_ends: datetime | None = None
    prepared: list[Prepared] = field(default_factory=list, repr=False)

    def go(self) -> None:
        self.prepare()
        self.reach()

    def prepare(self) -> None:
        known = self.connection.auth_method in methods()
        callers = method_of(self.connection).callers(self.connection) if known else (Caller(agent=None),)
        self.prepared = [(caller, self._prepared(caller)) for caller in callers]

    def reach(self) -> None:
        """Without a credential of its own to try, the card is all that there is to see, and is always read."""
        prepared, self.prepared = self.prepared, []
        first = prepared[0][1]
        reached = self._read_card(first) if self.reads_card or first is None else True
        for caller, credential in prepared:
            name = f"Call the endpoint: {credential.described}" if credential and prepared[1:] else "Call the endpoint"
            if credential is None or not reached:
                self._step(name, OPEN, "Not tried.")
            else:
                self._call(name, credential, caller)

    def _prepared(self, caller: Caller) -> Credential | None:
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
        self.card, self.card_code = Card.of(found.card), ""
        if origin_of(found.url) == origin_of(self.interface["url"]):
            self.certificate_ends = found.certificate_ends
        if self.code == NEEDS_AGENT:
            self.took_ms = found.took_ms
        sent = sends and found.url == self.connection.card_url
        self._step(name, DONE, "Read with the credential." if sent else "Read without credentials.", found.took_ms)
        return True

    def _without_card(self, name: str, failure: CardUnreadable) -> bool:
        at_endpoint = origin_of(failure.url) == origin_of(self.interface["url"])
        if at_endpoint and not failure.reached:
            self._refuse(name, failure.code)
            return False
        self._step(name, OPEN, f"{entry(failure.code).title}.")
        self.card_code = failure.code if self.connection.card is not None else ""
        return True

    def _call(self, name: str, credential: Credential, caller: Caller) -> None:
        ends = time.monotonic() + CALL_SECONDS
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
        self.certificate_ends = answer.certificate_ends
        if self.code in ("", NEEDS_AGENT):
            self.status, self.took_ms = answer.status, answer.took_ms
        code = self._verdict(answer)
        if code is not None:
            self._refuse(name, code, answer.took_ms)
            return
        taken = "refused the new value and accepted the former one" if self.took_former else "accepted the credential"
        said = f"The endpoint {taken}." if sent else "The endpoint answered without a credential."
        self._step(name, DONE, said, answer.took_ms)

    def _verdict(self, answer: Answer) -> str | None:
        if answer.status not in (401, 403):
            return verdict(self.interface, answer.status, answer.body)
        self.refused = self.refused or not self.code
        return method_of(self.connection).refused(answer.status)

    def _refuse(self, name: str, code: str, took_ms: int | None = None) -> None:
        # That nobody could try the credential is no failure: a server that can't be reached is.
        self.code = code if self.code in ("", NEEDS_AGENT) else self.code
        state = OPEN if code in UNDECIDED else FAILED
        self._step(name, state, f"{entry(code).title}.", took_ms)

    def _step(self, name: str, state: str, detail: str, took_ms: int | None = None, claims: Claims = ()) -> None:
        self.steps.append(Step(name, state, detail, took_ms, claims))

    @property
    def reason(self) -> str:
        """What the page should say beside the state: what failed, else what somebody should look after."""
        return self.code or (FORMER_VALUE if self.took_former else self.card_code)

    @property
    def state(self) -> Health.State:
        """Healthy is what was seen: the credential accepted, or the card read where no credential can be tried."""
        if not self.code or (self.code == NEEDS_AGENT and self.card is not None):
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
