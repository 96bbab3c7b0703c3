"""The keys with which a connection proves who it is at its provider, where that is chosen instead of a client secret.

As with the portal's own issuer, one key signs, the next is published already, and the last ones still are: a provider
that keeps the JWKS for a while knows a key before it signs, so a rollover breaks no refresh.

The private half is sealed to the issuer and to the addresses that an assertion is sent to. Moving one of them ends the
whole set, and with it the set's own address: whoever moves the token URL to another host gets keys that the provider
has never been told of (T01).
"""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils import timezone

from connections.methods.base import CredentialUnavailable
from connections.models import Connection
from consent import client_assertions, events
from consent.models import ClientKey
from consent.terms import Terms
from portal import vault
from portal.audit import changes, log
from portal.users import User

# How long a provider may keep the JWKS. The next key waits at least as long before it signs.
PUBLISHED_AHEAD = timedelta(hours=1)
# For so long an ended key is tried where the provider refuses the new one, as a former client secret would be.
TRIED_AFTER = timedelta(days=1)
# Longer than a provider is told to cancel what was given (`consent.cancelling.GIVE_UP`), which the last key may sign.
PUBLISHED_AFTER = timedelta(days=8)


class TooSoon(Exception):
    """Providers may not know the next key yet; it can sign from `at` on."""

    def __init__(self, at: datetime) -> None:
        super().__init__("too soon")
        self.at = at


@dataclass(frozen=True)
class Keys:
    """`ended` are still published, newest first."""

    signing: ClientKey
    waiting: ClientKey
    ended: tuple[ClientKey, ...]

    @property
    def url(self) -> str:
        """`jwks_uri`, for the app registration at the provider."""
        return f"{settings.PUBLIC_URL}{reverse('client-keys', args=[self.signing.key_set])}"

    @property
    def jwks(self) -> dict:
        return _jwks([self.signing, self.waiting, *self.ended])

    @property
    def jwks_text(self) -> str:
        return json.dumps(self.jwks, indent=2)

    @property
    def ready_at(self) -> datetime:
        """When every provider knows the waiting key."""
        return self.waiting.made_at + PUBLISHED_AHEAD

    @property
    def may_roll_over(self) -> bool:
        return self.ready_at <= timezone.now()


def sent_to(terms: Terms) -> list[str]:
    """Where an assertion counts, and where it is sent."""
    return sorted({terms.issuer, *terms.refresh_token_addresses})


def current(connection: Connection) -> Keys:
    """Of a saved connection with an issuer; made the first time somebody asks."""
    return _found(connection) or _made_for(connection)


def signing(connection: Connection, terms: Terms) -> vault.Secret:
    """The private half in PEM. Raises CredentialUnavailable where it is for other addresses, or can't be opened."""
    if connection._state.adding or not terms.issuer:
        raise CredentialUnavailable("secret_missing")
    return _opened(current(connection).signing, terms)


def former(connection: Connection, terms: Terms) -> vault.Secret | None:
    """The last one that has ended, while it is tried. Raises as `signing`."""
    keys = _found(connection)
    latest = keys.ended[0] if keys and keys.ended else None
    if latest is None or not latest.private or latest.ended_at + TRIED_AFTER <= timezone.now():
        return None
    return _opened(latest, terms)


def _opened(key: ClientKey, terms: Terms) -> vault.Secret:
    if sent_to(terms) != key.addresses:
        raise CredentialUnavailable("secret_unreadable")
    try:
        return vault.open_sealed(key.private, key.binding())
    except vault.KeyUnavailable:
        raise CredentialUnavailable("key_unavailable") from None
    except vault.SealBroken:
        raise CredentialUnavailable("secret_unreadable") from None


def published(key_set: uuid.UUID) -> dict | None:
    """The JWKS (RFC 7517, 5), the signing key first; None for a set that never was or is long over."""
    rows = list(_published().filter(key_set=key_set).order_by("ended_at", "signs_from"))
    return _jwks(sorted(rows, key=lambda row: (row.ended_at is not None, row.signs_from is None))) if rows else None


