"""Authentication methods of the tests' own: each is one class here and one line in settings.AUTH_METHODS."""

import hashlib
import uuid
from datetime import UTC, datetime

from connections.methods.base import AuthMethod, Consent, ConsentRequired, Credential
from portal.vault import Secret


class PerCaller(AuthMethod):
    """A credential that says for which agent and user it was made."""

    slug = "per-caller"
    label = "One credential for each caller"
    description = "For tests."
    foundry_auth_type = "Custom"

    def credential(self, connection, caller) -> Credential:
        return Credential((("authorization", Secret(f"Bearer {bearer_of(caller.agent, caller.user)}")),))

    def acts_as(self, connection, agent) -> str:
        return "The caller"


def bearer_of(agent, user) -> str:
    return f"{agent.id}.{user.id if user else 'nobody'}"


EXPIRES = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)


class AsksFirst(AuthMethod):
    """Needs each user's permission for each agent; `allowed` holds who gave it."""

    slug = "asks-first"
    label = "Asks first"
    description = "For tests."
    foundry_auth_type = "OAuth2"
    user_context_persists = True
    allowed: set[tuple] = set()
    refused_at_renewal: set[tuple] = set()

    def credential(self, connection, caller) -> Credential:
        self._check(connection, caller)
        return Credential((("authorization", Secret(f"Bearer {bearer_of(caller.agent, caller.user)}")),))

    def renew(self, connection, caller, refused) -> Credential | None:
        self.allowed.discard(_who(connection, caller))
        self._check(connection, caller)
        return None

    def waiting(self, connection, caller, task) -> Consent | None:
        return None if _who(connection, caller) in self.allowed else consent_of(connection, caller)

    def consent_state(self, connection, caller) -> tuple[str, Consent | None]:
        consent = self.waiting(connection, caller, "")
        return ("consent_required", consent) if consent else ("connected", None)

    def acts_as(self, connection, agent) -> str:
        return "The user"

    def _check(self, connection, caller) -> None:
        if _who(connection, caller) not in self.allowed:
            raise ConsentRequired(consent_of(connection, caller))


def allow(connection, agent, user) -> None:
    AsksFirst.allowed.add((connection.id, agent.id, user.id if user else None))


def take_back(connection, agent, user) -> None:
    AsksFirst.allowed.discard((connection.id, agent.id, user.id if user else None))


def consent_of(connection, caller) -> Consent:
    who = "".join(str(part) for part in _who(connection, caller))
    number = uuid.UUID(bytes=hashlib.sha256(who.encode()).digest()[:16])
    return Consent(number, f"https://portal.example/consent/{number}", str(connection), ("repo", "read:user"), EXPIRES)


def _who(connection, caller) -> tuple:
    return connection.id, caller.agent.id, caller.user.id if caller.user else None


class Breaks(AuthMethod):
    """Fails as no method should: with an error that nobody expects, and a secret in its text."""

    slug = "breaks"
    label = "Breaks"
    description = "For tests."
    foundry_auth_type = "Custom"
    says = "planted-in-an-exception"

    def credential(self, connection, caller) -> Credential:
        raise LookupError(self.says)

    def acts_as(self, connection, agent) -> str:
        return "Nobody"


class Prepares(AuthMethod):
    """Remembers how often it was asked for what. What it has prepared serves until `due`."""

    slug = "prepares"
    label = "Prepares"
    description = "For tests."
    foundry_auth_type = "Custom"
    asked: list[str] = []
    due = False

    def prepared(self, connection, caller):
        self.asked.append("prepared")
        return lambda: None if Prepares.due else Credential((("x-api-key", Secret("ledger-secret-value")),))

    def credential(self, connection, caller) -> Credential:
        self.asked.append("credential")
        return Credential((("x-api-key", Secret("ledger-secret-value")),))

    def renew(self, connection, caller, refused) -> None:
        self.asked.append("renew")

    def acts_as(self, connection, agent) -> str:
        return "The portal"
