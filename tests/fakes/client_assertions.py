"""What applications sign with: certificates, and service account tokens of a cluster."""

import base64
import datetime
import json
import time
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from joserfc import jwt
from joserfc.jwk import RSAKey

EXCHANGE = "api://AzureADTokenExchange"
PEM = serialization.Encoding.PEM


def registered_thumbprint(what: x509.Certificate | str) -> str:
    """x5t#S256 of a certificate, or the one that an assertion's header names; "" where it names none."""
    if isinstance(what, str):
        try:
            header = what.partition(".")[0]
            return json.loads(base64.urlsafe_b64decode(header + "==")).get("x5t#S256", "").rstrip("=")
        except ValueError:
            return ""
    return base64.urlsafe_b64encode(what.fingerprint(hashes.SHA256())).decode().rstrip("=")


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its key; `pem` has both, as an administrator enters them."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    @property
    def key_pem(self) -> str:
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(PEM, form, serialization.NoEncryption()).decode()

    @property
    def pem(self) -> str:
        return self.key_pem + self.certificate.public_bytes(PEM).decode()


def key_pair(days: int = 30) -> KeyPair:
    """Self-signed, and valid for so many days from now."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "contoso-blueprint")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=99))
    builder = builder.not_valid_after(now + datetime.timedelta(days=days))
    return KeyPair(builder.sign(key, hashes.SHA256()), key)


@dataclass
class Cluster:
    """A Kubernetes cluster that signs the tokens of its service accounts."""

    issuer: str = "https://cluster.contoso.example/"
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"use": "sig"}, auto_kid=True))

    def jwks(self) -> dict:
        return {"keys": [self.key.as_dict(private=False)]}

    def token(self, subject: str, *, seconds: int = 3600, audience: str = EXCHANGE) -> str:
        now = int(time.time())
        claims = {"iss": self.issuer, "sub": subject, "aud": audience, "iat": now, "exp": now + seconds}
        return jwt.encode({"alg": "RS256", "kid": self.key.kid}, claims, self.key)
