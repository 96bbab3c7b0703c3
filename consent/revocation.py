"""What a provider is to be told: that tokens are no longer wanted, at the address they were given under.

Ending a consent here never waits for it. What is to be told stands in rows of its own, written in the transaction that
ends the consent; `consent.cancelling` tells it.
"""

from collections.abc import Iterable
from urllib.parse import urlsplit
from uuid import UUID

from django.db.models import Q
from django.utils import timezone

from connections.methods.base import CredentialUnavailable
from connections.models import Connection
from consent import clients, events
from consent.managed import apps
from consent.models import Cancellation, ConsentRequest, Grant
from consent.oauth2 import Client
from consent.terms import Terms
from portal import vault
from portal.audit import log
from portal.audit.events import Event, Outcome

State = Cancellation.State
Token = vault.Secret | None
WIPED = {"refresh_token": "", "access_token": "", "client_secret": ""}


def queue(given: Grant | ConsentRequest, refresh: Token, access: Token, client: Client | None = None) -> bool:
    """For the transaction that ends it. False where the provider is not told: see `is_told`."""
    from consent.tasks import revoke_due  # noqa: PLC0415 -- the task needs this module
    from portal.waking import wake  # noqa: PLC0415

    if not is_told(given) or not (refresh or access):
        return False
    client = client or _client(given)
    row = Cancellation(
        connection_id=given.connection_id,
        agent_id=given.agent_id,
        user_id=given.user_id,
        account=getattr(given, "account", ""),
        about=_about(given),
        terms=client.terms.stored(),
        provider=origin_of(given.asked.revocation_url),
    )
    for field, value in (("refresh_token", refresh), ("access_token", access), ("client_secret", client.secret)):
        if value is not None:
            setattr(row, field, vault.seal(value.reveal(), row.binding(field)))
    row.save(force_insert=True)
    wake(revoke_due)
    return True


def is_told(given: Grant | ConsentRequest, besides: Iterable[UUID] = ()) -> bool:
    """Not where there is no way to, nor where it would end what other agents still have.

    `besides` are the ids of grants that end together with this one.
    """
    return given.asked.can_be_told and not spares_others(given, besides)


def spares_others(given: Grant | ConsentRequest, besides: Iterable[UUID] = ()) -> bool:
    """At some publishers cancelling one token ends all that the account gave to the app (`Wire.revocation_ends_all`).

    What stands through another agent or connection would die with it.
    """
    terms = given.asked
    if not terms.wire.revocation_ends_all:
        return False
    rows = Grant.objects.filter(state=Grant.State.ACTIVE).exclude(pk__in=[given.pk, *besides])
    return rows.filter(_same_account(terms, given.user_id, getattr(given, "account", ""))).exists()


def _same_account(terms: Terms, user: UUID, account: str) -> Q:
    """At one publisher's app: the same person's, unless both accounts are known and differ; or the same account."""
    at_app = Q(terms__publisher=terms.publisher, terms__client_id=terms.client_id)
    if not account:
        return at_app & Q(user_id=user)
    return at_app & (Q(user_id=user, account__in=("", account)) | Q(account=account))


def _client(given: Grant | ConsentRequest) -> Client:
    """One whose secret can't be opened now may be told later, while its connection is there."""
    try:
        return clients.to_end(given.connection, given.asked)
    except CredentialUnavailable:
        return Client(given.asked, None)


def _about(given: Grant | ConsentRequest) -> dict[str, str]:
    """The log's columns, as they are now."""
    connection = given.connection
    things = {"project": connection.project, "agent": given.agent, "connection": connection}
    columns = {f"{name}_id": str(thing.id) for name, thing in things.items()}
    columns |= {f"{name}_name": thing.name for name, thing in things.items()}
    columns |= {"on_behalf_of_id": str(given.user_id), "on_behalf_of_name": str(given.user)}
    return columns | {"auth_method": connection.auth_method}


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def client_of(row: Cancellation) -> Client:
    """Each try takes the next of the secrets that may be right: the connection's, its former one, that of then.

    Raises CredentialUnavailable, VaultError.
    """
    terms: Terms = row.asked
    if terms.client_auth == "none":
        return Client(terms, None)
    found = _clients_today(row.connection_id, terms)
    if row.client_secret:
        found.append(Client(terms, vault.open_sealed(row.client_secret, row.binding("client_secret"))))
    if not found:
        raise CredentialUnavailable("secret_missing")
    return found[row.tries % len(found)]


def _clients_today(connection_id: UUID, terms: Terms) -> list[Client]:
    if terms.publisher:
        return _of_app(terms)
    connection = Connection.objects.filter(pk=connection_id).first()
    if connection is None or connection.settings.get("client_id") != terms.client_id:
        return []
    try:
        return [client for client in (clients.of(connection, terms), clients.former(connection, terms)) if client]
    except CredentialUnavailable:
        return []


def _of_app(terms: Terms) -> list[Client]:
    try:
        return [client for client in (apps.client_to_end(terms), apps.former_client_of(terms)) if client]
    except CredentialUnavailable:
        return []


def supersede(grant: Grant) -> None:
    """The same account was connected anew: at some providers the late news would end what was just given."""
    superseded = Q(
        connection_id=grant.connection_id, agent_id=grant.agent_id, user_id=grant.user_id, account=grant.account
    )
    if grant.asked.wire.revocation_ends_all:
        superseded |= _same_account(grant.asked, grant.user_id, grant.account)
    for row in Cancellation.objects.filter(superseded, state=State.WAITING):
        settle(row, State.GIVEN_UP, events.NOT_CANCELLED, Outcome.FAILED, "connected_again")


def settle(row: Cancellation, state: str, event: Event, outcome: Outcome, reason: str = "") -> bool:
    """Destroys what was sealed and says how it ended, once; call it in a transaction."""
    waiting = Cancellation.objects.filter(pk=row.pk, state=State.WAITING)
    if not waiting.update(state=state, settled_at=timezone.now(), **WIPED):
        return False
    log.record(event, log.SYSTEM, outcome=outcome, reason=reason, **row.about)
    return True
