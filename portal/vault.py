"""Seals and opens stored secrets. The only module that sees the key ring.

Envelope: the ring (GATEHOUSE_KEYS) wraps one random data key per project; each value is a Fernet token under a key
derived from its project's data key over everything the value belongs to (`Binding`). Fernet has no associated data,
so a value copied to another row, or a row whose address was edited, derives another key and does not open (T01, T33).
"""

import base64
import os
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

FORMAT = "gh1"
DATA_KEY_SECONDS = 600


class VaultError(Exception):
    """A value can't be opened. The text is fit for a person and holds nothing secret."""


class KeyUnavailable(VaultError):
    """The ring does not hold the key that wrapped the data key: a wrong or incomplete GATEHOUSE_KEYS."""


class SealBroken(VaultError):
    """The value does not belong to this row, field or address, or was changed."""


class Secret:
    """A plaintext that does not show itself: printing, formatting, pickling and JSON all fail or mask it."""

    __slots__ = ("_plaintext",)

    def __init__(self, plaintext: str) -> None:
        self._plaintext = plaintext

    def reveal(self) -> str:
        return self._plaintext

    def __repr__(self) -> str:
        return "Secret(•••)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce_ex__(self, protocol):
        raise TypeError("A secret is not stored or sent.")


@dataclass(frozen=True)
class Binding:
    """Everything one sealed value belongs to. A change of any part makes the value unreadable.

    `addresses` are the URLs that the value may be sent to; their order does not matter.
    """

    table: str
    row: uuid.UUID
    field: str
    project: uuid.UUID | None
    name: str = ""
    user: uuid.UUID | None = None
    agent: uuid.UUID | None = None
    addresses: tuple[str, ...] = ()

    def context(self) -> bytes:
        """Unambiguous bytes: each part carries its length, so that no two bindings read the same."""
        parts = [FORMAT, self.table, self.row, self.field, self.name, self.project, self.user, self.agent]
        return _length_prefixed([*map(str, parts), *sorted(self.addresses)])


def _length_prefixed(parts: Iterable[str]) -> bytes:
    encoded = [part.encode() for part in parts]
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


class DataKey(models.Model):
    """A project's own key, wrapped by the ring. Destroying the row destroys every secret of the project."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey("portal.Project", models.CASCADE, null=True, related_name="data_keys")
    key_id = models.CharField(max_length=32)
    wrapped = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True)
    # Since when no stored value names it; see portal/resealing.py.
    emptied_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "portal"
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(retired_at=None),
                nulls_distinct=False,
                name="one_active_data_key_per_project",
            )
        ]


class KeyRing:
    """`k2:<Fernet key>,k1:<Fernet key>`: the first wraps, all unwrap."""

    def __init__(self, text: str) -> None:
        pairs = [item.strip().partition(":") for item in text.split(",") if item.strip()]
        if not pairs:
            raise KeyUnavailable("GATEHOUSE_KEYS is not set. Without it no secret can be stored or read.")
        try:
            self._keys = {key_id: Fernet(key) for key_id, _, key in pairs}
        except ValueError:
            # From None: the cause's text would hold the malformed key.
            raise KeyUnavailable("GATEHOUSE_KEYS is malformed. It reads name:key,name:key.") from None
        self.current = pairs[0][0]

    @property
    def key_ids(self) -> list[str]:
        return list(self._keys)

    def wrap(self, raw: bytes) -> tuple[str, str]:
        return self.current, self._keys[self.current].encrypt(raw).decode()

    def unwrap(self, key_id: str, wrapped: str) -> bytes:
        if key_id not in self._keys:
            held = ", ".join(self._keys)
            raise KeyUnavailable(f"This was wrapped by key {key_id}; GATEHOUSE_KEYS holds {held}.")
        try:
            return self._keys[key_id].decrypt(wrapped)
        except InvalidToken:
            raise KeyUnavailable(f"GATEHOUSE_KEYS holds another key under the name {key_id}.") from None


@cache
def _ring(text: str) -> KeyRing:
    return KeyRing(text)


def ring() -> KeyRing:
    return _ring(settings.GATEHOUSE_KEYS)


def wrap(raw: bytes) -> tuple[str, str]:
    """(key id, wrapped): for keys that are not data keys, such as the log's."""
    return ring().wrap(raw)


