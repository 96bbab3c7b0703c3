"""Linear."""

from consent.publishers.record import Publisher, Scope, Wire

LINEAR = Publisher(
    slug="linear",
    name="Linear",
    initials="LI",
    documents=("https://linear.app/developers/oauth-2-0-authentication",),
    checked=None,
    register_at="https://linear.app/settings/api/applications/new",
    register_hint="New OAuth2 application. Every administrator of its workspace can see it.",
    authorization_url="https://linear.app/oauth/authorize",
    token_url="https://api.linear.app/oauth/token",
    revocation_url="https://api.linear.app/oauth/revoke",
    scopes=(
        Scope("read", "Read what you can see in Linear"),
        Scope("write", "Create and change what you can in Linear"),
        Scope("issues:create", "Create issues"),
        Scope("comments:create", "Write comments"),
        Scope("timeSchedule:write", "Create and change time schedules"),
    ),
    default_scopes=("read",),
    client_auth="post",
    authorize_params={"prompt": "consent"},
    lives="A day, renewed until it is cancelled",
    wire=Wire(scope_separator=","),
)
