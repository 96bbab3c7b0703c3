"""Stripe, as a Connect platform: the access token is a secret key of the account that was connected."""

from consent.publishers.record import Publisher, Scope, Wire

STRIPE = Publisher(
    slug="stripe",
    name="Stripe",
    initials="ST",
    documents=(
        "https://docs.stripe.com/connect/oauth-reference",
        "https://github.com/stripe/stripe-python/blob/master/stripe/_oauth.py",
    ),
    # Addresses, scopes and lifetime agree with Stripe's own library; the reference was not compared.
    checked=None,
    register_at="https://dashboard.stripe.com/settings/connect/onboarding-options/oauth",
    register_hint="Turn on OAuth for Connect. The client secret is a secret key of your platform.",
    authorization_url="https://connect.stripe.com/oauth/authorize",
    token_url="https://connect.stripe.com/oauth/token",
    userinfo_url="https://api.stripe.com/v1/account",
    scopes=(
        Scope("read_only", "Read everything in your Stripe account"),
        Scope("read_write", "Read and change everything in your Stripe account"),
    ),
    default_scopes=("read_only",),
    client_auth="post",
    pkce="off",
    lives="Until it is cancelled",
    # Stripe ends what a whole account gave, and wants its ID for it.
    wire=Wire(revocation=""),
)
