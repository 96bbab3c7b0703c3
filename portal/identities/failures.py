"""What Microsoft Entra and the managed identity endpoint say no with, in codes of the troubleshooting catalogue.

Only numbers and error names are read: the texts beside them name tenants, applications and people (T27).
"""

from collections.abc import Mapping
from typing import Any

from portal.outbound.errors import OutboundError

UNKNOWN = "entra_refused"
# AADSTS number to code (learn.microsoft.com, "Microsoft Entra authentication and authorization error codes").
AADSTS = {
    7000215: "entra_secret_invalid",
    7000222: "entra_secret_expired",
    700016: "entra_application_unknown",
    90002: "entra_tenant_unknown",
    500011: "entra_audience_unknown",
    700211: "entra_tenant_wrong",
}
BUSY_SECONDS = 30.0


def of_answer(answer: Mapping[str, Any]) -> tuple[str, float]:
    """(code, seconds to wait) for an error answer of the token endpoint (RFC 6749, 5.2, with Entra's `error_codes`)."""
    numbers = [number for number in answer.get("error_codes") or [] if isinstance(number, int)]
    code = next((AADSTS[number] for number in numbers if number in AADSTS), UNKNOWN)
    return code, 5.0


def of_outbound(error: OutboundError) -> str:
    return "entra_unreachable"


def of_azure(error: Exception) -> tuple[str, float]:
    return "no_managed_identity", BUSY_SECONDS
