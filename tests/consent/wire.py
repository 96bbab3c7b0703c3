"""Our side of a conversation with a fake provider, without a database: terms, a code, tokens."""

import secrets
from dataclasses import replace

import httpx

from consent import oauth2
from consent.oauth2 import Client, Tokens
from consent.terms import Terms
from demo.authorization_server import Registration
from portal.vault import Secret
from tests.fakes.authorization_server import REDIRECT_URI, FakeProvider
from tests.fakes.signing_in import query_of, sign_in
from tests.fakes.stock_client import TLS

SCOPES = ("reviews:read", "reviews:comment")


def client_of(provider: FakeProvider, registered: Registration | None = None, **terms) -> Client:
    """Registered unless `registered` is given; `terms` are those that differ from the usual ones."""
    registered = registered or provider.register()
    at = provider.at
    usual = Terms(
        authorization_url=at.authorize,
        token_url=at.token,
        refresh_url=at.token,
        client_id=registered.client_id,
        redirect_uri=REDIRECT_URI,
        endpoints=("https://agent.example/a2a",),
        scopes=SCOPES,
        revocation_url=at.revoke,
        userinfo_url=at.userinfo,
    )
    return Client(replace(usual, **terms), Secret(registered.client_secret) if registered.client_secret else None)


def code_for(client: Client, account: str = "octo-ben") -> tuple[str, str]:
    """(code, verifier) after somebody signed in and agreed."""
    verifier = oauth2.new_verifier()
    address = oauth2.authorization_address(client.terms, secrets.token_urlsafe(8), verifier)
    with httpx.Client(verify=TLS) as http:
        return query_of(sign_in(http, address, account))["code"], verifier


def tokens_of(client: Client, account: str = "octo-ben") -> Tokens:
    return oauth2.exchange(client, *code_for(client, account))
