"""What is asked through a publisher's app: all but endpoint and scopes is the record's and the owner's."""

from connections.models import Connection
from consent.managed import apps
from consent.models import PublisherApp
from consent.publishers import Publisher
from consent.terms import Terms, publishers_redirect_uri


def now(connection: Connection) -> Terms:
    """The terms at this moment; without addresses where the app is not there."""
    publisher = connection.settings["publisher"]
    app = apps.find(publisher)
    return _of(connection, app, app.record) if app else _without_app(connection, publisher)


def _of(connection: Connection, app: PublisherApp, record: Publisher) -> Terms:
    scopes = tuple(dict.fromkeys((*record.fixed_scopes, *connection.settings.get("scopes", ()))))
    words = {scope.name: scope.words for scope in record.scopes}
    return Terms(
        authorization_url=app.address("authorization_url"),
        token_url=app.address("token_url"),
        refresh_url=app.address("refresh_url") or app.address("token_url"),
        client_id=app.client_id,
        redirect_uri=publishers_redirect_uri(app.publisher),
        endpoints=connection.addresses(),
        scopes=scopes,
        scope_words={name: words[name] for name in scopes if name in words},
        revocation_url=app.address("revocation_url"),
        userinfo_url=app.address("userinfo_url"),
        issuer=app.address("issuer"),
        pkce=record.pkce,
        client_auth=record.client_auth,
        publisher=app.publisher,
    )


def _without_app(connection: Connection, publisher: str) -> Terms:
    return Terms(
        authorization_url="",
        token_url="",
        refresh_url="",
        client_id="",
        redirect_uri=publishers_redirect_uri(publisher),
        endpoints=connection.addresses(),
        scopes=tuple(connection.settings.get("scopes", ())),
        publisher=publisher,
    )
