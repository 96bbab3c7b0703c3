"""The one TLS configuration: certificates and host names are always verified."""

import ssl
from functools import lru_cache

import certifi
from django.conf import settings


def context() -> ssl.SSLContext:
    """Trusts certifi's authorities, and those in the file OUTBOUND_CA_FILE where the settings name one."""
    return _context(getattr(settings, "OUTBOUND_CA_FILE", None))


@lru_cache(maxsize=4)
def _context(ca_file: str | None) -> ssl.SSLContext:
    # Not create_default_context: that reads SSL_CERT_FILE and SSLKEYLOGFILE from the environment.
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_verify_locations(certifi.where())
    if ca_file:
        made.load_verify_locations(ca_file)
    made.set_alpn_protocols(["http/1.1"])
    return made
