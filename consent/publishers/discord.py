"""Discord."""

from datetime import date

from consent.publishers.record import Publisher, Scope, Wire

DISCORD = Publisher(
    slug="discord",
    name="Discord",
    initials="DI",
    documents=("https://docs.discord.com/developers/topics/oauth2",),
    checked=date(2026, 11, 24),
    register_at="https://discord.com/developers/applications",
    register_hint="New Application; under OAuth2 add the redirect. Leave Public Client off.",
    authorization_url="https://discord.com/oauth2/authorize",
    token_url="https://discord.com/api/oauth2/token",
    revocation_url="https://discord.com/api/oauth2/token/revoke",
    userinfo_url="https://discord.com/api/users/@me",
    scopes=(
        Scope("identify", "See your name and picture"),
        Scope("email", "See your email address"),
        Scope("guilds", "See which servers you are in"),
        Scope("guilds.members.read", "See your roles on your servers"),
        Scope("guilds.join", "Join servers for you"),
        Scope("connections", "See the accounts that you linked"),
    ),
    default_scopes=("identify",),
    # Documented for apps on phones, with and without a secret.
    pkce="S256",
    authorize_params={"prompt": "consent"},
    lives="7 days, renewed until it is cancelled",
    wire=Wire(revocation_ends_all=True),
)
