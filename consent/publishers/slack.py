"""Slack, as a person of a workspace."""

from datetime import date

from consent.publishers.record import Publisher, Scope, Wire

SLACK = Publisher(
    slug="slack",
    name="Slack",
    initials="SL",
    documents=(
        "https://docs.slack.dev/reference/methods/oauth.v2.access",
        "https://docs.slack.dev/authentication/using-token-rotation",
        "https://docs.slack.dev/authentication/using-pkce",
        "https://docs.slack.dev/tools/python-slack-sdk/oauth",
        "https://api.slack.com/methods/auth.revoke",
    ),
    checked=date(2026, 11, 24),
    register_at="https://api.slack.com/apps",
    register_hint="Create an app; the scopes under User Token Scopes. Turn on token rotation. Leave PKCE off.",
    authorization_url="https://slack.com/oauth/v2/authorize",
    token_url="https://slack.com/api/oauth.v2.access",
    revocation_url="https://slack.com/api/auth.revoke",
    userinfo_url="https://slack.com/api/auth.test",
    scopes=(
        Scope("users:read", "See the people of your workspace"),
        Scope("channels:read", "See the public channels that you can see"),
        Scope("channels:history", "Read messages in public channels"),
        Scope("groups:history", "Read messages in your private channels"),
        Scope("im:history", "Read your direct messages"),
        Scope("search:read", "Search messages and files as you"),
        Scope("files:read", "See files that were shared with you"),
        Scope("chat:write", "Send messages in your name"),
    ),
    default_scopes=("users:read", "channels:read"),
    # Slack takes it only from apps that were made public clients, which can't be undone.
    pkce="off",
    grace=0,
    lives="12 hours, renewed until it is cancelled; without token rotation until it is cancelled",
    wire=Wire(
        scope_separator=",",
        # `scope` is what the app's bot may do.
        scope_parameter="user_scope",
        token_path=("authed_user",),
        success_member="ok",
        token_types=("user",),
        ended_errors=("invalid_refresh_token", "authorization_not_found"),
        client_errors=("bad_client_secret", "invalid_client_id"),
        revocation="slack",
        # One person has one authorization of the app in a workspace; what was given before is added to it.
        revocation_ends_all=True,
    ),
)
