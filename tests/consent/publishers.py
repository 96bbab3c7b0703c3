"""Records of the catalogue that lead to their fakes, apps that are registered there, connections through them."""

from dataclasses import replace

from connections.models import Connection
from consent.managed import listing
from consent.models import PublisherApp
from consent.publishers import PUBLISHERS, Publisher
from consent.terms import publishers_redirect_uri
from portal.agents.models import Agent
from portal.identities.audiences import origin_of
from portal.projects.models import Project
from tests import factories
from tests.consent import making
from tests.fakes.publishers import FakePublisher

ADDRESSES = ("authorization_url", "token_url", "refresh_url", "revocation_url", "userinfo_url")


def record_at(fake: FakePublisher) -> Publisher:
    """As the catalogue has it; whatever address it has is one of the fake's."""
    record = PUBLISHERS[fake.slug]
    moved = {name: f"{fake.origin}{fake.paths[name]}" for name in ADDRESSES if getattr(record, name)}
    return replace(record, **moved)


def terms_of(record: Publisher, client_id: str) -> dict:
    """What the terms of a connection through the publisher's app say."""
    values = _variables(record) | {"client_id": client_id}
    said = {name: record.address(name, values) for name in ADDRESSES if getattr(record, name)}
    scopes = tuple(dict.fromkeys((*record.fixed_scopes, *record.default_scopes)))
    more = {"scopes": scopes, "pkce": record.pkce, "client_auth": record.client_auth, "client_id": client_id}
    return said | more | {"publisher": record.slug}


def connection_to(fake: FakePublisher, project: Project, given_to: Agent, endpoint: str, **fields) -> Connection:
    """Through an app that the portal's owner registered, which may serve this endpoint."""
    record, owner = record_at(fake), factories.make_user()
    # Tests of one file share a database, and a publisher has one app.
    PublisherApp.objects.filter(publisher=fake.slug).delete()
    app = fake.register(publishers_redirect_uri(fake.slug))
    listing.enter(fake.slug, app.client_id, app.client_secret, _variables(record), [origin_of(endpoint)], owner)
    settings = {"publisher": fake.slug, "scopes": list(record.default_scopes)}
    method = {"credential": None, "auth_method": making.METHOD, "settings": settings}
    return factories.make_connection(project, endpoint, given_to=given_to, **method, **fields)


def _variables(record: Publisher) -> dict[str, str]:
    return {variable.name: variable.default or variable.example for variable in record.variables}
