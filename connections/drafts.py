"""What a person entered for a connection and has not saved yet: the form fills it, `keeping` saves it."""

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from connections import secrets
from connections.methods import methods
from connections.methods.base import AuthMethod
from connections.models import Connection
from connections.secrets import NewSecret
from portal.projects.models import Project
from portal.users import User

Place = tuple[str, int]


@dataclass(frozen=True)
class Draft:
    """`secrets` are values just typed; `kept` are the places of stored ones, with the expiry date they get now.

    A stored secret in neither is destroyed. `card` is what was read at the endpoint just now, `interfaces` where calls
    go from now on; both None leaves a saved connection's own.
    """

    endpoint: str
    card_path: str
    send_credentials_for_card: bool
    auth_method: str
    settings: dict[str, Any]
    secrets: tuple[NewSecret, ...] = ()
    kept: dict[Place, date | None] = field(default_factory=dict)
    name: str = ""
    display_name: str = ""
    bindings: tuple[tuple[str, str], ...] = (("JSONRPC", "1.0"), ("JSONRPC", "0.3"))
    card: dict | None = None
    interfaces: list[dict] | None = None

    @property
    def method(self) -> AuthMethod:
        return methods()[self.auth_method]

    def with_card(self, card: dict | None, interfaces: list[dict]) -> "Draft":
        return replace(self, card=card, interfaces=interfaces)

    def chosen_interfaces(self) -> list[dict]:
        """Where calls go when no card says it: the endpoint itself, in the bindings that a person chose."""
        return [{"url": self.endpoint, "binding": binding, "version": version} for binding, version in self.bindings]

    def fill(self, connection: Connection) -> Connection:
        """Writes what was entered onto a connection, saved or new; its secrets are not touched."""
        connection.endpoint = self.endpoint
        connection.card_path = self.card_path
        connection.send_credentials_for_card = self.send_credentials_for_card
        connection.auth_method = self.auth_method
        connection.settings = self.settings
        connection.display_name = self.display_name
        if self.interfaces is not None:
            connection.card, connection.interfaces = self.card, self.interfaces
        return connection

    def is_saved_in(self, stored: Connection) -> bool:
        """Whether the connection already is what was entered."""
        ours = (self.endpoint, self.card_path, self.auth_method, self._filled(self.settings))
        saved = (stored.endpoint, stored.card_path, stored.auth_method, self._filled(stored.settings))
        return ours == saved and not self.secrets

    def rehearsed(self, project: Project, by: User) -> Connection:
        """An unsaved connection that holds only the values just typed, to read a card with before anything is saved.

        A stored value is never part of it: it belongs to the addresses of before (T01).
        """
        connection = self.fill(Connection(project=project, name=self.name))
        rows = [
            secrets.sealed(connection, new, self.method.addresses(connection, new.field), by) for new in self.secrets
        ]
        # What prefetch_related would have put there; an unsaved connection has no rows to ask for.
        connection._prefetched_objects_cache = {"secrets": rows}
        return connection

    def _filled(self, settings: dict[str, Any]) -> dict[str, Any]:
        """With the form's own values for what is not said: a row may be older than one of the fields."""
        fields = self.method.settings_form.base_fields
        said = {name: field.initial for name, field in fields.items()} | settings
        return {name: value for name, value in said.items() if value}
