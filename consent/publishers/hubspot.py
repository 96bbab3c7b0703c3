"""HubSpot, with version 3 of its OAuth API; version 1 ends on 16 February 2027."""

from datetime import date

from consent.publishers.record import Publisher, Scope

HUBSPOT = Publisher(
    slug="hubspot",
    name="HubSpot",
    initials="HS",
    documents=(
        "https://developers.hubspot.com/docs/api-reference/auth-oauth-v3/guide",
        "https://github.com/HubSpot/HubSpot-public-api-spec-collection/blob/main/PublicApiSpecs/Auth/Oauth/Rollouts/"
        "279897/v3/oauth.json",
    ),
    checked=date(2026, 11, 24),
    register_at="https://app.hubspot.com/developer-overview",
    register_hint="Create an app with OAuth. Its scopes must be those that are asked for here.",
    authorization_url="https://app.hubspot.com/oauth/authorize",
    token_url="https://api.hubapi.com/oauth/v3/token",
    revocation_url="https://api.hubapi.com/oauth/v3/token/revoke",
    scopes=(
        Scope("oauth", "Connect to your HubSpot account"),
        Scope("crm.objects.contacts.read", "Read contacts"),
        Scope("crm.objects.contacts.write", "Create and change contacts"),
        Scope("crm.objects.companies.read", "Read companies"),
        Scope("crm.objects.companies.write", "Create and change companies"),
        Scope("crm.objects.deals.read", "Read deals"),
        Scope("crm.objects.deals.write", "Create and change deals"),
        Scope("tickets", "Read and change tickets"),
    ),
    default_scopes=("crm.objects.contacts.read",),
    fixed_scopes=("oauth",),
    client_auth="post",
    # The token request has a place for the verifier; the guide does not speak of it.
    pkce="S256",
    lives="30 minutes, renewed until it is cancelled",
)
