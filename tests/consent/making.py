"""Connections with OAuth identity passthrough and what users gave for them, as rows; and the way through a provider."""

from urllib.parse import urlsplit

import httpx
from django.test import Client
from django.utils import timezone

from connections import secrets
from connections.methods import method_of
from connections.models import Connection
from consent.models import Grant
from consent.terms import Terms, redirect_uri
from portal import vault
from portal.agents.models import Agent
from portal.projects.models import Project
from portal.users import User
from tests import factories
from tests.fakes.authorization_server import FakeProvider
from tests.fakes.signing_in import query_of, sign_in

METHOD = "oauth-identity-passthrough"
CLIENT_SECRET = "canary-client-secret-5d1a"
NOWHERE = "http://127.0.0.1:9"
SETTINGS = {
    "client_id": "gatehouse-1",
    "authorization_url": f"{NOWHERE}/authorize",
    "token_url": f"{NOWHERE}/token",
    "scopes": ["read:user", "repo"],
    "scope_words": {"read:user": "See your profile"},
    "pkce": "S256",
    "client_auth": "basic",
}


def make_connection(project: Project, given_to: Agent | None = None, secret: str = CLIENT_SECRET, **fields):
    """OAuth, finished unless `secret` is ""; `settings` are added to those above."""
    settings = SETTINGS | fields.pop("settings", {})
    fields.setdefault("endpoint", f"{NOWHERE}/a2a")
    connection = factories.make_connection(
        project, credential=None, auth_method=METHOD, settings=settings, given_to=given_to, **fields
    )
    if secret:
        addresses = method_of(connection).addresses(connection, "client_secret")
        secrets.store(connection, secrets.NewSecret("client_secret", 0, "", secret), addresses, by=None)
    return connection


def connection_to(provider: FakeProvider, project: Project, given_to: Agent | None = None, **fields) -> Connection:
    """Registered at the provider, with its redirect URL."""
    connection = make_connection(project, given_to, secret="", **fields)
    client = provider.register(redirect_uri(connection.id))
    at = provider.at
    connection.settings |= {
        "client_id": client.client_id,
        "authorization_url": at.authorize,
        "token_url": at.token,
        "revocation_url": at.revoke,
        "userinfo_url": at.userinfo,
        "scopes": list(provider.server.settings.scopes)[:2],
        **fields.get("settings", {}),
    }
    connection.save()
    addresses = method_of(connection).addresses(connection, "client_secret")
    secrets.store(connection, secrets.NewSecret("client_secret", 0, "", client.client_secret), addresses, by=None)
    return connection


def make_grant(connection: Connection, agent: Agent, user: User, **fields) -> Grant:
    """Active, with a token that lives for a long time unless `expires_at` says otherwise."""
    terms = fields.pop("terms", None) or Terms.now(connection).stored()
    grant = Grant(connection=connection, agent=agent, user=user, terms=terms, scopes_given=terms["scopes"])
    for name, value in fields.items():
        setattr(grant, name, value)
    if grant.state == Grant.State.ACTIVE:
        for field in ("access_token", "refresh_token"):
            setattr(grant, field, vault.seal(f"canary-{field}-of-{user.id}", grant.binding(field)))
        grant.expires_at = grant.expires_at or timezone.now() + timezone.timedelta(hours=1)
    grant.save()
    return grant


def through_the_provider(client: Client, leaving, account: str = "octo-ben", **options):
    """From the page that leads away to the answer of our callback; `leaving` is the answer to "Continue"."""
    with httpx.Client() as http:
        back = sign_in(http, leaving.context["address"], account, **options)
    return client.get(urlsplit(back).path, query_of(back))
