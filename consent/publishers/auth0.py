"""Auth0, of one tenant."""

from datetime import date

from consent.publishers.record import LABEL, Publisher, Scope, Variable, Wire

AUTH0 = Publisher(
    slug="auth0",
    name="Auth0",
    initials="A0",
    documents=(
        "https://auth0.com/docs/api/authentication/authorization-code-flow-with-pkce/authorize-with-pkce",
        "https://auth0.com/docs/api/authentication/refresh-token/refresh-token",
        "https://auth0.com/docs/api/authentication/revoke-refresh-token/revoke-refresh-token",
        "https://auth0.com/docs/secure/tokens/refresh-tokens/configure-refresh-token-rotation",
    ),
    checked=date(2026, 11, 24),
    register_at="https://manage.auth0.com/",
    register_hint=(
        "Applications, Create Application, Regular Web Application, secret sent by POST. Allow offline access at the "
        "API, and set the default audience of the tenant to it."
    ),
    authorization_url="https://{domain}/authorize",
    token_url="https://{domain}/oauth/token",
    # Refresh tokens only. Whether the whole grant ends is a setting of the tenant, off by default.
    revocation_url="https://{domain}/oauth/revoke",
    userinfo_url="https://{domain}/userinfo",
    variables=(
        Variable(
            name="domain",
            label="Auth0 domain",
            pattern=rf"{LABEL}(?:\.[a-z]{{2}})?\.auth0\.com",
            example="acme.eu.auth0.com",
        ),
    ),
    # What else can be asked for is up to the tenant's own APIs.
    scopes=(
        Scope("offline_access", "Keep the access while you are away"),
        Scope("openid", "Know which account is yours"),
        Scope("profile", "See your name and picture"),
        Scope("email", "See your email address"),
    ),
    default_scopes=("openid", "profile"),
    fixed_scopes=("offline_access",),
    client_auth="post",
    # The overlap of rotation is off by default.
    grace=0,
    lives="As the API is set up, renewed for 30 days unless set otherwise",
    wire=Wire(ended_statuses=(403,)),
)
