"""Notion, as a public connection."""

from consent.publishers.record import Publisher, Wire

NOTION = Publisher(
    slug="notion",
    name="Notion",
    initials="NO",
    documents=(
        "https://developers.notion.com/guides/get-started/authorization",
        "https://developers.notion.com/reference/create-a-token",
        "https://developers.notion.com/reference/refresh-a-token",
        "https://developers.notion.com/reference/revoke-token",
    ),
    checked=None,
    register_at="https://www.notion.so/developers/connections",
    register_hint="New connection, type Public. What it may do is chosen there; each person chooses the pages.",
    authorization_url="https://api.notion.com/v1/oauth/authorize",
    token_url="https://api.notion.com/v1/oauth/token",
    # Neither who signed in nor a cancellation can be asked for without a Notion-Version header.
    # No scopes: the capabilities are the connection's.
    pkce="off",
    authorize_params={"owner": "user"},
    lives="Until it is cancelled, unless Notion gives a refresh token",
    wire=Wire(body="json", revocation=""),
)
