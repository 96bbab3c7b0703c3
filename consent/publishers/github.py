"""GitHub, as an OAuth app."""

from datetime import date

from consent.publishers.record import Publisher, Scope, Wire

GITHUB = Publisher(
    slug="github",
    name="GitHub",
    initials="GH",
    documents=(
        "https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/authorizing-oauth-apps",
        "https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps",
    ),
    checked=date(2026, 11, 24),
    register_at="https://github.com/settings/developers",
    register_hint="New OAuth App. One app has one callback URL: the one shown here.",
    authorization_url="https://github.com/login/oauth/authorize",
    token_url="https://github.com/login/oauth/access_token",
    revocation_url="https://api.github.com/applications/{client_id}/token",
    userinfo_url="https://api.github.com/user",
    scopes=(
        Scope("read:user", "See your profile"),
        Scope("user:email", "See your email addresses"),
        Scope("repo", "Read and write your repositories"),
        Scope("public_repo", "Read and write your public repositories"),
        Scope("read:org", "See which organizations you belong to"),
        Scope("notifications", "Read your notifications"),
        Scope("gist", "Write your gists"),
        # Not a permission: with it GitHub gives a token that expires, and a refresh token.
        Scope("offline_access", "Have the access renewed every eight hours instead of being given for good"),
    ),
    default_scopes=("read:user",),
    client_auth="post",
    grace=0,
    lives="Until it is cancelled; with offline_access 8 hours, renewed until it was not used for 6 months",
    wire=Wire(
        ended_errors=("bad_refresh_token",),
        client_errors=("incorrect_client_credentials",),
        revocation="github",
    ),
)
