"""Atlassian Cloud: Jira and Confluence, as an OAuth 2.0 (3LO) app."""

from consent.publishers.record import Publisher, Scope, Wire

ATLASSIAN = Publisher(
    slug="atlassian",
    name="Atlassian",
    initials="AT",
    documents=("https://developer.atlassian.com/cloud/oauth/getting-started/implementing-oauth-3lo",),
    checked=None,
    register_at="https://developer.atlassian.com/console/myapps/",
    register_hint="Create an OAuth 2.0 integration, add the APIs with their scopes, and allow sharing.",
    authorization_url="https://auth.atlassian.com/authorize",
    token_url="https://auth.atlassian.com/oauth/token",
    userinfo_url="https://api.atlassian.com/me",
    scopes=(
        Scope("offline_access", "Keep the access while you are away"),
        Scope("read:me", "See your profile"),
        Scope("read:jira-user", "See the people in Jira"),
        Scope("read:jira-work", "Read projects and issues in Jira"),
        Scope("write:jira-work", "Create and change issues in Jira"),
        Scope("read:confluence-content.all", "Read pages in Confluence"),
        Scope("write:confluence-content", "Create and change pages in Confluence"),
        Scope("search:confluence", "Search Confluence"),
    ),
    default_scopes=("read:me", "read:jira-work"),
    fixed_scopes=("offline_access",),
    client_auth="post",
    # Not documented for 3LO.
    pkce="off",
    authorize_params={"audience": "api.atlassian.com", "prompt": "consent"},
    grace=600,
    lives="An hour, renewed until it was not used for 90 days",
    # A refresh token that has ended is answered with 403.
    wire=Wire(body="json", ended_statuses=(403,), revocation=""),
)
