"""The apps that the portal's owner has registered, and our side at a publisher as one of them."""

from connections.methods.base import CredentialUnavailable
from consent.models import PublisherApp
from consent.oauth2 import Client
from consent.publishers import PUBLISHERS
from consent.terms import Terms
from portal import vault


def find(publisher: str) -> PublisherApp | None:
    """None where none is registered, or this version of the portal does not know the publisher."""
    if publisher not in PUBLISHERS:
        return None
    return PublisherApp.objects.select_related("listed_by").filter(publisher=publisher).first()


def usable() -> list[PublisherApp]:
    """What projects may choose from, by the publisher's name."""
    rows = PublisherApp.objects.select_related("listed_by").filter(publisher__in=PUBLISHERS)
    return sorted(rows, key=lambda app: str(app).casefold())


def hold(terms: Terms) -> None:
    """For a transaction that stores what a user gave: whoever takes the app away comes before or after it."""
    if terms.publisher:
        PublisherApp.objects.select_for_update(no_key=True).filter(publisher=terms.publisher).first()


def client_of(terms: Terms) -> Client:
    """Only where the app may be used like this now. Raises CredentialUnavailable."""
    if code := terms.withdrawn:
        raise CredentialUnavailable(code)
    return client_to_end(terms)


def client_to_end(terms: Terms) -> Client:
    """To tell the publisher what is over, also where the app may no longer be used. Raises CredentialUnavailable."""
    app = _same(terms)
    if not app.needs_secret:
        return Client(terms, None)
    return Client(terms, _opened(app, "client_secret", terms))


def former_client_of(terms: Terms) -> Client | None:
    """With the secret that was replaced, while it is kept. Raises as `client_to_end`."""
    app = _same(terms)
    return Client(terms, _opened(app, "former_secret", terms)) if app.has_former else None


def _same(terms: Terms) -> PublisherApp:
    """The app that the terms name. Another client id is another app."""
    app = find(terms.publisher)
    if app is None:
        raise CredentialUnavailable("managed_app_missing")
    if app.client_id != terms.client_id:
        raise CredentialUnavailable("managed_app_changed")
    return app


def _opened(app: PublisherApp, column: str, terms: Terms) -> vault.Secret:
    """Bound to the addresses of these terms: terms that were changed in the database do not open it."""
    sealed = getattr(app, column)
    try:
        if sealed:
            return vault.open_sealed(sealed, app.binding(column, terms.refresh_token_addresses))
    except vault.SealBroken:
        pass
    except vault.KeyUnavailable:
        raise CredentialUnavailable("key_unavailable") from None
    raise CredentialUnavailable("managed_app_unfinished")
