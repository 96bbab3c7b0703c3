"""Telling a provider that tokens are no longer wanted (RFC 7009), at the address that they were given under."""

from connections.methods.base import CredentialUnavailable
from consent import clients, oauth2
from consent.models import Grant
from portal import vault

Pair = tuple[vault.Secret | None, vault.Secret | None]


def tell(grant: Grant, pair: Pair) -> bool | None:
    """`pair` is (refresh token, access token). True: confirmed; False: not; None: there is nowhere to tell it."""
    if not grant.asked.revocation_url or not any(pair):
        return None
    try:
        client = clients.of(grant.connection, grant.asked)
    except CredentialUnavailable:
        return False
    told = [oauth2.revoke(client, token, hint) for token, hint in _hinted(*pair)]
    return all(told)


def _hinted(refresh: vault.Secret | None, access: vault.Secret | None) -> list[tuple[vault.Secret, str]]:
    """The refresh token first: with it goes the whole family at most providers."""
    both = ((refresh, "refresh_token"), (access, "access_token"))
    return [(token, hint) for token, hint in both if token is not None]
