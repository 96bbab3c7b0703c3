"""What proves a project's blueprint, in the forms that msal takes."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from portal import vault
from portal.identities.failures import REFUSED_SECONDS
from portal.identities.models import IdentitySource, Proof
from portal.identities.obtaining import TokenUnavailable
from portal.identities.token_endpoint import token_endpoint_of


class UnusableCertificate(Exception):
    """Not a certificate and its unencrypted RSA key in one PEM file, or they do not belong together."""


def of(source: IdentitySource, from_host: Callable[[], str]) -> Any:
    """`from_host` is asked only where the host proves the blueprint. Raises TokenUnavailable."""
    if Proof(source.proof).is_of_host:
        return {"client_assertion": from_host}
    value = _opened(source).reveal()
    if source.proof == Proof.CLIENT_SECRET:
        return value
    try:
        key, certificate = certificate_of(value)
    except UnusableCertificate:
        raise TokenUnavailable("blueprint_certificate_unusable", REFUSED_SECONDS) from None
    if certificate.not_valid_after_utc <= datetime.now(UTC):
        raise TokenUnavailable("blueprint_certificate_expired", REFUSED_SECONDS)
    # From the certificate msal takes the SHA-256 thumbprint that Entra knows it by.
    return {"private_key": _pem(key), "public_certificate": certificate.public_bytes(_PEM).decode()}


def certificate_of(value: str) -> tuple[RSAPrivateKey, x509.Certificate]:
    """Key and certificate of a PEM file with both. Raises UnusableCertificate."""
    try:
        key = serialization.load_pem_private_key(value.encode(), None)
        certificate = x509.load_pem_x509_certificate(value.encode())
    # An encrypted key, or none at all; and what cryptography does not know.
    except (ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm):
        raise UnusableCertificate from None
    if not isinstance(key, RSAPrivateKey) or key.public_key() != certificate.public_key():
        raise UnusableCertificate
    return key, certificate


def _opened(source: IdentitySource) -> vault.Secret:
    if not source.proof_value:
        raise TokenUnavailable("blueprint_proof_missing", REFUSED_SECONDS)
    try:
        return vault.open_sealed(source.proof_value, source.binding(token_endpoint_of(source.tenant)))
    except vault.SealBroken:
        raise TokenUnavailable("secret_unreadable") from None
    except vault.KeyUnavailable:
        raise TokenUnavailable("key_unavailable") from None


_PEM = serialization.Encoding.PEM


def _pem(key: RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(_PEM, form, serialization.NoEncryption()).decode()
