"""The allow-list: a publisher's app serves only endpoints at the origins that the portal's owner listed for it.

Without it, whoever may connect a tool could point the organisation's app at a host of their own (design, 4). It is
asked when a link is made and opened, before and after a code is exchanged, before each refresh, and at each use.
"""

from collections.abc import Iterable

from consent.managed import apps
from consent.models import PublisherApp
from consent.terms import Terms
from portal.identities.audiences import origin_of
from portal.outbound.errors import OutboundError


def withdrawn(terms: Terms) -> str:
    """Why the app may not be used as these terms say, a troubleshooting code; "" where it may."""
    return judged(terms, apps.find(terms.publisher))


def judged(terms: Terms, app: PublisherApp | None) -> str:
    """The same of an app as it is, or as somebody is about to make it; None for none."""
    if app is None:
        return "managed_app_missing"
    if app.client_id != terms.client_id or app.secret_addresses != terms.refresh_token_addresses:
        return "managed_app_changed"
    return "" if serves(app, terms.endpoints) else "managed_endpoint_not_listed"


def serves(app: PublisherApp, addresses: Iterable[str]) -> bool:
    """Whether every one of the addresses is at a listed origin."""
    return all(_origin(address) in app.origins for address in addresses)


def _origin(address: str) -> str | None:
    """None, which nobody can list, for an address that may not be called at all."""
    try:
        return origin_of(address)
    except OutboundError:
        return None
