"""Docusign, in production or at its developer environment."""

from datetime import date

from consent.publishers.record import Publisher, Scope, Variable, Wire

DOCUSIGN = Publisher(
    slug="docusign",
    name="Docusign",
    initials="DS",
    documents=(
        "https://developers.docusign.com/platform/auth/confidential-authcode-get-token",
        "https://developers.docusign.com/platform/auth/reference/obtain-access-token",
        "https://github.com/docusign/docusign-esign-python-client/blob/master/docusign_esign/client/api_client.py",
    ),
    checked=date(2026, 11, 24),
    register_at="https://admindemo.docusign.com/apps-and-keys",
    register_hint="Add App and Integration Key, Authorization Code Grant, a secret key. Go-live leads to production.",
    authorization_url="https://{host}/oauth/auth",
    token_url="https://{host}/oauth/token",
    userinfo_url="https://{host}/oauth/userinfo",
    variables=(
        Variable(
            name="host",
            label="Account server: account-d.docusign.com for the developer environment",
            pattern=r"account(?:-d)?\.docusign\.com",
            example="account.docusign.com",
            default="account.docusign.com",
        ),
    ),
    scopes=(
        # Without it, what was given ends some weeks after the consent, however it is used.
        Scope("extended", "Keep the access while it is used"),
        Scope("signature", "Read, send and sign envelopes in your name"),
        Scope("click_manage", "Manage agreements to click"),
    ),
    default_scopes=("signature",),
    fixed_scopes=("extended",),
    lives="Some hours, renewed while it is used",
    wire=Wire(revocation=""),
)
