"""Airtable."""

from consent.publishers.record import Publisher, Scope, Wire

AIRTABLE = Publisher(
    slug="airtable",
    name="Airtable",
    initials="AI",
    documents=(
        "https://airtable.com/developers/web/api/oauth-reference",
        "https://github.com/Airtable/oauth-example",
    ),
    # Paths, client authentication and PKCE agree with the example; the reference was not compared.
    checked=None,
    register_at="https://airtable.com/create/oauth",
    register_hint="Register an integration, generate its client secret, and tick the scopes.",
    authorization_url="https://airtable.com/oauth2/v1/authorize",
    token_url="https://airtable.com/oauth2/v1/token",
    userinfo_url="https://api.airtable.com/v0/meta/whoami",
    scopes=(
        Scope("user.email:read", "See your email address"),
        Scope("data.records:read", "Read records"),
        Scope("data.records:write", "Create, change and delete records"),
        Scope("data.recordComments:read", "Read comments on records"),
        Scope("schema.bases:read", "See the tables and fields of bases"),
        Scope("schema.bases:write", "Change the tables and fields of bases"),
    ),
    default_scopes=("user.email:read", "data.records:read"),
    # A second use ends everything that came of the token.
    grace=0,
    lives="An hour, renewed until it was not used for 60 days",
    wire=Wire(revocation=""),
)
