"""How a request is spelled: two bindings, two versions of A2A, and the operations they share (protocols.md 1.1).

Everything is read from the request, and nothing is written back: bytes pass as they came.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote

from connections.gateway.answers import can_be_kept

ENVELOPE = {"jsonrpc", "id", "method", "params"}
JSONRPC, HTTP_JSON = "JSONRPC", "HTTP+JSON"
V1, V03 = "1.0", "0.3"


@dataclass(frozen=True)
class Operation:
    """`name` is that of A2A 1.0. `about` is what it concerns: message, task, tasks, push or card."""

    name: str
    about: str
    streams: bool = False


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation("SendMessage", "message"),
        Operation("SendStreamingMessage", "message", streams=True),
        Operation("GetTask", "task"),
        Operation("ListTasks", "tasks"),
        Operation("CancelTask", "task"),
        Operation("SubscribeToTask", "task", streams=True),
        Operation("GetExtendedAgentCard", "card"),
        Operation("CreateTaskPushNotificationConfig", "push"),
        Operation("GetTaskPushNotificationConfig", "push"),
        Operation("ListTaskPushNotificationConfigs", "push"),
        Operation("DeleteTaskPushNotificationConfig", "push"),
    )
}

RPC_03 = {
    "message/send": "SendMessage",
    "message/stream": "SendStreamingMessage",
    "tasks/get": "GetTask",
    "tasks/list": "ListTasks",
    "tasks/cancel": "CancelTask",
    "tasks/resubscribe": "SubscribeToTask",
    "agent/getAuthenticatedExtendedCard": "GetExtendedAgentCard",
    "tasks/pushNotificationConfig/set": "CreateTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/get": "GetTaskPushNotificationConfig",
    "tasks/pushNotificationConfig/list": "ListTaskPushNotificationConfigs",
    "tasks/pushNotificationConfig/delete": "DeleteTaskPushNotificationConfig",
}

_SEGMENT = r"[^/:?#]+"
# (HTTP methods, path behind /v1 or a tenant, operation). The proto says GET for `:subscribe`, the text POST.
PATHS = [
    ({"POST"}, re.compile(r"/message:send"), "SendMessage"),
    ({"POST"}, re.compile(r"/message:stream"), "SendStreamingMessage"),
    ({"GET"}, re.compile(r"/tasks"), "ListTasks"),
    ({"GET"}, re.compile(rf"/tasks/(?P<task>{_SEGMENT})"), "GetTask"),
    ({"POST"}, re.compile(rf"/tasks/(?P<task>{_SEGMENT}):cancel"), "CancelTask"),
    ({"GET", "POST"}, re.compile(rf"/tasks/(?P<task>{_SEGMENT}):subscribe"), "SubscribeToTask"),
    ({"GET"}, re.compile(r"/extendedAgentCard|/card"), "GetExtendedAgentCard"),
    ({"POST"}, re.compile(rf"/tasks/(?P<task>{_SEGMENT})/pushNotificationConfigs"), "CreateTaskPushNotificationConfig"),
    ({"GET"}, re.compile(rf"/tasks/(?P<task>{_SEGMENT})/pushNotificationConfigs"), "ListTaskPushNotificationConfigs"),
    (
        {"GET"},
        re.compile(rf"/tasks/(?P<task>{_SEGMENT})/pushNotificationConfigs/[^/]+"),
        "GetTaskPushNotificationConfig",
    ),
    (
        {"DELETE"},
        re.compile(rf"/tasks/(?P<task>{_SEGMENT})/pushNotificationConfigs/[^/]+"),
        "DeleteTaskPushNotificationConfig",
    ),
]


class Unreadable(Exception):
    """The request is not what it claims to be: a troubleshooting code, and the JSON-RPC id if it could be read."""

    def __init__(self, code: str, rpc_id: Any = None) -> None:
        super().__init__(code)
        self.code = code
        self.rpc_id = rpc_id


@dataclass(frozen=True)
class Spelling:
    """In what form to answer: binding, version, and whether the caller waits for a stream."""

    binding: str
    version: str
    streams: bool = False


@dataclass(frozen=True)
class Asked:
    """One request, understood: the operation and every id that it names.

    `path` is what follows the endpoint's own URL in HTTP+JSON.
    """

    operation: Operation
    spelling: Spelling
    rpc_id: Any = None
    path: str = ""
    tenant: str = ""
    tasks: tuple[str, ...] = ()
    contexts: tuple[str, ...] = ()
    wants_push: bool = False


def read_rpc(body: bytes, version_header: str) -> Asked:
    """A JSON-RPC request (JSON-RPC 2.0; A2A 1.0 section 9, 0.3 section 7)."""
    envelope = parse(body)
    if isinstance(envelope, list):
        raise Unreadable("batch")
    if not isinstance(envelope, dict):
        raise Unreadable("not_json")
    rpc_id = envelope.get("id")
    if not _can_be_answered(rpc_id):
        raise Unreadable("not_a_request")
    method, params = envelope.get("method"), envelope.get("params", {})
    is_request = envelope.get("jsonrpc") == "2.0" and isinstance(method, str) and isinstance(params, dict)
    if not is_request or _is_disguised(envelope):
        raise Unreadable("not_a_request", rpc_id)
    version = _version(version_header, V03 if method in RPC_03 else V1, rpc_id)
    name = method if version == V1 else RPC_03.get(method, "")
    if name not in OPERATIONS:
        raise Unreadable("unknown_method", rpc_id)
    operation = OPERATIONS[name]
    try:
        return _asked(operation, Spelling(JSONRPC, version, operation.streams), params, rpc_id=rpc_id)
    except Unreadable as unreadable:
        raise Unreadable(unreadable.code, rpc_id) from None


def read_http(http_method: str, path: str, query: str, body: bytes, version_header: str) -> Asked:
    """An HTTP+JSON request; `path` is what follows the connection's URL, still percent-encoded."""
    version = _version(version_header, V03 if path.startswith("/v1/") else V1, None)
    # In 1.0 the first segment is a tenant, whatever it is called.
    operation, named, tenant = _route(http_method, path.removeprefix("/v1") if version == V03 else path)
    params = parse(body) if body else {}
    if not isinstance(params, dict):
        raise Unreadable("not_json")
    asked_in_query = _query(query)
    if {plain(name) for name in params} & {plain(name) for name in asked_in_query}:
        raise Unreadable("duplicate_member")
    spelling = Spelling(HTTP_JSON, version, operation.streams)
    return _asked(operation, spelling, params | asked_in_query, path=path, tenant=tenant, named=named)


