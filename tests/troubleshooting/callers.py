"""What an agent can do wrong, or is not permitted: how each is really produced, by its code."""

import time
from datetime import timedelta
from functools import partial

import httpx
from django.utils import timezone

from portal.agents import keys, registering, speaking
from portal.agents.models import AgentKey
from tests import factories
from tests.gateway.callers import SPELLINGS, make_callers, message, result_of, spelled
from tests.gateway.conftest import Line, new_line, rpc
from tests.gateway.conftest import message as params_of
from tests.gateway.methods import AsksFirst
from tests.gateway.refusing import raw
from tests.gateway.test_bad_input import post
from tests.gateway.test_durability import refusing_rows
from tests.gateway.test_endpoint_faults import V1
from tests.gateway.test_streams import streaming
from tests.troubleshooting.endpoints import Get, Produce, call

RPC = SPELLINGS[0]


def says(body: bytes | str | dict, get: Get, **headers: str) -> httpx.Response:
    """As the body of a JSON-RPC request."""
    line, named = get("shared_line"), {name.replace("_", "-"): value for name, value in headers.items()}
    if isinstance(body, dict):
        return line.post(body, headers=V1 | named)
    return post(line, body, headers=V1 | named)


def with_key(key: str, get: Get) -> httpx.Response:
    return get("shared_line").post(rpc(), headers=V1 | {"authorization": key})


def with_a_revoked_key(get: Get) -> httpx.Response:
    line = get("shared_line")
    keys.revoke(AgentKey.objects.get(prefix=line.key[4:16]), factories.make_user())
    return call(line)


def with_an_expired_key(get: Get) -> httpx.Response:
    line = get("shared_line")
    expired = factories.make_key(line.agent, "old", expires_at=timezone.now() + timedelta(seconds=0.05))
    time.sleep(0.1)
    return with_key(f"Bearer {expired}", get)


def with_a_disabled_agent(get: Get) -> httpx.Response:
    registering.disable(get("shared_line").agent, factories.make_user())
    return call(get("shared_line"))


def to_one_that_is_not_given(get: Get) -> httpx.Response:
    line = get("shared_line")
    other = factories.make_connection(line.agent.project, line.endpoint.url)
    return call(Line(line.agent, line.key, other, headers=line.headers))


def to_a_disabled_one(get: Get) -> httpx.Response:
    line = get("shared_line")
    line.connection.disabled_at = timezone.now()
    line.connection.save()
    return call(line)


def for_a_user_without_permission(get: Get) -> httpx.Response:
    return says(rpc(), get, x_ms_user_identity="ben.okafor@contoso.example")


def for_a_user_without_a_role(get: Get) -> httpx.Response:
    nobody = factories.make_user("Nora Vale")
    speaking.allow(get("shared_line").agent, factories.make_user("Olive Owner"), people=None, until=None)
    return says(rpc(), get, x_ms_user_identity=nobody.email)


def with_a_header_twice(get: Get) -> httpx.Response:
    line = get("shared_line")
    twice = [("a2a-version", "1.0"), ("A2A-Version", "0.3")]
    return _as_httpx(raw(line, "POST", "", b"{}", extra=twice))


def with_a_header_outside_ascii(get: Get) -> httpx.Response:
    line, request = get("shared_line"), httpx.Request("POST", "http://x", json=rpc())
    return _as_httpx(raw(line, "POST", "", request.read(), V1, extra=[("traceparent", "z\u00fcrich")]))


def _as_httpx(answer) -> httpx.Response:
    return httpx.Response(answer.status, headers=answer.headers, content=answer.content)


def at_a_path_that_is_not_there(get: Get) -> httpx.Response:
    return get("shared_line").get("/nowhere")


def with_more_than_the_limit(get: Get) -> httpx.Response:
    get("settings").GATEWAY_MAX_REQUEST = 2000
    return says(rpc(params=params_of("x" * 2000)), get)


def in_a_binding_that_is_not_there(get: Get) -> httpx.Response:
    url = get("fake_agent")().url
    return call(new_line(url, interfaces=[{"url": url, "binding": "HTTP+JSON", "version": "1.0"}]))


def for_a_task_of_another(get: Get) -> httpx.Response:
    owner, other, *_ = make_callers(get("shared_line"))
    task = result_of(owner.ask(message(RPC, "task hello")))["id"]
    return other.ask(spelled(RPC, "GetTask", {"id": task}))


def to_cancel_what_only_waits_for_consent(get: Get) -> httpx.Response:
    settings = get("settings")
    settings.AUTH_METHODS = [*settings.AUTH_METHODS, "tests.gateway.methods.AsksFirst"]
    line = new_line(get("fake_agent")().url, credential=None, auth_method=AsksFirst.slug)
    caller, *_ = make_callers(line)
    task = result_of(caller.ask(message(RPC)))["id"]
    return caller.ask(spelled(RPC, "CancelTask", {"id": task}))


def too_often(get: Get) -> httpx.Response:
    line = new_line(get("fake_agent")().url, calls_per_minute=1)
    call(line)
    return call(line)


def too_many_at_once(get: Get) -> httpx.Response:
    line = new_line(get("fake_agent")().url, calls_at_once=1)
    with streaming(line, rpc("SendStreamingMessage", params_of("forever"))) as answer:
        events = answer.iter_raw()
        next(events)
        return call(line)


def while_no_attempt_can_be_written(get: Get) -> httpx.Response:
    with refusing_rows("attempt"):
        return call(get("shared_line"))


PUSH = {"configuration": {"taskPushNotificationConfig": {"url": "https://agent.example"}}}
CALLERS: dict[str, Produce] = {
    "agent_key_missing": partial(with_key, ""),
    "agent_key_malformed": partial(with_key, "Bearer hunter2"),
    "agent_key_unknown": partial(with_key, f"Bearer ghk_{'a' * 12}_{'b' * 43}"),
    "agent_key_revoked": with_a_revoked_key,
    "agent_key_expired": with_an_expired_key,
    "agent_disabled": with_a_disabled_agent,
    "connection_unknown": to_one_that_is_not_given,
    "connection_disabled": to_a_disabled_one,
    "may_not_speak": for_a_user_without_permission,
    "user_unknown": for_a_user_without_a_role,
    "not_json": partial(says, "{"),
    "not_utf8": partial(says, b'{"jsonrpc":"2.0","id":1,"method":"SendMessage","params":{"x":"\xe9"}}'),
    "not_a_request": partial(says, rpc(params=[1])),
    "duplicate_member": partial(says, '{"jsonrpc":"2.0","id":1,"method":"GetTask","params":{"id":"a","id":"b"}}'),
    "duplicate_header": with_a_header_twice,
    "header_malformed": with_a_header_outside_ascii,
    "id_unusable": partial(says, rpc(params=params_of("x", contextId="c" * 257))),
    "batch": partial(says, "[]"),
    "unknown_method": partial(says, rpc("NoSuchMethod")),
    "unknown_path": at_a_path_that_is_not_there,
    "version_not_offered": partial(says, rpc(), a2a_version="9.9"),
    "undeclared_tenant": partial(says, rpc(params=params_of("x") | {"tenant": "other"})),
    "too_large": with_more_than_the_limit,
    "binding_not_offered": in_a_binding_that_is_not_there,
    "push_not_supported": partial(says, rpc(params=params_of("x") | PUSH)),
    "task_not_found": for_a_task_of_another,
    "task_not_cancelable": to_cancel_what_only_waits_for_consent,
    "limit_rate": too_often,
    "limit_concurrency": too_many_at_once,
    "log_unavailable": while_no_attempt_can_be_written,
}
