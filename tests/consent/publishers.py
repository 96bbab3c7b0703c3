"""Publishers' records that lead to their fakes, and connections through them.

A record of the catalogue is taken as it is, but for its addresses. The others state the quirks that their fakes have.
"""

from dataclasses import replace
from datetime import date

from connections import secrets
from connections.methods import method_of
from connections.models import Connection
from consent.publishers import PUBLISHERS, Publisher, Scope, Wire
from consent.terms import redirect_uri
from portal.agents.models import Agent
from portal.projects.models import Project
from tests.consent import making
from tests.fakes.publishers import FakePublisher

ADDRESSES = ("authorization_url", "token_url", "refresh_url", "revocation_url", "userinfo_url")


def _record(slug: str, *scopes: str, **fields) -> Publisher:
    usual = {
        "name": slug.title(),
        "initials": slug[:2].upper(),
        "documents": ("https://docs.example/",),
        "checked": date(2026, 11, 24),
        "register_at": "https://apps.example/",
        "register_hint": "",
        "authorization_url": "https://login.example/",
        "token_url": "https://login.example/",
        "userinfo_url": "https://login.example/",
    }
    asked = {"scopes": tuple(Scope(name, name) for name in scopes), "default_scopes": scopes}
    return Publisher(slug=slug, **(usual | asked | fields))


STATED = {
    "slack": _record(
        "slack",
        "channels:history",
        "chat:write",
        revocation_url="https://slack.example/",
        client_auth="post",
        pkce="off",
        grace=0,
        wire=Wire(
            scope_separator=",",
            scope_parameter="user_scope",
            token_path=("authed_user",),
            success_member="ok",
            token_types=("user",),
            client_errors=("bad_client_secret",),
            revocation="slack",
        ),
    ),
    "google": _record(
        "google",
        "https://www.googleapis.com/auth/calendar.readonly",
        fixed_scopes=("openid", "email"),
        revocation_url="https://google.example/",
        client_auth="post",
        authorize_params={"access_type": "offline", "prompt": "consent"},
        wire=Wire(revocation="google", revocation_ends_all=True),
    ),
    "microsoft": _record(
        "microsoft",
        "User.Read",
        fixed_scopes=("openid", "offline_access"),
        client_auth="post",
        wire=Wire(revocation=""),
    ),
    "atlassian": _record(
        "atlassian",
        "read:jira-work",
        fixed_scopes=("offline_access",),
        client_auth="post",
        authorize_params={"audience": "api.atlassian.com", "prompt": "consent"},
        grace=600,
        wire=Wire(
            body="json",
            ended_statuses=(403,),
            revocation="",
        ),
    ),
    "salesforce": _record(
        "salesforce",
        "api",
        fixed_scopes=("refresh_token",),
        revocation_url="https://salesforce.example/",
        client_auth="post",
        wire=Wire(revocation="google"),
    ),
    "figma": _record(
        "figma",
        "file_content:read",
        refresh_url="https://figma.example/",
        wire=Wire(ended_statuses=(400,), revocation=""),
    ),
}


def record_at(fake: FakePublisher) -> Publisher:
    """The publisher's record; whatever address it has is one of the fake's."""
    record = PUBLISHERS.get(fake.slug) or STATED[fake.slug]
    moved = {name: f"{fake.origin}{fake.paths[name]}" for name in ADDRESSES if getattr(record, name)}
    return replace(record, **moved)


def settings_of(record: Publisher, client_id: str) -> dict:
    """What a connection through the publisher's app says."""
    values = {variable.name: variable.default or variable.example for variable in record.variables}
    values |= {"tenant": values.get("tenant", "contoso"), "client_id": client_id}
    chosen = {name: record.address(name, values) for name in ADDRESSES if getattr(record, name)}
    scopes = list(dict.fromkeys((*record.default_scopes, *record.fixed_scopes)))
    more = {"scopes": scopes, "pkce": record.pkce, "client_auth": record.client_auth, "client_id": client_id}
    return chosen | more | {"publisher": record.slug}


def connection_to(fake: FakePublisher, project: Project, given_to: Agent, **fields) -> Connection:
    """Registered at the fake, with the redirect URL that the connection has."""
    connection = making.make_connection(project, given_to, secret="", **fields)
    app = fake.register(redirect_uri(connection.id))
    connection.settings = settings_of(record_at(fake), app.client_id)
    connection.save()
    addresses = method_of(connection).addresses(connection, "client_secret")
    secrets.store(connection, secrets.NewSecret("client_secret", 0, "", app.client_secret), addresses, by=None)
    return connection
