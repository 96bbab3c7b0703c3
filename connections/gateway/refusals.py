"""Every way in which the gateway says no, spelled so that a stock client shows its sentence.

JSON-RPC: an error at HTTP 200, because the SDK drops the body of everything else. HTTP+JSON: `google.rpc.Status` at an
honest status. There the 1.0 client shows the message only when the first ErrorInfo has a reason of the specification,
the 0.3 client only when a top-level `type` names one of its classes; ours, with all we know, comes second.
The text is that of connections/troubleshooting.py; nothing of the endpoint's own words is repeated.
"""

import json
from dataclasses import dataclass
from typing import Any

from connections import troubleshooting
from connections.gateway.spelling import JSONRPC, Spelling

DOMAIN = "gatehouse"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"

ENDPOINT_REFUSED, CONSENT_NEEDED, NOT_PERMITTED = -32050, -32051, -32052
ENDPOINT_UNAVAILABLE, LOG_UNAVAILABLE, LIMIT = -32053, -32054, -32055


@dataclass(frozen=True)
class Kind:
    """JSON-RPC code, HTTP status, google.rpc.Code name, and the specification's reason that comes first."""

    code: int
    status: int
    name: str
    reason: str = "INVALID_REQUEST"


_PERMITTED = Kind(NOT_PERMITTED, 403, "PERMISSION_DENIED")
_REFUSED = Kind(ENDPOINT_REFUSED, 502, "FAILED_PRECONDITION")
_UNAVAILABLE = Kind(ENDPOINT_UNAVAILABLE, 502, "UNAVAILABLE")
_LIMIT = Kind(LIMIT, 429, "RESOURCE_EXHAUSTED")
_INVALID = Kind(-32600, 400, "INVALID_ARGUMENT")
_TASK = Kind(-32001, 404, "NOT_FOUND", "TASK_NOT_FOUND")

KINDS = {
    "agent_key_missing": Kind(NOT_PERMITTED, 401, "UNAUTHENTICATED"),
    "agent_key_malformed": Kind(NOT_PERMITTED, 401, "UNAUTHENTICATED"),
    "agent_key_unknown": Kind(NOT_PERMITTED, 401, "UNAUTHENTICATED"),
    "agent_key_revoked": Kind(NOT_PERMITTED, 401, "UNAUTHENTICATED"),
    "agent_key_expired": Kind(NOT_PERMITTED, 401, "UNAUTHENTICATED"),
    "agent_disabled": Kind(NOT_PERMITTED, 401, "UNAUTHENTICATED"),
    "connection_unknown": _PERMITTED,
    "connection_disabled": _PERMITTED,
    "credential_withdrawn": _PERMITTED,
    "may_not_speak": _PERMITTED,
    "user_unknown": _PERMITTED,
    "not_json": Kind(-32700, 400, "INVALID_ARGUMENT"),
    "not_utf8": Kind(-32700, 400, "INVALID_ARGUMENT"),
    "duplicate_member": _INVALID,
    "duplicate_header": _INVALID,
    "not_a_request": _INVALID,
    "batch": _INVALID,
    "undeclared_tenant": _INVALID,
    "id_unusable": _INVALID,
    "header_malformed": _INVALID,
    "unknown_method": Kind(-32601, 404, "NOT_FOUND", "METHOD_NOT_FOUND"),
    "unknown_path": Kind(-32601, 404, "NOT_FOUND", "METHOD_NOT_FOUND"),
    "version_not_offered": Kind(-32009, 400, "FAILED_PRECONDITION", "VERSION_NOT_SUPPORTED"),
    "too_large": Kind(-32600, 413, "INVALID_ARGUMENT"),
    "binding_not_offered": Kind(-32004, 400, "FAILED_PRECONDITION", "UNSUPPORTED_OPERATION"),
    "push_not_supported": Kind(-32003, 400, "FAILED_PRECONDITION", "PUSH_NOTIFICATION_NOT_SUPPORTED"),
    "task_not_found": _TASK,
    "task_not_cancelable": Kind(-32002, 400, "FAILED_PRECONDITION", "TASK_NOT_CANCELABLE"),
    "limit_rate": _LIMIT,
    "limit_concurrency": _LIMIT,
    "log_unavailable": Kind(LOG_UNAVAILABLE, 500, "INTERNAL", "INTERNAL_ERROR"),
    "internal": Kind(-32603, 500, "INTERNAL", "INTERNAL_ERROR"),
    "consent_required": Kind(CONSENT_NEEDED, 403, "PERMISSION_DENIED"),
    "secret_missing": _REFUSED,
    "secret_unreadable": _REFUSED,
    "key_unavailable": _REFUSED,
    "credential_unavailable": _REFUSED,
    "header_refused": _REFUSED,
    "method_not_installed": _REFUSED,
    "user_missing": _PERMITTED,
    "entra_unreachable": _UNAVAILABLE,
    "entra_busy": _UNAVAILABLE,
    "managed_identity_busy": _UNAVAILABLE,
    "identity_provider_unavailable": _UNAVAILABLE,
}


