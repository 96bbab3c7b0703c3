"""Google, for Workspace and personal accounts."""

from datetime import date

from consent.publishers.record import Publisher, Scope, Wire

GOOGLE = Publisher(
    slug="google",
    name="Google",
    initials="GO",
    documents=(
        "https://github.com/googleapis/google-api-php-client/blob/main/docs/oauth-web.md",
        "https://github.com/googleapis/google-auth-library-nodejs/blob/main/src/auth/oauth2client.ts",
    ),
    checked=date(2026, 11, 24),
    register_at="https://console.cloud.google.com/apis/credentials",
    register_hint=(
        "Create credentials, OAuth client ID, Web application. Enable each API that shall be used. While the consent "
        "screen is in testing, access ends early."
    ),
    authorization_url="https://accounts.google.com/o/oauth2/v2/auth",
    token_url="https://oauth2.googleapis.com/token",
    revocation_url="https://oauth2.googleapis.com/revoke",
    userinfo_url="https://openidconnect.googleapis.com/v1/userinfo",
    scopes=(
        Scope("openid", "Know which account is yours"),
        Scope("email", "See your email address"),
        Scope("profile", "See your name and picture"),
        Scope("https://www.googleapis.com/auth/calendar.readonly", "See your calendars"),
        Scope("https://www.googleapis.com/auth/calendar.events", "See and change events in your calendars"),
        Scope("https://www.googleapis.com/auth/drive.readonly", "See and download all your files in Drive"),
        Scope("https://www.googleapis.com/auth/gmail.readonly", "Read your mail"),
        Scope("https://www.googleapis.com/auth/gmail.send", "Send mail in your name"),
    ),
    default_scopes=("openid", "email"),
    client_auth="post",
    # A refresh token comes with a consent only, not with a sign-in after it.
    authorize_params={"access_type": "offline", "prompt": "consent"},
    lives="About an hour, renewed until it is cancelled",
    wire=Wire(revocation="google", revocation_ends_all=True),
)
