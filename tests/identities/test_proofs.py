"""A pasted secret or certificate: what is wrong with it is said in words that never repeat it."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import NameOID

from portal.identities import proofs

KEY = rsa.generate_private_key(65537, 2048)
OTHER = rsa.generate_private_key(65537, 2048)


def certificate(key=KEY, *, begins: int = -1, ends: int = 90) -> str:
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gatehouse")]), datetime.now(UTC)
    built = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    built = built.public_key(key.public_key())
    built = built.not_valid_before(now + timedelta(days=begins)).not_valid_after(now + timedelta(days=ends))
    return built.sign(key, SHA256()).public_bytes(Encoding.PEM).decode()


def private(key=KEY, encryption=None) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


@pytest.mark.parametrize("pem", [certificate() + private(), private() + certificate()], ids=["either", "order"])
def test_a_certificate_with_its_key_is_taken_and_its_end_read(pem):
    assert proofs.check_certificate(pem) == (datetime.now(UTC) + timedelta(days=90)).date()


EC = ec.generate_private_key(ec.SECP256R1())
REFUSED = {
    "no certificate": (private(), "No certificate"),
    "no key": (certificate(), "exactly one private key"),
    "two keys": (certificate() + private() + private(OTHER), "exactly one private key"),
    "another's key": (certificate() + private(OTHER), "not that of the first certificate"),
    "expired": (certificate(begins=-9, ends=-1) + private(), "has expired"),
    "not yet": (certificate(begins=3) + private(), "not valid yet"),
    "encrypted": (certificate() + private(encryption=BestAvailableEncryption(b"x")), "encrypted"),
    "not RSA": (certificate(EC) + private(EC), "not an RSA key"),
    "cut": (certificate() + private()[:400], "exactly one private key|can't be read"),
    "nonsense": ("quetzalcoatlus", "No certificate"),
}


@pytest.mark.parametrize(("pem", "why"), REFUSED.values(), ids=REFUSED)
def test_what_can_not_prove_anything_says_why(pem, why):
    with pytest.raises(proofs.Unusable, match=why) as refusal:
        proofs.check_certificate(pem)
    assert refusal.value.__cause__ is None
    assert not any(line in str(refusal.value) for line in pem.splitlines() if len(line) > 20 and "BEGIN" not in line)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("aaaaaaaa-0000-0000-0000-000000000001", "the secret's ID"),
        ("two words", "one word"),
        ("sécret", "one word"),
        ("a\nb", "one word"),
    ],
)
def test_a_secret_that_can_not_be_one_says_why(value, why):
    with pytest.raises(proofs.Unusable, match=why):
        proofs.check_secret(value)
    proofs.check_secret("abc~Q8x.Zz-_1")
