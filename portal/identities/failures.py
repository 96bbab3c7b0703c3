"""What Microsoft Entra and the managed identity endpoint say no with, in codes of the troubleshooting catalogue.

Only numbers, statuses and error names are read: the texts beside them name tenants, applications and people (T27).
"""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from portal.identities.obtaining import TokenUnavailable
from portal.outbound.errors import AnswerTooLarge, BadAnswer, Disconnected, OutboundError, RedirectRefused

UNKNOWN = "entra_refused"
UNREADABLE = "entra_answer_unreadable"
BUSY = "entra_busy"
UNREACHABLE = "entra_unreachable"

# AADSTS number to code: learn.microsoft.com/entra/identity-platform/reference-error-codes, and for what is missing
# there login.microsoftonline.com/error?code=<number>.
AADSTS = {
    7000215: "entra_secret_invalid",
    70002: "entra_secret_invalid",
    7000222: "entra_secret_expired",
    # The certificate, or what was signed with it.
    700027: "entra_certificate_refused",
    700030: "entra_certificate_refused",
    50003: "entra_certificate_refused",
    50006: "entra_certificate_refused",
    50012: "entra_certificate_refused",
    # Blueprint, agent identity or managed identity, as an application of the tenant.
    700016: "entra_application_unknown",
    700011: "entra_application_unknown",
    7000112: "entra_application_disabled",
    70001: "entra_application_disabled",
    1000031: "entra_application_disabled",
    # The tenant.
    90002: "entra_tenant_unknown",
    90038: "entra_tenant_unknown",
    900382: "entra_tenant_unknown",
    900432: "entra_tenant_unknown",
    50059: "entra_tenant_unknown",
    700211: "entra_tenant_wrong",
    # Federated identity credentials: audience, subject, any; the pattern of agent identities; the issuer's keys.
    700212: "entra_federation_mismatch",
    700213: "entra_federation_mismatch",
    70021: "entra_federation_mismatch",
    7002137: "entra_federation_mismatch",
    7002138: "entra_federation_mismatch",
    90061: "entra_federation_unreadable",
    # The assertion itself: its time, its form, its kind.
    700024: "entra_assertion_expired",
    500133: "entra_assertion_expired",
    50013: "entra_assertion_refused",
    50027: "entra_assertion_refused",
    50048: "entra_assertion_refused",
    700229: "entra_assertion_refused",
    82001: "entra_flow_not_permitted",
    7000114: "entra_flow_not_permitted",
    # The audience.
    500011: "entra_audience_unknown",
    50001: "entra_audience_unknown",
    650052: "entra_audience_unknown",
    650054: "entra_audience_unknown",
    500014: "entra_audience_disabled",
    70011: "entra_audience_invalid",
    1002012: "entra_audience_invalid",
    28002: "entra_audience_invalid",
    700022: "entra_audience_invalid",
    700023: "entra_audience_invalid",
    # What the tenant's administrators have not given, or forbid.
    50105: "entra_assignment_missing",
    501051: "entra_assignment_missing",
    65001: "entra_consent_missing",
    65005: "entra_consent_missing",
    650056: "entra_consent_missing",
    650057: "entra_consent_missing",
    90094: "entra_consent_missing",
    53003: "entra_policy_blocked",
    53011: "entra_policy_blocked",
    50131: "entra_policy_blocked",
    530032: "entra_policy_blocked",
    530035: "entra_policy_blocked",
    500021: "entra_policy_blocked",
    500022: "entra_policy_blocked",
    500213: "entra_policy_blocked",
    # Nobody's fault, or too many requests.
    50196: BUSY,
    50033: BUSY,
    90006: BUSY,
    90012: BUSY,
    90024: BUSY,
    90033: BUSY,
    90055: BUSY,
    90090: BUSY,
    90091: BUSY,
}
# A client that asks the same again and again is locked out by Entra for a while (AADSTS50196).
LOOP = 50196
LOOP_SECONDS = 300.0
REFUSED_SECONDS = 30.0
BUSY_SECONDS = 30.0
LOST_SECONDS = 5.0
LONGEST_PAUSE = 3600.0

# learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token#error-handling
HOST_STATUSES = {401: "managed_identity_refused", 403: "managed_identity_refused", 404: "no_managed_identity"}
HOST_UNREADABLE = "managed_identity_unreadable"
HOST_BUSY = "managed_identity_busy"


def of_answer(status: int, content: Any, retry_after: str = "") -> TokenUnavailable:
    """For an error answer of the token endpoint (RFC 6749, 5.2, with Entra's `error_codes`), read or unreadable."""
    numbers, asked = _numbers(content), pause_of(retry_after)
    code = next((AADSTS[number] for number in numbers if number in AADSTS), None)
    if code is None and (status == 429 or status >= 500 or _error(content) == "temporarily_unavailable"):
        code = BUSY
    if code is None:
        code = UNKNOWN if _error(content) else UNREADABLE
    own = LOOP_SECONDS if LOOP in numbers else BUSY_SECONDS if code == BUSY else REFUSED_SECONDS
    return TokenUnavailable(code, own if asked is None else asked)


def of_outbound(error: OutboundError) -> TokenUnavailable:
    if isinstance(error, BadAnswer | AnswerTooLarge | RedirectRefused) and not isinstance(error, Disconnected):
        return TokenUnavailable(UNREADABLE, BUSY_SECONDS)
    return TokenUnavailable(UNREACHABLE, LOST_SECONDS)


def of_host(status: int, content: Any, retry_after: str = "") -> TokenUnavailable:
    """For an answer of the managed identity endpoint that is no token."""
    pause = pause_of(retry_after)
    if status == 400:
        known = next((AADSTS[number] for number in _numbers(content) if number in AADSTS), None)
        by_name = {"invalid_resource": "entra_audience_unknown", "invalid_scope": "entra_audience_unknown"}
        code = known or by_name.get(_error(content), "managed_identity_not_found")
    elif status in (410, 429) or status >= 500:
        code = HOST_BUSY
    else:
        code = HOST_STATUSES.get(status, HOST_UNREADABLE)
    return TokenUnavailable(code, BUSY_SECONDS if pause is None else pause)


def pause_of(retry_after: str) -> float | None:
    """RFC 9110, 10.2.3: seconds or a date; never more than an hour."""
    if re.fullmatch(r"[0-9]{1,9}", retry_after.strip()):
        return min(max(float(retry_after), 1.0), LONGEST_PAUSE)
    try:
        seconds = parsedate_to_datetime(retry_after).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 1.0), LONGEST_PAUSE)


def _error(content: Any) -> str:
    error = content.get("error") if isinstance(content, Mapping) else None
    return error if isinstance(error, str) else ""


def _numbers(content: Any) -> list[int]:
    """Of `error_codes`, or, where an endpoint passes on Entra's sentence alone, the number in its first word."""
    if not isinstance(content, Mapping):
        return []
    codes = content.get("error_codes")
    if isinstance(codes, list) and codes:
        return [number for number in codes if type(number) is int]
    text = content.get("error_description")
    match = re.match(r"AADSTS([0-9]{4,9})\b", text) if isinstance(text, str) else None
    return [int(match.group(1))] if match else []
