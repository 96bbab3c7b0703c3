"""Zoom, as a general app that people add for themselves."""

from datetime import date

from consent.publishers.record import Publisher, Scope, Wire

ZOOM = Publisher(
    slug="zoom",
    name="Zoom",
    initials="ZO",
    documents=(
        "https://github.com/zoom/skills/blob/main/skills/oauth/concepts/oauth-flows.md",
        "https://github.com/zoom/skills/blob/main/skills/oauth/concepts/token-lifecycle.md",
        "https://github.com/zoom/skills/blob/main/skills/oauth/references/oauth-errors.md",
        "https://github.com/zoom/skills/blob/main/skills/oauth/references/granular-scopes.md",
    ),
    checked=date(2026, 11, 24),
    register_at="https://marketplace.zoom.us/develop/create",
    register_hint="General app, user-managed; add the scopes. A new sign-in ends what the same account gave before.",
    authorization_url="https://zoom.us/oauth/authorize",
    token_url="https://zoom.us/oauth/token",
    revocation_url="https://zoom.us/oauth/revoke",
    userinfo_url="https://api.zoom.us/v2/users/me",
    scopes=(
        Scope("user:read:user", "See your profile"),
        Scope("meeting:read:meeting", "See the details of your meetings"),
        Scope("meeting:read:list_meetings", "See the list of your meetings"),
        Scope("meeting:write:meeting", "Create meetings for you"),
        Scope("meeting:update:meeting", "Change your meetings"),
        Scope("meeting:read:summary", "Read the summaries of your meetings"),
        Scope("cloud_recording:read:list_user_recordings", "See your recordings"),
        Scope("team_chat:write:user_message", "Send chat messages in your name"),
    ),
    default_scopes=("user:read:user",),
    grace=0,
    lives="An hour, renewed until it was not used for about 90 days",
    # Zoom keeps one authorization of an account: a new one ends the one before, and so does its end.
    wire=Wire(revocation_ends_all=True),
)
