"""Which columns of the identities' tables hold sealed values."""

from portal.identities import entra
from portal.identities.models import IdentitySource, IdentityToken, SigningKey
from portal.sealed import Sealed


def columns() -> tuple[Sealed, ...]:
    return (
        Sealed("portal.identitysource", IdentitySource, "proof_value", _of_source),
        Sealed("portal.identitytoken", IdentityToken, "value", IdentityToken.binding, ("identity",)),
        Sealed("portal.signingkey", SigningKey, "private", SigningKey.binding),
    )


def _of_source(source: IdentitySource):
    return source.binding(entra.token_endpoint_of(source.tenant))
