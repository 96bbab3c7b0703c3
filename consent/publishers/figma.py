"""Figma."""

from consent.publishers.record import Publisher, Scope, Wire

FIGMA = Publisher(
    slug="figma",
    name="Figma",
    initials="FI",
    documents=(
        "https://developers.figma.com/docs/rest-api/authentication",
        "https://github.com/figma/rest-api-spec/blob/main/openapi/openapi.yaml",
    ),
    # Addresses and scopes agree with the specification; how tokens are asked for was not compared.
    checked=None,
    register_at="https://www.figma.com/developers/apps",
    register_hint="Create a new app, and tick the scopes that shall be asked for.",
    authorization_url="https://www.figma.com/oauth",
    token_url="https://api.figma.com/v1/oauth/token",
    refresh_url="https://api.figma.com/v1/oauth/refresh",
    userinfo_url="https://api.figma.com/v1/me",
    scopes=(
        Scope("current_user:read", "See your name, email address and picture"),
        Scope("file_content:read", "Read your files"),
        Scope("file_metadata:read", "See the names and dates of your files"),
        Scope("file_comments:read", "Read comments"),
        Scope("file_comments:write", "Write and delete comments and reactions"),
        Scope("file_versions:read", "See the versions of your files"),
        Scope("projects:read", "See projects and their files"),
    ),
    default_scopes=("current_user:read", "file_metadata:read"),
    pkce="off",
    lives="90 days, renewed until it is cancelled",
    # A refresh is answered without a refresh token: the one that was used stays. Errors have no code, and no document
    # says which status a dead refresh token gets; 400 is how the interface refuses a value that it can't use.
    wire=Wire(scope_separator=",", token_types=("bearer", ""), ended_statuses=(400,), revocation=""),
)
