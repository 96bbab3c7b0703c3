"""Box."""

from datetime import date

from consent.publishers.record import Publisher, Scope

BOX = Publisher(
    slug="box",
    name="Box",
    initials="BX",
    documents=(
        "https://developer.box.com/guides/authentication/oauth2/without-sdk/",
        "https://developer.box.com/guides/authentication/tokens/refresh/",
        "https://developer.box.com/guides/authentication/tokens/revoke/",
        "https://developer.box.com/guides/api-calls/permissions-and-errors/scopes/",
    ),
    checked=date(2026, 11, 24),
    register_at="https://app.box.com/developers/console",
    register_hint="Create Platform App, User Authentication (OAuth 2.0). Tick its application scopes there.",
    authorization_url="https://account.box.com/api/oauth2/authorize",
    token_url="https://api.box.com/oauth2/token",
    revocation_url="https://api.box.com/oauth2/revoke",
    userinfo_url="https://api.box.com/2.0/users/me",
    scopes=(
        Scope("root_readonly", "Read all your files and folders"),
        Scope("root_readwrite", "Read and write all your files and folders"),
        Scope("manage_groups", "Manage the groups of your company"),
        Scope("manage_webhook", "Have changes of your files reported"),
        Scope("sign_requests.readwrite", "Manage requests for signatures"),
        Scope("ai.readwrite", "Ask Box AI about your files"),
    ),
    default_scopes=("root_readonly",),
    client_auth="post",
    # Not documented.
    pkce="off",
    grace=0,
    lives="An hour, renewed until it was not used for 60 days",
)
