"""GitLab.com. Of a server of your own the host can't be bounded here: enter it as a custom app."""

from datetime import date

from consent.publishers.record import Publisher, Scope

GITLAB = Publisher(
    slug="gitlab",
    name="GitLab",
    initials="GL",
    documents=(
        "https://docs.gitlab.com/api/oauth2/",
        "https://docs.gitlab.com/integration/oauth_provider/",
    ),
    checked=date(2026, 11, 24),
    register_at="https://gitlab.com/-/user_settings/applications",
    register_hint="Add new application, Confidential. Tick every scope that shall be asked for.",
    authorization_url="https://gitlab.com/oauth/authorize",
    token_url="https://gitlab.com/oauth/token",
    revocation_url="https://gitlab.com/oauth/revoke",
    userinfo_url="https://gitlab.com/oauth/userinfo",
    scopes=(
        Scope("openid", "Know which account is yours, and your groups"),
        Scope("profile", "See your profile"),
        Scope("email", "See your email address"),
        Scope("read_user", "See your profile and other people's"),
        Scope("read_api", "Read everything that you can see"),
        Scope("api", "Read and change everything that you can"),
        Scope("read_repository", "Read your repositories"),
        Scope("write_repository", "Read and write your repositories"),
    ),
    default_scopes=("openid", "read_user"),
    client_auth="post",
    grace=0,
    lives="2 hours, renewed until it is cancelled",
)
