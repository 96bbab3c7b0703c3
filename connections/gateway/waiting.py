"""The answer when a user has to consent first: a task in the auth-required state, in all four spellings.

A 401 would not do: the SDK's client throws its body away and the link never reaches the user (protocols.md 1.4).
"""

import uuid
from datetime import UTC, datetime
from typing import Any

from connections import troubleshooting
from connections.gateway.owners import GATEWAY_PREFIX
from connections.gateway.spelling import JSONRPC, V1, Spelling
from connections.methods.base import Consent
from connections.models import Connection

AUTH, INPUT = "AUTH_REQUIRED", "INPUT_REQUIRED"
# A page of ListTasks with nothing on it (A2A 1.0, 3.1.4).
EMPTY_PAGE = {"tasks": [], "nextPageToken": "", "pageSize": 50, "totalSize": 0}
GO_ON = "The permission is there. Send your message again."


def new_id() -> str:
    """An id that never reaches the endpoint."""
    return f"{GATEWAY_PREFIX}{uuid.uuid4()}"


def result(spelling: Spelling, task: str, context: str, consent: Consent, form: str) -> dict:
    """The answer to a message: the whole task, or what the connection chose (`form`, a Connection.ConsentAnswer)."""
    message = _message(spelling, task, context, consent)
    if form == Connection.ConsentAnswer.MESSAGE:
        return message if _is_rpc_03(spelling) else {"message": message}
    state = INPUT if form == Connection.ConsentAnswer.INPUT_REQUIRED else AUTH
    whole = _task(spelling, task, context, message, state)
    return whole if _is_rpc_03(spelling) else {"task": whole}


def current(spelling: Spelling, task: str, context: str, consent: Consent | None) -> dict:
    """A task of the gateway's as it is now: still waiting, or ready for the message to be sent again."""
    message = _message(spelling, task, context, consent)
    whole = _task(spelling, task, context, message, AUTH if consent else INPUT)
    return {"task": whole} if spelling.streams and not _is_rpc_03(spelling) else whole


def status_of(state: str, consent: Consent | None) -> dict:
    """The answer of `consent-status`."""
    link = {"consent_link": consent.link, "expires_at": consent.expires_at.isoformat()} if consent else {}
    return {"state": state, "consent_link": None, "expires_at": None} | link


def enveloped(spelling: Spelling, rpc_id: Any, inner: Any) -> Any:
    return {"jsonrpc": "2.0", "id": rpc_id, "result": inner} if spelling.binding == JSONRPC else inner


def _task(spelling: Spelling, task: str, context: str, message: dict, state: str) -> dict:
    name = state.lower().replace("_", "-") if _is_rpc_03(spelling) else f"TASK_STATE_{state}"
    kind = {"kind": "task"} if _is_rpc_03(spelling) else {}
    return {
        **kind,
        "id": task,
        "contextId": context,
        "status": {"state": name, "message": message, "timestamp": _now()},
    }


def _message(spelling: Spelling, task: str, context: str, consent: Consent | None) -> dict:
    ids = {"messageId": str(uuid.uuid4()), "contextId": context, "taskId": task}
    words = _words(consent) if consent else GO_ON
    data = _data(consent) if consent else None
    if spelling.version == V1:
        parts = [{"text": words}, *([{"data": data, "mediaType": "application/json"}] if data else [])]
        return {**ids, "role": "ROLE_AGENT", "parts": parts}
    if spelling.binding == JSONRPC:
        parts = [{"kind": "text", "text": words}, *([{"kind": "data", "data": data}] if data else [])]
        return {"kind": "message", **ids, "role": "agent", "parts": parts}
    content = [{"text": words}, *([{"data": {"data": data}}] if data else [])]
    return {**ids, "role": "ROLE_AGENT", "content": content}


def _data(consent: Consent) -> dict[str, Any]:
    """Foundry's output item, as a data part (foundry.md 1.10)."""
    return {
        "type": "oauth_consent_request",
        "id": str(consent.id),
        "consent_link": consent.link,
        "server_label": consent.server_label,
        "scopes": list(consent.scopes),
        "expires_at": consent.expires_at.isoformat(),
    }


def _words(consent: Consent) -> str:
    needs = f"{consent.server_label} needs your permission."
    if consent.reason:
        needs = f"{consent.server_label} needs your permission again: {troubleshooting.entry(consent.reason).title}."
    return f"{needs} Open {consent.link} to allow it, then send your message again."


def _is_rpc_03(spelling: Spelling) -> bool:
    """The only spelling with `kind` and lower-case states; HTTP+JSON 0.3 is ProtoJSON like 1.0."""
    return spelling.binding == JSONRPC and spelling.version != V1


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
