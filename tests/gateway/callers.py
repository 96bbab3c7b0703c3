"""Several callers of one connection, and requests that name ids, in all spellings."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from connections.models import Connection, Given
from portal.agents.models import Agent, SpeakingPermission
from portal.projects.roles import Role
from portal.users import User
from tests import factories
from tests.fakes.stock_client import TLS

NO_SUCH_TASK = "There is no such task."
SPELLINGS = (("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3"), ("HTTP+JSON", "0.3"))
OLD_METHODS = {
    "SendMessage": "message/send",
    "SendStreamingMessage": "message/stream",
    "GetTask": "tasks/get",
    "CancelTask": "tasks/cancel",
    "SubscribeToTask": "tasks/resubscribe",
    "ListTasks": "tasks/list",
}


@dataclass(frozen=True)
class Caller:
    """An agent, speaking for a user or for nobody, through one connection."""

    agent: Agent
    key: str
    user: User | None
    connection: Connection

    @property
    def headers(self) -> dict[str, str]:
        spoken = {"x-ms-user-identity": self.user.email} if self.user else {}
        return {"authorization": f"Bearer {self.key}", **spoken}

    def ask(self, request: "Request") -> httpx.Response:
        return httpx.request(
            request.http_method,
            f"{self.connection.gateway_url}{request.path}",
            json=request.body,
            headers=self.headers | {"a2a-version": request.version},
            timeout=20,
            verify=TLS,
        )


@dataclass(frozen=True)
class Request:
    """One request, spelled: a body of None means none."""

    http_method: str
    path: str
    body: dict | None
    version: str


def make_callers(line) -> tuple[Caller, Caller, Caller, Caller]:
    """(the line's agent for one user, for another user, for nobody; another agent for the first user)."""
    project = line.agent.project
    first, second = (factories.make_member(project, Role.AI_USER, name=name) for name in ("Ben One", "Chloe Two"))
    other = factories.make_agent(project)
    Given.objects.create(connection=line.connection, agent=other)
    for agent in (line.agent, other):
        SpeakingPermission.objects.create(agent=agent, everyone=True)
    other_key = factories.make_key(other)
    return (
        Caller(line.agent, line.key, first, line.connection),
        Caller(line.agent, line.key, second, line.connection),
        Caller(line.agent, line.key, None, line.connection),
        Caller(other, other_key, first, line.connection),
    )


def message(spelling: tuple[str, str], text: str = "task hello", *, streams: bool = False, **ids: Any) -> Request:
    """A message; `ids` become members of the message, or of the params with the prefix `params_`."""
    method = "SendStreamingMessage" if streams else "SendMessage"
    params = {name.removeprefix("params_"): value for name, value in ids.items() if name.startswith("params_")}
    ids = {name: value for name, value in ids.items() if not name.startswith("params_")}
    return spelled(spelling, method, {"message": _message(spelling, text) | ids} | params)


def _message(spelling: tuple[str, str], text: str) -> dict:
    if spelling == ("JSONRPC", "0.3"):
        return {"kind": "message", "messageId": "m1", "role": "user", "parts": [{"kind": "text", "text": text}]}
    parts = "content" if spelling == ("HTTP+JSON", "0.3") else "parts"
    return {"messageId": "m1", "role": "ROLE_USER", parts: [{"text": text}]}


def spelled(spelling: tuple[str, str], method: str, params: dict, http_method: str = "") -> Request:
    """`params` as JSON-RPC has them; in HTTP+JSON the id goes to the path and the rest to the query or the body."""
    binding, version = spelling
    if binding == "JSONRPC":
        name = method if version == "1.0" else OLD_METHODS[method]
        return Request("POST", "", {"jsonrpc": "2.0", "id": 7, "method": name, "params": params}, version)
    prefix = "/v1" if version == "0.3" else ""
    rest = {name: value for name, value in params.items() if name != "id"}
    if method in ("SendMessage", "SendStreamingMessage"):
        verb = "send" if method == "SendMessage" else "stream"
        return Request("POST", f"{prefix}/message:{verb}", _old_http(rest) if version == "0.3" else rest, version)
    if method == "ListTasks":
        return Request("GET", f"{prefix}/tasks?{httpx.QueryParams(rest)}", None, version)
    query = f"?{httpx.QueryParams(rest)}" if rest else ""
    task = f"{prefix}/tasks/{params['id']}"
    if method == "GetTask":
        return Request("GET", f"{task}{query}", None, version)
    verb = "cancel" if method == "CancelTask" else "subscribe"
    return Request(http_method or "POST", f"{task}:{verb}{query}", {} if not http_method else None, version)


def _old_http(params: dict) -> dict:
    """HTTP+JSON 0.3 names the message `request`."""
    return {("request" if name == "message" else name): value for name, value in params.items()}


def result_of(answer: httpx.Response) -> Any:
    """The result of a plain answer, or of the first event of a stream, without envelope and `task` wrapper."""
    text = answer.text
    if answer.headers["content-type"].startswith("text/event-stream"):
        text = next(line[5:] for line in text.splitlines() if line.startswith("data:"))
    result = json.loads(text)
    if "jsonrpc" in result:
        assert "result" in result, result
        result = result["result"]
    return result.get("task", result)


def everything_in(answer: httpx.Response, *ids: str) -> tuple:
    """Status, headers and body, without what differs between any two answers; `ids` are masked."""
    own = answer.headers["x-request-id"]
    headers = {k: v for k, v in answer.headers.items() if k not in ("x-request-id", "date", "content-length")}
    text = answer.text.replace(own, "<request>")
    for name in ids:
        text = text.replace(name, "<id>")
    return answer.status_code, headers, text


Make = Callable[[str], Request]


def namings(spelling: tuple[str, str]) -> dict[str, Make]:
    """Every way to name a task in a request."""
    ways: dict[str, Make] = {
        "message.taskId": lambda task: message(spelling, taskId=task),
        "message.task_id": lambda task: message(spelling, task_id=task),
        "message.referenceTaskIds": lambda task: message(spelling, referenceTaskIds=[task]),
        "message.reference_task_ids": lambda task: message(spelling, reference_task_ids=[task]),
        "params.taskId": lambda task: message(spelling, params_taskId=task),
        "stream message.taskId": lambda task: message(spelling, streams=True, taskId=task),
        "stream message.task_id": lambda task: message(spelling, streams=True, task_id=task),
        "get": lambda task: spelled(spelling, "GetTask", {"id": task}),
        "cancel": lambda task: spelled(spelling, "CancelTask", {"id": task}),
        "subscribe": lambda task: spelled(spelling, "SubscribeToTask", {"id": task}),
    }
    if spelling[0] == "HTTP+JSON":
        ways["subscribe by GET"] = lambda task: spelled(spelling, "SubscribeToTask", {"id": task}, "GET")
        ways["get, percent-encoded"] = lambda task: spelled(spelling, "GetTask", {"id": task.replace("-", "%2D")})
    return ways
