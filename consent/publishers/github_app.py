"""GitHub, as a GitHub App that acts for a person."""

from datetime import date

from consent.publishers.record import Publisher, Wire

GITHUB_APP = Publisher(
    slug="github-app",
    name="GitHub App",
    initials="GA",
    documents=(
        "https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/"
        "generating-a-user-access-token-for-a-github-app",
        "https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/"
        "refreshing-user-access-tokens",
    ),
    checked=date(2026, 11, 24),
    register_at="https://github.com/settings/apps",
    register_hint=(
        "New GitHub App, with the callback URL shown here. Choose its permissions there, and leave the expiry of user "
        "tokens on. The app must be installed where it shall act."
    ),
    authorization_url="https://github.com/login/oauth/authorize",
    token_url="https://github.com/login/oauth/access_token",
    revocation_url="https://api.github.com/applications/{client_id}/token",
    userinfo_url="https://api.github.com/user",
    # No scopes: what the app may do is set at the app, and bounded by what the person may do.
    client_auth="post",
    grace=0,
    lives="8 hours, renewed until it was not used for 6 months",
    wire=Wire(
        ended_errors=("bad_refresh_token",),
        client_errors=("incorrect_client_credentials",),
        revocation="github",
    ),
)
