"""Failures of the endpoint, its address and the stored credential: how each is really produced, by its code.

Every function takes `get`, which starts a fake or gives a fixture by its name, and returns what the agent was answered.
"""

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx

from connections.models import Secret
from tests.fakes import hostile_tcp
from tests.gateway.conftest import line_to, new_line, rpc
from tests.gateway.test_endpoint_faults import ADDRESSES, ANSWERS, CARD, TCP, V1, answering, line_to_bad

Get = Callable[[str], Any]
Produce = Callable[[Get], httpx.Response]


def call(line) -> httpx.Response:
    return line.post(rpc(), headers=V1)


def answers_with(behaviour: str, get: Get) -> httpx.Response:
    return call(line_to_bad(get("hostile").url(behaviour)))


def breaks_http(handler: str, get: Get) -> httpx.Response:
    return call(line_to_bad(get("raw_endpoint")(getattr(hostile_tcp, handler)).url))


def lies_at(url: str, get: Get) -> httpx.Response:
    return call(line_to_bad(url))


def is_too_slow(get: Get) -> httpx.Response:
    get("settings").GATEWAY_CALL_SECONDS = 0.4
    return breaks_http("silent", get)


def says_too_much(get: Get) -> httpx.Response:
    get("settings").GATEWAY_MAX_ANSWER = 100_000
    return answers_with("huge", get)


def wants_another_key(get: Get) -> httpx.Response:
    return call(line_to(get("fake_agent")(required_header=("x-api-key", "another-value"))))


def wants_another_name(get: Get) -> httpx.Response:
    return call(line_to(get("fake_agent")(required_header=("x-ledger-key", "ledger-secret-value"))))


def wants_https_and_speaks_http(get: Get) -> httpx.Response:
    return call(line_to_bad(get("hostile").url("x").replace("http:", "https:")))


def names_an_endless_id(get: Get) -> httpx.Response:
    task = {"id": "x" * 257, "contextId": "c", "status": {"state": "TASK_STATE_WORKING"}}
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "result": {"task": task}}).encode()
    return call(line_to_bad(get("raw_endpoint")(answering(body)).url))


# The credential


def has_no_secret(get: Get) -> httpx.Response:
    line = line_to(get("fake_agent")())
    line.connection.secrets.all().delete()
    return call(line)


def was_moved(get: Get) -> httpx.Response:
    """As by a hand in the database: the pages would have cleared the value."""
    line = new_line("https://ledger.contoso.example/a2a")
    line.connection.endpoint = line.connection.interfaces[0]["url"] = get("fake_agent")().url
    line.connection.save()
    return call(line)


def lost_its_key(get: Get) -> httpx.Response:
    line = line_to(get("fake_agent")())
    secret = line.connection.secrets.get()
    version, _, token = secret.value.split(":")
    Secret.objects.filter(pk=secret.pk).update(value=f"{version}:{'0' * 32}:{token}")
    return call(line)


def has_a_name_of_https_own(get: Get) -> httpx.Response:
    return call(new_line(get("fake_agent")().url, credential=("transfer-encoding", "value"), card=CARD))


def has_a_method_of_a_package_that_is_gone(get: Get) -> httpx.Response:
    return call(new_line(get("fake_agent")().url, credential=None, auth_method="gone-with-its-package"))


def has_a_method_that_breaks(get: Get) -> httpx.Response:
    settings = get("settings")
    settings.AUTH_METHODS = [*settings.AUTH_METHODS, "tests.gateway.methods.Breaks"]
    return call(new_line(get("fake_agent")().url, credential=None, auth_method="breaks"))


ENDPOINTS: dict[str, Produce] = {
    # One behaviour each of those that tests/gateway/test_endpoint_faults.py goes through.
    **{code: partial(answers_with, behaviour) for behaviour, code in ANSWERS.items()},
    **{code: partial(breaks_http, handler) for handler, code in TCP.items()},
    **{code: partial(lies_at, url) for url, code in ADDRESSES.items()},
    "endpoint_refused_401": wants_another_key,
    "endpoint_timeout": is_too_slow,
    "endpoint_answer_too_large": says_too_much,
    "endpoint_id_unusable": names_an_endless_id,
    "port_blocked": partial(lies_at, "https://8.8.8.8:8443/a2a"),
    "https_needed": partial(lies_at, "http://8.8.8.8/a2a"),
    "tls_failed": wants_https_and_speaks_http,
    "secret_missing": has_no_secret,
    "secret_unreadable": was_moved,
    "key_unavailable": lost_its_key,
    "header_refused": has_a_name_of_https_own,
    "method_not_installed": has_a_method_of_a_package_that_is_gone,
    "internal": has_a_method_that_breaks,
}
