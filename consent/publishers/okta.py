"""Okta, with the authorization server of the org itself."""

from datetime import date

from consent.publishers.record import LABEL, Publisher, Scope, Variable

OKTA = Publisher(
    slug="okta",
    name="Okta",
    initials="OK",
    documents=(
        "https://developer.okta.com/docs/guides/implement-grant-type/authcode/main/",
        "https://developer.okta.com/docs/guides/refresh-tokens/main/",
        "https://developer.okta.com/docs/guides/revoke-tokens/main/",
    ),
    checked=date(2026, 11, 24),
    register_at="https://developer.okta.com/docs/guides/implement-grant-type/authcode/main/",
    register_hint=(
        "In your Admin Console: Applications, Create App Integration, OIDC, Web Application. Tick Refresh Token; grant "
        "the Okta API scopes that shall be asked for."
    ),
    authorization_url="https://{domain}/oauth2/v1/authorize",
    token_url="https://{domain}/oauth2/v1/token",
    revocation_url="https://{domain}/oauth2/v1/revoke",
    userinfo_url="https://{domain}/oauth2/v1/userinfo",
    variables=(
        Variable(
            name="domain",
            label="Okta domain",
            pattern=rf"{LABEL}\.(?:okta|okta-emea|oktapreview)\.com",
            example="acme.okta.com",
        ),
    ),
    scopes=(
        Scope("offline_access", "Keep the access while you are away"),
        Scope("openid", "Know which account is yours"),
        Scope("profile", "See your name"),
        Scope("email", "See your email address"),
        Scope("okta.users.read.self", "Read your profile in Okta"),
        Scope("okta.users.read", "Read the people of your org"),
        Scope("okta.groups.read", "Read the groups of your org"),
    ),
    default_scopes=("openid", "profile"),
    fixed_scopes=("offline_access",),
    # The default where refresh tokens rotate; an app can be set to anything from 0 to 60.
    grace=30,
    lives="An hour, renewed until it was not used for 7 days",
)