def _route(http_method: str, path: str) -> tuple[Operation, list[str], str]:
    """(operation, task ids in the path, tenant in the path)."""
    tenant, _, below = path[1:].partition("/")
    for candidate, named_tenant in ((path, ""), (f"/{below}" if tenant else "", tenant)):
        for http_methods, pattern, name in PATHS:
            match = pattern.fullmatch(candidate)
            if match and http_method in http_methods:
                task = match.groupdict().get("task")
                return OPERATIONS[name], [_unquoted(task)] if task else [], _unquoted(named_tenant)
    raise Unreadable("unknown_path")


def _unquoted(segment: str) -> str:
    try:
        text = unquote(segment, errors="strict")
    except UnicodeDecodeError:
        raise Unreadable("unknown_path") from None
    if not segment.isascii() or "/" in text or any(ord(letter) < 0x20 for letter in text) or text in (".", ".."):
        raise Unreadable("unknown_path")
    return text


def _query(query: str) -> dict[str, Any]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        raise Unreadable("not_utf8") from None
    if len({plain(name) for name, _ in pairs}) != len(pairs):
        raise Unreadable("duplicate_member")
    return dict(pairs)


def _version(header: str, spoken: str, rpc_id: Any) -> str:
    """`A2A-Version`, else what the method's name or path says. Patch versions count as their minor one."""
    if not header:
        return spoken
    version = ".".join(header.strip().split(".")[:2])
    if version not in (V1, V03):
        raise Unreadable("version_not_offered", rpc_id)
    return version


