"""Our own side at a provider: the client secret or key of a connection, or the secret of the publisher's app that it
uses, opened only for the addresses it was sealed to."""

from dataclasses import replace

from connections import secrets
from connections.methods.base import CredentialUnavailable
from connections.models import Connection
from consent import answering, client_assertions, client_keys
from consent.managed import apps
from consent.oauth2 import Client
from consent.terms import Terms
from portal.vault import Secret

SECRET_FIELD = "client_secret"  # noqa: S105 -- the field's name


def of(connection: Connection, terms: Terms) -> Client:
    """Raises CredentialUnavailable when what proves the client is missing, or is not for these terms' addresses."""
    if terms.publisher:
        return apps.client_of(terms)
    terms = as_spoken_now(connection, terms)
    return Client(terms, _proof(connection, terms), answering.deadline_of(connection))


def _proof(connection: Connection, terms: Terms) -> Secret | None:
    if terms.client_auth == "none":
        return None
    if terms.client_auth == client_assertions.METHOD:
        return client_keys.signing(connection, terms)
    return secrets.opened(connection, SECRET_FIELD, terms.refresh_token_addresses)[0][1]


def former(connection: Connection, terms: Terms) -> Client | None:
    """With the secret or key that was replaced, while it is kept. Raises as `of`."""
    if terms.publisher:
        return apps.former_client_of(terms)
    terms = as_spoken_now(connection, terms)
    proof = _former_proof(connection, terms)
    return Client(terms, proof, answering.deadline_of(connection)) if proof else None


def _former_proof(connection: Connection, terms: Terms) -> Secret | None:
    if terms.client_auth == "none":
        return None
    if terms.client_auth == client_assertions.METHOD:
        return client_keys.former(connection, terms)
    pairs = secrets.formerly(connection, SECRET_FIELD, terms.refresh_token_addresses)
    return pairs[0][1] if pairs else None


def as_spoken_now(connection: Connection, terms: Terms) -> Terms:
    """With the client authentication of today: how we prove who we are was not agreed with anybody who consented.

    Only for the same client at the same addresses; any other is spoken to as it was frozen.
    """
    now = Terms.now(connection)
    is_same = (now.client_id, now.refresh_token_addresses) == (terms.client_id, terms.refresh_token_addresses)
    return replace(terms, client_auth=now.client_auth, issuer=now.issuer) if is_same else terms


def to_end(connection: Connection, terms: Terms) -> Client:
    """To tell the provider what is over, also where a publisher's app may not be used any more. Raises as `of`."""
    return apps.client_to_end(terms) if terms.publisher else of(connection, terms)


def hindrance(connection: Connection) -> str:
    """Why users can't be asked, a troubleshooting code; "" where they can."""
    if is_complete(connection):
        return ""
    terms = Terms.now(connection)
    return (terms.withdrawn or "managed_app_unfinished") if terms.publisher else "oauth_not_finished"


def is_complete(connection: Connection) -> bool:
    """Whether users can be asked: a connection without the secret that its provider wants is not finished."""
    terms = Terms.now(connection)
    try:
        of(connection, terms)
    except CredentialUnavailable:
        return False
    return all((terms.client_id, terms.authorization_url, terms.token_url))
