"""A connection's secrets: set, replaced, cleared, opened. In by form, out only on the wire."""

from dataclasses import dataclass
from datetime import date

from connections.methods.base import CredentialUnavailable
from connections.models import Connection, Secret
from portal import vault
from portal.users import User


@dataclass(frozen=True)
class NewSecret:
    """A value just entered for the `position`-th place of a method's secret field."""

    field: str
    position: int
    name: str
    value: str
    expires_on: date | None = None

    def __repr__(self) -> str:
        return f"NewSecret({self.field}, {self.position}, {self.name})"


def store(connection: Connection, new: NewSecret, addresses: tuple[str, ...], by: User | None) -> Secret:
    """Seals the value to its row and addresses; the row is new, so nothing sealed before fits it."""
    connection.secrets.filter(field=new.field, position=new.position).delete()
    row = sealed(connection, new, addresses, by)
    row.save()
    return row


def sealed(connection: Connection, new: NewSecret, addresses: tuple[str, ...], by: User | None) -> Secret:
    """The row, not yet saved."""
    row = Secret(
        connection=connection,
        field=new.field,
        position=new.position,
        name=new.name,
        set_by=by,
        expires_on=new.expires_on,
    )
    row.value = vault.seal(new.value, row.binding(addresses))
    return row


def clear(connection: Connection, field: str) -> int:
    """Destroys the values of a field and keeps their credential names; returns how many there were."""
    return connection.secrets.filter(field=field).exclude(value="").update(value="")


def opened(connection: Connection, field: str, addresses: tuple[str, ...]) -> list[tuple[str, vault.Secret]]:
    """(credential name, value) pairs of a field in their order.

    Raises CredentialUnavailable when there is none, or one can't be opened.
    """
    stored = [secret for secret in connection.secrets.all() if secret.field == field]
    if not stored or not all(secret.is_set for secret in stored):
        raise CredentialUnavailable("secret_missing")
    return [(secret.name, _open(secret, addresses)) for secret in stored]


def _open(secret: Secret, addresses: tuple[str, ...]) -> vault.Secret:
    try:
        return vault.open_sealed(secret.value, secret.binding(addresses))
    except vault.SealBroken:
        raise CredentialUnavailable("secret_unreadable") from None
    except vault.KeyUnavailable:
        raise CredentialUnavailable("key_unavailable") from None
