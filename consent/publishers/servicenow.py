"""ServiceNow, of one instance."""

from datetime import date

from consent.publishers.record import LABEL, Publisher, Scope, Variable, Wire

SERVICENOW = Publisher(
    slug="servicenow",
    name="ServiceNow",
    initials="SN",
    documents=(
        "https://www.servicenow.com/docs/r/platform-security/authentication/authorization-workflow.html",
        "https://www.servicenow.com/docs/r/platform-security/authentication/"
        "configure-an-oauth-authorization-code-grant.html",
        "https://www.servicenow.com/docs/r/platform-security/authentication/t_RevokeOAuthToken.html",
    ),
    checked=date(2026, 11, 24),
    register_at=(
        "https://www.servicenow.com/docs/r/platform-security/authentication/"
        "configure-an-oauth-authorization-code-grant.html"
    ),
    register_hint=(
        "On your instance: Machine Identity Console, Inbound integrations, New integration, OAuth authorization code "
        "grant. Not a public client."
    ),
    authorization_url="https://{instance}.service-now.com/oauth_auth.do",
    token_url="https://{instance}.service-now.com/oauth_token.do",
    revocation_url="https://{instance}.service-now.com/oauth_revoke_token.do",
    variables=(Variable(name="instance", label="Instance, before .service-now.com", pattern=LABEL, example="acme"),),
    # More scopes are made on the instance, each for the APIs that it opens.
    scopes=(Scope("useraccount", "Do everything in ServiceNow that you can do"),),
    default_scopes=("useraccount",),
    client_auth="post",
    # Documented for public clients; those with a secret have the secret instead.
    pkce="off",
    lives="30 minutes, renewed for 100 days; both are set at the integration",
    # Whoever has the token may cancel it.
    wire=Wire(revocation="google"),
)
