"""Our own side at a provider: the client secret of a connection, opened only for the addresses it was sealed to."""

from connections import secrets
from connections.methods.base import CredentialUnavailable
from connections.models import Connection
from consent.oauth2 import Client
from consent.terms import Terms

SECRET_FIELD = "client_secret"  # noqa: S105 -- the field's name


def of(connection: Connection, terms: Terms) -> Client:
    """Raises CredentialUnavailable when the connection's secret is missing, or is not for these terms' addresses."""
    if terms.client_auth == "none":
        return Client(terms, None)
    pairs = secrets.opened(connection, SECRET_FIELD, terms.refresh_token_addresses)
    return Client(terms, pairs[0][1])


def former(connection: Connection, terms: Terms) -> Client | None:
    """With the secret that was replaced, while it is kept. Raises as `of`."""
    if terms.client_auth == "none":
        return None
    pairs = secrets.formerly(connection, SECRET_FIELD, terms.refresh_token_addresses)
    return Client(terms, pairs[0][1]) if pairs else None


def is_complete(connection: Connection) -> bool:
    """Whether users can be asked: a connection without the secret that its provider wants is not finished."""
    terms = Terms.now(connection)
    try:
        of(connection, terms)
    except CredentialUnavailable:
        return False
    return all((terms.client_id, terms.authorization_url, terms.token_url))
