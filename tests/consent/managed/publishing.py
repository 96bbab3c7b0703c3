"""Publishers that really run: a record whose addresses are a fake provider's, its app, and connections that use it."""

from datetime import date
from typing import Any

from connections.models import Connection
from consent.managed import listing
from consent.models import PublisherApp
from consent.publishers import PUBLISHERS, Publisher, Scope
from consent.terms import publishers_redirect_uri
from portal.agents.models import Agent
from portal.identities.audiences import origin_of
from portal.projects.models import Project
from portal.users import User
from tests import factories
from tests.consent import making
from tests.fakes.authorization_server import FakeProvider

SLUG = "octo"
SECRET = "canary-app-secret-7b20"
READ, WRITE = "reviews:read", "reviews:comment"


def record(provider: FakeProvider, slug: str = SLUG, **changes: Any) -> Publisher:
    """As the catalogue would have it of the fake provider."""
    at = provider.at
    known = {
        "name": "Octo",
        "initials": "OC",
        "documents": ("https://octo.example/docs",),
        "checked": date(2026, 11, 24),
        "register_at": "https://octo.example/apps",
        "register_hint": "New app. It has one callback URL.",
        "authorization_url": at.authorize,
        "token_url": at.token,
        "revocation_url": at.revoke,
        "userinfo_url": at.userinfo,
        "scopes": (Scope(READ, "Read your reviews"), Scope(WRITE, "Comment in your name")),
        "default_scopes": (READ,),
    }
    return Publisher(slug=slug, **(known | changes))


def know(monkeypatch, record: Publisher) -> Publisher:
    """Puts the record into the catalogue, for one test."""
    monkeypatch.setitem(PUBLISHERS, record.slug, record)
    return record


def register(provider: FakeProvider, record: Publisher, by: User, *origins: str, **options: Any) -> PublisherApp:
    """An app that the provider knows, with the one redirect URL that all connections share."""
    client = provider.register(publishers_redirect_uri(record.slug), client_secret=SECRET, **options)
    variables = {one.name: one.default for one in record.variables}
    listed = [origin_of(each) for each in origins]
    return listing.enter(record.slug, client.client_id, client.client_secret, variables, listed, by)


def connect(project: Project, agent: Agent, endpoint: str, publisher: str = SLUG, **fields: Any) -> Connection:
    settings = {"publisher": publisher, "scopes": [READ]} | fields.pop("settings", {})
    return factories.make_connection(
        project,
        endpoint,
        credential=None,
        auth_method=making.METHOD,
        settings=settings,
        given_to=agent,
        **fields,
    )
