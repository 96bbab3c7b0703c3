"""Dropbox."""

from datetime import date

from consent.publishers.record import Publisher, Scope, Wire

DROPBOX = Publisher(
    slug="dropbox",
    name="Dropbox",
    initials="DB",
    documents=(
        "https://github.com/dropbox/dropbox-sdk-python/blob/main/dropbox/oauth.py",
        "https://github.com/dropbox/dropbox-api-spec/blob/main/auth.stone",
    ),
    checked=date(2026, 11, 24),
    register_at="https://www.dropbox.com/developers/apps",
    register_hint="Create app, Scoped access. Tick the permissions there before anybody consents.",
    authorization_url="https://www.dropbox.com/oauth2/authorize",
    token_url="https://api.dropboxapi.com/oauth2/token",
    # Who signed in can be asked with POST only.
    scopes=(
        Scope("account_info.read", "See your profile"),
        Scope("files.metadata.read", "See the names of your files"),
        Scope("files.content.read", "Read your files"),
        Scope("files.content.write", "Create, change and delete your files"),
        Scope("sharing.read", "See what you share"),
        Scope("sharing.write", "Share your files with others"),
    ),
    default_scopes=("account_info.read", "files.metadata.read"),
    client_auth="post",
    # At Dropbox a code verifier stands in for the client secret, not beside it.
    pkce="off",
    authorize_params={"token_access_type": "offline"},
    lives="A few hours, renewed until it is cancelled",
    wire=Wire(revocation=""),
)
