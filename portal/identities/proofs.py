"""Whether a pasted client secret or certificate can prove a blueprint; no sentence repeats a part of it."""

import re
from datetime import date

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from django.utils import timezone

GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
LONGEST = 20_000
BITS = 2048
KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")


class Unusable(Exception):
    """The sentence says what is wrong and what to do."""


def check_secret(value: str) -> None:
    """Raises Unusable."""
    if GUID.fullmatch(value.lower()):
        raise Unusable("This is the secret's ID. Paste its value, which Entra shows once, when the secret is made.")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise Unusable("A client secret is one word of letters, digits and signs. Paste it again, in one line.")


def check_certificate(pem: str) -> date:
    """The certificate's last day. Raises Unusable."""
    certificate, key = _certificate(pem), _key(pem)
    if _public(certificate.public_key()) != _public(key.public_key()):
        raise Unusable("The private key is not that of the first certificate. Paste the pair that belongs together.")
    if key.key_size < BITS:
        raise Unusable(f"The key is shorter than {BITS} bits, too short for Microsoft Entra. Make another pair.")
    now = timezone.now()
    if certificate.not_valid_after_utc <= now:
        raise Unusable("The certificate has expired. Make another one and add it to the blueprint.")
    if certificate.not_valid_before_utc > now:
        raise Unusable("The certificate is not valid yet. Check its dates.")
    return certificate.not_valid_after_utc.date()


def _certificate(pem: str) -> x509.Certificate:
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
        # A public key of an unknown kind only fails when it is asked for.
        found[0].public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise Unusable("No certificate can be read. Paste it in PEM, from BEGIN to END CERTIFICATE.") from None
    return found[0]


def _key(pem: str) -> RSAPrivateKey:
    if len(KEY.findall(pem)) != 1:
        raise Unusable("Paste exactly one private key in PEM together with its certificate.")
    try:
        key = load_pem_private_key(pem[KEY.search(pem).start() :].encode(), password=None)
    except TypeError:
        raise Unusable("The private key is encrypted. Paste it without a password; it is sealed here.") from None
    except (ValueError, UnsupportedAlgorithm):
        raise Unusable("The private key can't be read. Paste it in PEM, as a whole.") from None
    if not isinstance(key, RSAPrivateKey):
        raise Unusable("The key is not an RSA key. Microsoft Entra accepts only RSA here.")
    return key


def _public(key) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