class Refused(Exception):
    """A call ends here. `code` is an entry of the troubleshooting catalogue; `facts` are added for programs."""

    def __init__(self, code: str, **facts: Any) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts

    @property
    def kind(self) -> Kind:
        return KINDS.get(self.code, _UNAVAILABLE)


class NoCredential(Refused):
    """The method could not make a credential. What kind of no this is follows from who must act."""

    @property
    def kind(self) -> Kind:
        return KINDS.get(self.code) or _BY_WHO.get(troubleshooting.entry(self.code).who, _REFUSED)


class RefusedByEndpoint(Refused):
    """The endpoint answered 401 or 403; the method says what that means for its credential."""

    kind = _REFUSED


_BY_WHO = {troubleshooting.Who.USER: _PERMITTED, troubleshooting.Who.PROVIDER: _UNAVAILABLE}


def sentence(refused: Refused, request_id: str) -> str:
    """One text that suffices alone: clients drop what stands beside it."""
    entry = troubleshooting.entry(refused.code)
    link = refused.facts.get("consent_link")
    parts = [entry.title.rstrip(".") + ".", f"Open {link} to allow it." if link else "", entry.cause, entry.resolution]
    return f"{' '.join(part for part in parts if part)} (request {request_id})"


def status_of(refused: Refused, spelling: Spelling) -> int:
    """The HTTP status to answer with."""
    status = refused.kind.status
    return 200 if spelling.binding == JSONRPC and status not in (401, 413) else status


def body(refused: Refused, spelling: Spelling, rpc_id: Any, request_id: str) -> bytes:
    """The answer's body: a JSON-RPC error, or google.rpc.Status in the form that both clients read."""
    text = sentence(refused, request_id)
    details = _details(refused, request_id)
    kind = refused.kind
    if spelling.binding == JSONRPC:
        error = {"code": kind.code, "message": text, "data": details}
        return _bytes({"jsonrpc": "2.0", "id": rpc_id, "error": error})
    status = {"code": kind.status, "status": kind.name, "message": text, "details": details}
    return _bytes({"error": status, "type": "InvalidRequestError", "message": text})


def _details(refused: Refused, request_id: str) -> list[dict]:
    entry = troubleshooting.entry(refused.code)
    known = {
        "cause": entry.cause,
        "resolution": entry.resolution,
        "who_must_act": entry.who,
        "request_id": request_id,
        **{name: str(value) for name, value in refused.facts.items()},
    }
    return [
        {"@type": ERROR_INFO, "reason": refused.kind.reason, "domain": "a2a-protocol.org", "metadata": {}},
        {"@type": ERROR_INFO, "reason": refused.code.upper(), "domain": DOMAIN, "metadata": known},
    ]


def _bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