def roll_over(connection: Connection, by: User) -> None:
    """The waiting key signs from now on, and another one waits. Raises TooSoon."""
    with changes.announced():
        _lock(connection)
        keys = current(connection)
        if not keys.may_roll_over:
            raise TooSoon(keys.ready_at)
        keys.signing.ended_at = keys.waiting.signs_from = timezone.now()
        keys.signing.save(update_fields=["ended_at"])
        keys.waiting.save(update_fields=["signs_from"])
        _new(connection, keys.signing.key_set).save()
        _log(events.CLIENT_KEY_ROLLED, connection, log.Actor.of(by), keys.waiting)


def would_end(connection: Connection, slug: str) -> bool:
    """Whether saving `connection` as it is now leaves a set that it used until now and that fits no more."""
    used = Connection.objects.filter(pk=connection.pk, settings__client_auth=client_assertions.METHOD)
    return used.exists() and _misfits(connection, slug).exists()


def end_what_no_longer_fits(connection: Connection, slug: str, by: User) -> None:
    """For the transaction that has just saved the connection, after providers were queued to be told."""
    ended = list(_misfits(connection, slug).order_by("signs_from"))
    if ended:
        _wipe(_misfits(connection, slug))
        _log(events.CLIENT_KEYS_ENDED, connection, log.Actor.of(by), ended[0])


def before_their_connection_goes(sender: type[Connection], instance: Connection, **_kwargs) -> None:
    """The public halves outlive it, for what the provider is still to be told; the private ones don't."""
    _wipe(ClientKey.objects.filter(connection=instance, ended_at=None))
    ClientKey.objects.filter(connection=instance).update(private="", connection=None)


def tidy() -> int:
    """Wipes private halves that are tried no more, and forgets what is not published any more."""
    now = timezone.now()
    ClientKey.objects.filter(ended_at__lt=now - TRIED_AFTER).exclude(private="").update(private="")
    return ClientKey.objects.filter(ended_at__lt=now - PUBLISHED_AFTER).delete()[0]


def _found(connection: Connection) -> Keys | None:
    rows = _published().filter(connection=connection, addresses=sent_to(Terms.now(connection)))
    newest_first = list(rows.order_by("-ended_at", "-signs_from"))
    signs = next((key for key in newest_first if key.signs_from and not key.ended_at), None)
    waits = next((key for key in newest_first if not key.signs_from and not key.ended_at), None)
    if signs is None or waits is None:
        return None
    return Keys(signs, waits, tuple(key for key in newest_first if key.ended_at and key.key_set == signs.key_set))


def _made_for(connection: Connection) -> Keys:
    with transaction.atomic():
        _lock(connection)
        if (found := _found(connection)) is None:
            first, second = _new(connection, key_set := uuid.uuid4()), _new(connection, key_set)
            first.signs_from = first.made_at
            first.save(force_insert=True)
            second.save(force_insert=True)
            _log(events.CLIENT_KEYS_MADE, connection, log.SYSTEM, first)
            found = Keys(first, second, ())
    return found


def _lock(connection: Connection) -> None:
    """One process at a time makes keys."""
    Connection.objects.select_for_update().get(pk=connection.pk)


def _new(connection: Connection, key_set: uuid.UUID) -> ClientKey:
    pair = client_assertions.new_key()
    key = ClientKey(connection=connection, key_set=key_set, public=pair.as_dict(private=False))
    key.addresses = sent_to(Terms.now(connection))
    key.private = vault.seal(pair.as_pem(private=True).decode(), key.binding())
    return key


def _misfits(connection: Connection, slug: str) -> QuerySet[ClientKey]:
    standing = ClientKey.objects.filter(connection=connection, ended_at=None)
    terms = Terms.now(connection)
    if connection.auth_method != slug or terms.client_auth != client_assertions.METHOD:
        return standing
    return standing.exclude(addresses=sent_to(terms))


def _wipe(rows: QuerySet[ClientKey]) -> None:
    """A key that never signed need not be published any longer."""
    rows.filter(signs_from=None).delete()
    rows.update(private="", ended_at=timezone.now())


def _published() -> QuerySet[ClientKey]:
    return ClientKey.objects.filter(Q(ended_at=None) | Q(ended_at__gt=timezone.now() - PUBLISHED_AFTER))


def _jwks(keys: list[ClientKey]) -> dict:
    return {"keys": [key.public for key in keys]}


def _log(event, connection: Connection, actor: log.Actor, key: ClientKey) -> None:
    columns = {"project": connection.project, "connection": connection, "auth_method": connection.auth_method}
    log.record(event, actor, **columns, details={"key": key.kid})
