"""Microsoft Graph, through Microsoft Entra ID (v2.0 endpoints)."""

from datetime import date

from consent.publishers.record import LABEL, Publisher, Scope, Variable, Wire

UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"

MICROSOFT = Publisher(
    slug="microsoft",
    name="Microsoft Graph",
    initials="MS",
    documents=(
        "https://learn.microsoft.com/en-us/entra/identity-platform/v2-oauth2-auth-code-flow",
        "https://learn.microsoft.com/en-us/entra/identity-platform/refresh-tokens",
        "https://learn.microsoft.com/en-us/entra/identity-platform/userinfo",
    ),
    checked=date(2026, 11, 24),
    register_at="https://entra.microsoft.com/#view/Microsoft_AAD_RegisteredApps/ApplicationsListBlade",
    register_hint="New registration, redirect URI of the type Web. Add the delegated permissions of Microsoft Graph.",
    authorization_url="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
    token_url="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
    # No way to cancel: Graph can only sign a person out of every app at once.
    userinfo_url="https://graph.microsoft.com/oidc/userinfo",
    variables=(
        Variable(
            name="tenant",
            label="Tenant: its ID or domain; organizations or common for an app that is open to others",
            pattern=rf"common|organizations|consumers|{UUID}|{LABEL}(?:\.{LABEL})+",
            example="contoso.onmicrosoft.com",
        ),
    ),
    scopes=(
        Scope("offline_access", "Keep the access while you are away"),
        Scope("openid", "Know which account is yours"),
        Scope("profile", "See your name"),
        Scope("User.Read", "See your profile"),
        Scope("Mail.Read", "Read your mail"),
        Scope("Mail.Send", "Send mail in your name"),
        Scope("Calendars.ReadWrite", "See and change your calendars"),
        Scope("Files.Read.All", "Read every file that you can open"),
        Scope("Sites.Read.All", "Read every SharePoint site that you can open"),
        Scope("Chat.Read", "Read your chats in Teams"),
    ),
    default_scopes=("openid", "profile", "User.Read"),
    fixed_scopes=("offline_access",),
    client_auth="post",
    # A refresh token that was used stays good for the rest of its 90 days.
    grace=90 * 24 * 60 * 60,
    lives="About an hour, renewed until it was not used for 90 days",
    wire=Wire(
        # Entra's own: the person has to sign in or to consent once more.
        ended_errors=("interaction_required", "consent_required"),
        client_errors=("unauthorized_client",),
        revocation="",
    ),
)
