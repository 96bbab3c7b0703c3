"""Asana."""

from datetime import date

from consent.publishers.record import Publisher, Scope

ASANA = Publisher(
    slug="asana",
    name="Asana",
    initials="AS",
    documents=(
        "https://developers.asana.com/docs/oauth",
        "https://github.com/Asana/openapi/blob/master/defs/asana_oas.yaml",
    ),
    checked=date(2026, 11, 24),
    register_at="https://app.asana.com/0/my-apps",
    register_hint="Create new app. Under OAuth enter the redirect URL and the permission scopes.",
    authorization_url="https://app.asana.com/-/oauth_authorize",
    token_url="https://app.asana.com/-/oauth_token",
    revocation_url="https://app.asana.com/-/oauth_revoke",
    userinfo_url="https://app.asana.com/api/1.0/openid_connect/userinfo",
    scopes=(
        Scope("openid", "Know which account is yours"),
        Scope("email", "See your email address"),
        Scope("profile", "See your name and photo"),
        Scope("tasks:read", "See tasks"),
        Scope("tasks:write", "Create and change tasks"),
        Scope("projects:read", "See projects"),
        Scope("projects:write", "Create and change projects"),
        Scope("default", "Read and change everything that you can"),
    ),
    default_scopes=("openid", "email", "tasks:read"),
    client_auth="post",
    lives="An hour, renewed until it is cancelled",
)
