"""The authorization server's memory, and the file that carries it over a restart of the demo."""

import json
import os
import time
from dataclasses import asdict
from pathlib import Path

from demo.provider.records import AccessToken, Approval, Client, Code, RefreshToken, digest


class Store:
    """Everything in dictionaries. With `kept_in`, clients and tokens outlive the process; codes never do."""

    def __init__(self, kept_in: Path | None = None) -> None:
        self.clients: dict[str, Client] = {}
        self.approvals: dict[str, Approval] = {}
        self.codes: dict[str, Code] = {}
        self.access_tokens: dict[str, AccessToken] = {}  # by digest, like the next
        self.refresh_tokens: dict[str, RefreshToken] = {}
        self._file = kept_in
        if kept_in and kept_in.exists():
            self._load(json.loads(kept_in.read_text()))

    def add_client(self, client: Client) -> None:
        self.clients[client.client_id] = client
        self.save()

    def add_code(self, name: str, code: Code) -> None:
        self.approvals[code.approval.id] = code.approval
        self.codes[digest(name)] = code
        self.save()

    def revoke(self, approval: Approval) -> None:
        """All that came of it ends: access tokens, refresh tokens, an unused code's exchange."""
        approval.revoked = True
        self.save()

    def access_token(self, token: str) -> AccessToken | None:
        return self.access_tokens.get(digest(token))

    def refresh_token(self, token: str) -> RefreshToken | None:
        return self.refresh_tokens.get(digest(token))

    def approved(self, client_id: str, account: str) -> set[str]:
        """The scopes that the account has allowed the client until now."""
        of_both = (a for a in self.approvals.values() if (a.client_id, a.account) == (client_id, account))
        return {scope for approval in of_both if not approval.revoked for scope in approval.scope.split()}

    def approvals_of(self, account: str) -> list[tuple[Client, Approval]]:
        """What the account has allowed and not taken back, oldest first."""
        own = [a for a in self.approvals.values() if a.account == account and not a.revoked]
        return [(self.clients[a.client_id], a) for a in sorted(own, key=lambda a: a.at)]

    def save(self) -> None:
        """Forget what has expired; write the rest to the file, if there is one."""
        now = time.time()
        for kind in (self.codes, self.access_tokens, self.refresh_tokens):
            for key in [key for key, value in kind.items() if value.expires_at < now]:
                del kind[key]
        if self._file:
            _write(self._file, self._dump())

    def _dump(self) -> dict:
        return {
            "clients": [asdict(client) for client in self.clients.values()],
            "approvals": [asdict(approval) for approval in self.approvals.values()],
            "access_tokens": {key: _flat(token) for key, token in self.access_tokens.items()},
            "refresh_tokens": {key: _flat(token) for key, token in self.refresh_tokens.items()},
        }

    def _load(self, kept: dict) -> None:
        self.clients = {c["client_id"]: Client(**c) for c in kept["clients"]}
        self.approvals = {a["id"]: Approval(**a) for a in kept["approvals"]}
        for name, kind in (("access_tokens", AccessToken), ("refresh_tokens", RefreshToken)):
            tokens = {key: kind(**{**t, "approval": self.approvals[t["approval"]]}) for key, t in kept[name].items()}
            setattr(self, name, tokens)


def _flat(token: AccessToken | RefreshToken) -> dict:
    return {**vars(token), "approval": token.approval.id}


def _write(file: Path, content: dict) -> None:
    """Through a new file of mode 600: a kill in between leaves the old one whole."""
    new = file.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as opened:
        json.dump(content, opened)
    new.replace(file)