def unwrap(key_id: str, wrapped: str) -> bytes:
    return ring().unwrap(key_id, wrapped)


# Data keys in memory: (raw, until). Unwrapping costs as much as opening a value.
_by_id: dict[uuid.UUID, tuple[bytes, float]] = {}


def seal(plaintext: str, binding: Binding) -> str:
    """`gh1:<data key id>:<Fernet token>`."""
    return _sealed(plaintext, binding, *_active_key(binding.project))


def resealed(sealed: str, binding: Binding, data_key: uuid.UUID) -> str:
    """The same value under another data key of its project. Raises as `open_sealed`."""
    return _sealed(open_sealed(sealed, binding).reveal(), binding, data_key, _raw_key(data_key))


def _sealed(plaintext: str, binding: Binding, key_id: uuid.UUID, raw: bytes) -> str:
    token = Fernet(_value_key(raw, binding)).encrypt(plaintext.encode())
    return f"{FORMAT}:{key_id.hex}:{token.decode()}"


def open_sealed(sealed: str, binding: Binding) -> Secret:
    """Raises SealBroken when the value is not this binding's, KeyUnavailable when the ring lacks its key."""
    return opener(sealed, binding)()


def opener(sealed: str, binding: Binding) -> Callable[[], Secret]:
    """Opens one value as often as it is called, without looking anything up. Both raise as `open_sealed`."""
    try:
        version, key_hex, token = sealed.split(":", 2)
        key_id = uuid.UUID(key_hex)
    except ValueError:
        raise SealBroken("The stored value is damaged.") from None
    if version != FORMAT:
        raise SealBroken("The stored value has an unknown format.")
    fernet = Fernet(_value_key(_raw_key(key_id), binding))

    def opened() -> Secret:
        try:
            return Secret(fernet.decrypt(token).decode())
        except InvalidToken:
            raise SealBroken("The stored value was sealed for another row or address.") from None

    return opened


def _value_key(raw: bytes, binding: Binding) -> bytes:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=binding.context()).derive(raw)
    return base64.urlsafe_b64encode(derived)


def _active_key(project_id: uuid.UUID | None) -> tuple[uuid.UUID, bytes]:
    row = DataKey.objects.filter(project_id=project_id, retired_at=None).first() or _make_key(project_id)
    return row.id, ring().unwrap(row.key_id, row.wrapped)


def _make_key(project_id: uuid.UUID | None) -> DataKey:
    row, _ = DataKey.objects.get_or_create(project_id=project_id, retired_at=None, defaults=_new_key())
    return row


def replace_data_key(active: DataKey) -> DataKey:
    """Retires a project's active key and makes the next, which every value is sealed under from the commit on.

    The retired one goes on opening what was sealed under it. To be called in a transaction that holds the row's lock.
    """
    DataKey.objects.filter(pk=active.pk).update(retired_at=timezone.now())
    return DataKey.objects.create(project_id=active.project_id, **_new_key())


def _new_key() -> dict[str, str]:
    key_id, wrapped = ring().wrap(os.urandom(32))
    return {"key_id": key_id, "wrapped": wrapped}


def _raw_key(key_id: uuid.UUID) -> bytes:
    held = _by_id.get(key_id)
    if held and held[1] > time.monotonic():
        return held[0]
    row = DataKey.objects.filter(id=key_id).first()
    if row is None:
        raise KeyUnavailable("The data key of this value was destroyed.")
    raw = ring().unwrap(row.key_id, row.wrapped)
    _by_id[key_id] = (raw, time.monotonic() + DATA_KEY_SECONDS)
    return raw