def _asked(
    operation: Operation, spelling: Spelling, params: dict, *, named: list[str] = (), tenant: str = "", **more
) -> Asked:
    tasks, contexts = list(named), []
    members = _Members(params)
    if operation.about == "message":
        message = _Members(_message_in(members))
        tasks += message.texts("taskid") + message.many("referencetaskids")
        contexts += message.texts("contextid")
        # What a message may also carry beside itself; servers differ in where they look.
        tasks += members.texts("taskid")
        contexts += members.texts("contextid")
    elif operation.about == "task":
        # Also beside an id in the path: which of the two an endpoint takes is not known.
        tasks += members.texts("id") + members.texts("taskid")
        tasks += [name.removeprefix("tasks/") for name in members.texts("name")]
        contexts += members.texts("contextid")
    elif operation.about == "tasks":
        contexts += members.texts("contextid")
    inner_tenant = (members.texts("tenant") or [""])[0]
    if tenant and inner_tenant and tenant != inner_tenant:
        raise Unreadable("undeclared_tenant")
    return Asked(
        operation,
        spelling,
        tenant=tenant or inner_tenant,
        tasks=tuple(dict.fromkeys(tasks)),
        contexts=tuple(dict.fromkeys(contexts)),
        wants_push=_wants_push(members),
        **more,
    )


def _message_in(members: "_Members") -> dict:
    """The message: `message`, or `request` in HTTP+JSON 0.3."""
    found = members.values("message") + members.values("request")
    if len(found) > 1:
        raise Unreadable("duplicate_member")
    if not all(isinstance(message, dict) for message in found):
        raise Unreadable("not_a_request")
    return found[0] if found else {}


def _wants_push(members: "_Members") -> bool:
    """Whether a callback is asked for; `pushNotification` is its name in HTTP+JSON 0.3."""
    return any(
        _Members(configuration).values(name)
        for configuration in members.values("configuration")
        if isinstance(configuration, dict)
        for name in ("pushnotification", "pushnotificationconfig", "taskpushnotificationconfig")
    )


def _can_be_answered(rpc_id: Any) -> bool:
    """A string, number or null that JSON can carry back: not 1e999, no half of a surrogate pair."""
    if isinstance(rpc_id, dict | list | bool):
        return False
    try:
        return bool(json.dumps(rpc_id, ensure_ascii=False, allow_nan=False).encode())
    except ValueError:
        return False


def _is_disguised(envelope: dict) -> bool:
    """`Params` or `METHOD`: a server that ignores case would read what was not checked here."""
    return any(plain(name) in ENVELOPE and name not in ENVELOPE for name in envelope)


def plain(name: str) -> str:
    """ProtoJSON reads `taskId` and `task_id` as one member (proto3 JSON mapping), ASP.NET `TaskId` too."""
    return name.replace("_", "").lower()


class _Members:
    """An object's members by their plain names; asked for in these. Nothing ("" or null) counts as not there."""

    def __init__(self, members: dict[str, Any]) -> None:
        self._found: dict[str, list[Any]] = {}
        for name, value in members.items():
            self._found.setdefault(plain(name), []).append(value)

    def values(self, name: str) -> list[Any]:
        """One at most: of a name in two spellings each server reads another."""
        found = self._found.get(name, ())
        if len(found) > 1:
            raise Unreadable("duplicate_member")
        return [value for value in found if value not in (None, "")]

    def texts(self, name: str) -> list[str]:
        return _ids(self.values(name))

    def many(self, name: str) -> list[str]:
        return _ids(each for value in self.values(name) for each in (value if isinstance(value, list) else [value]))


def _ids(values: Iterable[Any]) -> list[str]:
    texts = list(values)
    if not all(isinstance(text, str) for text in texts):
        raise Unreadable("not_a_request")
    if not all(map(can_be_kept, texts)):
        raise Unreadable("id_unusable")
    return texts


def parse(body: bytes) -> Any:
    """Strict JSON in UTF-8: two readers must not see two different requests (duplicate members, NaN)."""
    try:
        return json.loads(body.decode("utf-8"), object_pairs_hook=_no_duplicates, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise Unreadable("not_utf8") from None
    except (ValueError, RecursionError):
        raise Unreadable("not_json") from None


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Unreadable("duplicate_member")
    return members


def _no_constant(name: str) -> None:
    raise ValueError(name)
