"""Zendesk, of one account."""

from consent.publishers.record import LABEL, Publisher, Scope, Variable, Wire

ZENDESK = Publisher(
    slug="zendesk",
    name="Zendesk",
    initials="ZD",
    documents=(
        "https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/",
        "https://developer.zendesk.com/documentation/api-basics/authentication/refresh-token/",
    ),
    checked=None,
    register_at="https://support.zendesk.com/hc/en-us/articles/4408845965210",
    register_hint="Admin Center, Apps and integrations, APIs, OAuth clients: add a confidential client.",
    authorization_url="https://{subdomain}.zendesk.com/oauth/authorizations/new",
    token_url="https://{subdomain}.zendesk.com/oauth/tokens",
    # Who signed in is one level deep in Zendesk's answer; a token is cancelled by a request of its own kind.
    variables=(Variable(name="subdomain", label="Subdomain, before .zendesk.com", pattern=LABEL, example="acme"),),
    scopes=(
        Scope("read", "Read everything that you can see in Zendesk"),
        Scope("write", "Create and change everything that you can in Zendesk"),
        Scope("tickets:read", "Read tickets"),
        Scope("tickets:write", "Create and change tickets"),
        Scope("users:read", "See customers and agents"),
    ),
    default_scopes=("tickets:read",),
    client_auth="post",
    lives="As the client is set up, by default 30 minutes, renewed until it is cancelled",
    wire=Wire(body="json", revocation=""),
)
