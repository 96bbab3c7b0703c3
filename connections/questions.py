"""The harmless question that a test asks an endpoint: for a task that does not exist, in the connection's own dialect.

Every A2A server must know it (1.0 GetTask, 0.3 tasks/get), it changes nothing, and "no such task" is answered only
to a caller who was let in. The endpoint's own words are read here and never passed on (T09, T27).
"""

import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from connections.agent_card import Interface
from connections.troubleshooting import of_status

TASK_NOT_FOUND = -32001
# Method not found; version not supported (A2A 1.0, 5.4).
OTHER_DIALECT = (-32601, -32009)


@dataclass(frozen=True)
class Question:
    """One HTTP request, without the credential."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None


def question(interface: Interface) -> Question:
    """The request for `interface` ({"url", "binding", "version", "tenant"?})."""
    task, version = str(uuid4()), interface["version"]
    speaks = ("A2A-Version", version)
    if interface["binding"] == "HTTP+JSON":
        accepts = ("Accept", "application/a2a+json, application/json")
        return Question("GET", _rest_url(interface, task), (accepts, speaks), None)
    tenant = {"tenant": interface["tenant"]} if interface.get("tenant") else {}
    method = "GetTask" if version == "1.0" else "tasks/get"
    call = {"jsonrpc": "2.0", "id": str(uuid4()), "method": method, "params": {"id": task} | tenant}
    kinds = (("Content-Type", "application/json"), ("Accept", "application/json"))
    return Question("POST", interface["url"], (*kinds, speaks), json.dumps(call).encode())


def _rest_url(interface: Interface, task: str) -> str:
    prefix = "/v1" if interface["version"] == "0.3" else ""
    tenant = f"/{interface['tenant']}" if interface.get("tenant") else ""
    return f"{interface['url'].rstrip('/')}{prefix}{tenant}/tasks/{task}"


def verdict(interface: Interface, status: int, body: bytes) -> str | None:
    """None where the credential was accepted, else a code of connections/troubleshooting.py."""
    if status in (401, 403):
        return of_status(status)
    answer = _parsed(body)
    if interface["binding"] == "HTTP+JSON":
        return _of_rest(status, answer)
    return _of_rpc(status, answer)


def _of_rpc(status: int, answer: dict[str, Any]) -> str | None:
    if answer.get("jsonrpc") != "2.0" or not ("error" in answer or "result" in answer):
        return of_status(status) or "endpoint_not_a2a"
    error = answer.get("error")
    if error is None:
        return None
    code = error.get("code") if isinstance(error, dict) else None
    if code == TASK_NOT_FOUND:
        return None
    return "endpoint_other_dialect" if code in OTHER_DIALECT else "credential_not_proven"


def _of_rest(status: int, answer: dict[str, Any]) -> str | None:
    if status == 200:
        return None if isinstance(answer.get("id"), str) else "endpoint_not_a2a"
    # google.rpc.Status of 1.0, the problem details and the bare message of 0.3 all name it, each in its spelling.
    words = "".join(filter(str.isalnum, json.dumps(answer))).lower()
    if status == 404 and ("tasknotfound" in words or _rpc_status(answer) == "NOT_FOUND"):
        return None
    if "versionnotsupported" in words:
        return "endpoint_other_dialect"
    return "credential_not_proven" if status < 500 and _rpc_status(answer) else of_status(status) or "endpoint_not_a2a"


def _rpc_status(answer: dict[str, Any]) -> str:
    error = answer.get("error")
    status = error.get("status") if isinstance(error, dict) else None
    return status if isinstance(status, str) else ""


def _parsed(body: bytes) -> dict[str, Any]:
    """{} for what is no JSON object."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
