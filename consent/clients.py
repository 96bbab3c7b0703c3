"""Our own side at a provider: the client secret of a connection, or of the publisher's app that it uses, opened only
for the addresses it was sealed to."""

from connections import secrets
from connections.methods.base import CredentialUnavailable
from connections.models import Connection
from consent.managed import apps
from consent.oauth2 import Client
from consent.terms import Terms

SECRET_FIELD = "client_secret"  # noqa: S105 -- the field's name


def of(connection: Connection, terms: Terms) -> Client:
    """Raises CredentialUnavailable when the connection's secret is missing, or is not for these terms' addresses."""
    if terms.publisher:
        return apps.client_of(terms)
    if terms.client_auth == "none":
        return Client(terms, None)
    pairs = secrets.opened(connection, SECRET_FIELD, terms.refresh_token_addresses)
    return Client(terms, pairs[0][1])


def former(connection: Connection, terms: Terms) -> Client | None:
    """With the secret that was replaced, while it is kept. Raises as `of`."""
    if terms.publisher:
        return apps.former_client_of(terms)
    if terms.client_auth == "none":
        return None
    pairs = secrets.formerly(connection, SECRET_FIELD, terms.refresh_token_addresses)
    return Client(terms, pairs[0][1]) if pairs else None


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
