"""Intercom, for workspaces in its United States region."""

from consent.publishers.record import Publisher, Wire

INTERCOM = Publisher(
    slug="intercom",
    name="Intercom",
    initials="IC",
    documents=("https://developers.intercom.com/docs/build-an-integration/learn-more/authentication/setting-up-oauth",),
    checked=None,
    register_at="https://app.intercom.com/a/developer-signup",
    register_hint="Developer Hub, New app; under Authentication tick Use OAuth and the permissions.",
    authorization_url="https://app.intercom.com/oauth",
    token_url="https://api.intercom.io/auth/eagle/token",
    userinfo_url="https://api.intercom.io/me",
    # No scopes: the permissions are the app's.
    client_auth="post",
    pkce="off",
    lives="Until it is cancelled",
    wire=Wire(revocation=""),
)
