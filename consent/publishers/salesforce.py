"""Salesforce, at its login host or at the My Domain of one org."""

from datetime import date

from consent.publishers.record import LABEL, Publisher, Scope, Variable, Wire

SALESFORCE = Publisher(
    slug="salesforce",
    name="Salesforce",
    initials="SF",
    documents=(
        "https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_web_server_flow.htm&type=5",
        "https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_revoke_token.htm&type=5",
        "https://developer.salesforce.com/docs/platform/mobile-sdk/guide/oauth-revoking-tokens.html",
        "https://github.com/forcedotcom/SalesforceMobileSDK-iOS/blob/dev/libs/SalesforceSDKCore/SalesforceSDKCore/"
        "Classes/Util/SFSDKOAuthConstants.h",
    ),
    checked=date(2026, 11, 24),
    register_at="https://login.salesforce.com/",
    register_hint=(
        "Setup, External Client App Manager, New External Client App. Enable OAuth with the scopes api and "
        "refresh_token; require PKCE."
    ),
    authorization_url="https://{host}/services/oauth2/authorize",
    token_url="https://{host}/services/oauth2/token",
    revocation_url="https://{host}/services/oauth2/revoke",
    userinfo_url="https://{host}/services/oauth2/userinfo",
    variables=(
        Variable(
            name="host",
            label="Login host: login.salesforce.com, test.salesforce.com or your My Domain",
            pattern=rf"(?:login|test)\.salesforce\.com|{LABEL}(?:\.{LABEL})?\.my\.salesforce\.com",
            example="acme.my.salesforce.com",
            default="login.salesforce.com",
        ),
    ),
    scopes=(
        Scope("refresh_token", "Keep the access while you are away"),
        Scope("openid", "Know which account is yours"),
        Scope("profile", "See your name"),
        Scope("email", "See your email address"),
        Scope("api", "Read and change your data in Salesforce"),
        Scope("chatter_api", "Read and write Chatter in your name"),
    ),
    default_scopes=("openid", "api"),
    fixed_scopes=("refresh_token",),
    client_auth="post",
    # With rotation of refresh tokens, which is the app's setting.
    grace=0,
    lives="As long as a session of the org, by default 2 hours, renewed until it is cancelled",
    wire=Wire(
        client_errors=("invalid_client_id",),
        # Salesforce does not say when a token ends; two hours is its sessions' default.
        expires_default=7200,
        revocation="google",
    ),
)
