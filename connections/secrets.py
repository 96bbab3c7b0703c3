"""A connection's secrets: set, replaced, cleared, opened. In by form, out only on the wire."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from django.utils import timezone

from connections.methods import method_of
from connections.methods.base import CredentialUnavailable
from connections.models import Connection, Secret
from portal import sealed as registry
from portal import vault
from portal.users import User

NO_FORMER = {"former_name": "", "former_value": "", "former_until": None}


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


def store(
    connection: Connection,
    new: NewSecret,
    addresses: tuple[str, ...],
    by: User | None,
    former_until: datetime | None = None,
) -> Secret:
    """Seals the value to its row and addresses; the row is new, so nothing sealed before fits it.

    With `former_until` the value that it replaces is sealed anew beside it, and tried where the new one is refused.
    """
    place = connection.secrets.filter(field=new.field, position=new.position)
    former = place.first() if former_until else None
    row = sealed(connection, new, addresses, by)
    if former is not None and former.is_set:
        _keep_former(row, former, addresses, former_until)
    place.delete()
    row.save()
    return row


def _keep_former(row: Secret, former: Secret, addresses: tuple[str, ...], until: datetime) -> None:
    """One that can't be opened could not be sent either, and is not kept."""
    try:
        value = vault.open_sealed(former.value, former.binding(addresses))
    except vault.VaultError:
        return
    row.former_name, row.former_until = former.name, until
    row.former_value = vault.seal(value.reveal(), row.former_binding(addresses))


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
    return connection.secrets.filter(field=field).exclude(value="").update(value="", **NO_FORMER)


def end_former(connection: Connection) -> int:
    """Destroys the former values; returns how many there were."""
    return connection.secrets.exclude(former_value="").update(**NO_FORMER)


def end_former_values() -> int:
    """Destroys those whose time is over. They were not used any more: each use looks at the clock."""
    return Secret.objects.filter(former_until__lte=timezone.now()).update(**NO_FORMER)


def opened(connection: Connection, field: str, addresses: tuple[str, ...]) -> list[tuple[str, vault.Secret]]:
    """(credential name, value) pairs of a field in their order.

    Raises CredentialUnavailable when there is none, or one can't be opened.
    """
    return [(name, open_value()) for name, open_value in openers(connection, field, addresses)]


def openers(connection: Connection, field: str, addresses: tuple[str, ...]) -> list[tuple[str, Callable]]:
    """The same with what opens each value, as often as needed; all could be opened now. Raises as `opened`."""
    stored = [secret for secret in connection.secrets.all() if secret.field == field]
    if not stored or not all(secret.is_set for secret in stored):
        raise CredentialUnavailable("secret_missing")
    return [(secret.name, _opener(secret.value, secret.binding(addresses))) for secret in stored]


def formerly(connection: Connection, field: str, addresses: tuple[str, ...]) -> list[tuple[str, vault.Secret]] | None:
    """The same with the former value wherever one is kept; None where none is. Raises as `opened`."""
    stored = [secret for secret in connection.secrets.all() if secret.field == field]
    if not any(secret.has_former for secret in stored):
        return None
    return [_formerly(secret, addresses) for secret in stored]


def _formerly(secret: Secret, addresses: tuple[str, ...]) -> tuple[str, vault.Secret]:
    if secret.has_former:
        return secret.former_name, _open(secret.former_value, secret.former_binding(addresses))
    return secret.name, _open(secret.value, secret.binding(addresses))


def _open(value: str, binding: vault.Binding) -> vault.Secret:
    return _opener(value, binding)()


def _opener(value: str, binding: vault.Binding) -> Callable[[], vault.Secret]:
    try:
        opener = vault.opener(value, binding)
        opener()
        return opener
    except vault.SealBroken:
        raise CredentialUnavailable("secret_unreadable") from None
    except vault.KeyUnavailable:
        raise CredentialUnavailable("key_unavailable") from None


# For reseals: how each sealed column of a row is bound. LookupError where the row's method is not installed.


def columns() -> tuple[registry.Sealed, ...]:
    def column(name: str, binding: Callable[[Secret, tuple[str, ...]], vault.Binding]) -> registry.Sealed:
        return registry.Sealed(
            "connections.secret", Secret, name, lambda row: binding(row, _addresses(row)), ("connection",)
        )

    return column("value", Secret.binding), column("former_value", Secret.former_binding)


def _addresses(secret: Secret) -> tuple[str, ...]:
    return method_of(secret.connection).addresses(secret.connection, secret.field)
