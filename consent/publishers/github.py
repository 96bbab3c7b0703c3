"""GitHub, as an OAuth app."""

from datetime import date

from consent.publishers.record import Publisher, Scope, Wire

GITHUB = Publisher(
    slug="github",
    name="GitHub",
    initials="GH",
    documents=("https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps",),
    checked=date(2026, 11, 24),
    register_at="https://github.com/settings/developers",
    register_hint="New OAuth App. One app has one callback URL: the one shown here.",
    authorization_url="https://github.com/login/oauth/authorize",
    token_url="https://github.com/login/oauth/access_token",
    revocation_url="https://api.github.com/applications/{client_id}/token",
    userinfo_url="https://api.github.com/user",
    scopes=(
        Scope("read:user", "See your profile"),
        Scope("repo", "Read and write your repositories"),
        Scope("read:org", "See which organizations you belong to"),
    ),
    default_scopes=("read:user",),
    client_auth="post",
    wire=Wire(revocation="github"),
)
