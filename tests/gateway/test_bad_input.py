"""What is no request: each kind gets its own refusal, leaves a row, and never reaches the endpoint (T06, T39)."""

import json
import socket

import httpx
import pytest

from tests.fakes.stock_client import TLS
from tests.gateway.conftest import Line, message, new_line, rows_of, rpc
from tests.gateway.refusing import RawAnswer, code_of, raw

V1 = {"a2a-version": "1.0"}


def post(line: Line, content: bytes | str, path: str = "", headers: dict | None = None) -> httpx.Response:
    kind = {"content-type": "application/json"}
    return httpx.post(
        f"{line.url}{path}", content=content, headers=line.headers | kind | (headers or {}), timeout=10, verify=TLS
    )


def assert_refused(line: Line, answer: httpx.Response | RawAnswer, code: str) -> None:
    assert code_of(answer) == code
    assert line.endpoint.calls() == []


GET_TASK = '"jsonrpc":"2.0","id":1,"method":"GetTask"'
SEND = '"jsonrpc":"2.0","id":1,"method":"SendMessage"'

UNREADABLE = {
    "nothing at all": ("", "not_json"),
    "half an object": ('{"jsonrpc":', "not_json"),
    "a text": ('"SendMessage"', "not_json"),
    "a number": ("7", "not_json"),
    "null": ("null", "not_json"),
    "a web form": ("method=SendMessage&id=1", "not_json"),
    "a byte order mark": (b"\xef\xbb\xbf" + json.dumps(rpc()).encode(), "not_json"),
    "a comma too many": ("{" + SEND + ",}", "not_json"),
    "NaN": ("{" + SEND + ',"params":{"message":NaN}}', "not_json"),
    "Infinity": ("{" + SEND + ',"params":{"n":-Infinity}}', "not_json"),
    "a number of 5000 digits": ("{" + SEND + f',"params":{{"n":{"9" * 5000}}}}}', "not_json"),
    "a hundred thousand brackets": ("[" * 100_000, "not_json"),
    "a hundred thousand objects": ('{"a":' * 100_000, "not_json"),
    "Latin-1": (json.dumps(rpc(params=message("é")), ensure_ascii=False).encode("latin-1"), "not_utf8"),
    "UTF-16": (json.dumps(rpc()).encode("utf-16"), "not_utf8"),
    "an overlong slash": (b'{"jsonrpc":"\xc0\xaf"}', "not_utf8"),
    "a batch": (json.dumps([rpc()]), "batch"),
    "an empty batch": ("[]", "batch"),
}
NO_REQUEST = {
    "another version": (rpc(jsonrpc="1.0"), "not_a_request"),
    "the version as a number": (rpc(jsonrpc=2.0), "not_a_request"),
    "an id that is an object": (rpc(id={}), "not_a_request"),
    "an id that is a list": (rpc(id=[1]), "not_a_request"),
    "an id that is true": (rpc(id=True), "not_a_request"),
    "a method that is no text": (rpc(method=7), "not_a_request"),
    "params that are a list": (rpc(params=[1]), "not_a_request"),
    "params that are a text": (rpc(params="x"), "not_a_request"),
    "a message that is a text": (rpc(params={"message": "hello"}), "not_a_request"),
    "a message that is a list": (rpc(params={"message": []}), "not_a_request"),
    "a task id that is a number": (rpc("GetTask", {"id": 7}), "not_a_request"),
    "a task id that is an object": (rpc("CancelTask", {"id": {"$ne": ""}}), "not_a_request"),
    "a context that is true": (rpc(params=message("x", contextId=True)), "not_a_request"),
    "references that are numbers": (rpc(params=message("x", referenceTaskIds=[1])), "not_a_request"),
    "a task id with NUL": (rpc("GetTask", {"id": "a\0b"}), "id_unusable"),
    "a context with NUL": (rpc(params=message("x", contextId="a\0b")), "id_unusable"),
    "a context with half a surrogate pair": (rpc(params=message("x", contextId="\ud800")), "id_unusable"),
    "a context without end": (rpc(params=message("x", contextId="c" * 257)), "id_unusable"),
    "an unknown method": (rpc("DropTables"), "unknown_method"),
    "a method of the other version": (rpc("message/send"), "unknown_method"),
    "a method in lower case": (rpc("sendmessage"), "unknown_method"),
    "a method with a space": (rpc("SendMessage "), "unknown_method"),
    "a tenant": (rpc(params=message("x") | {"tenant": "other"}), "undeclared_tenant"),
    "a push configuration": (
        rpc(params=message("x") | {"configuration": {"taskPushNotificationConfig": {"url": "https://evil.example"}}}),
        "push_not_supported",
    ),
    "a push configuration in other letters": (
        rpc(params=message("x") | {"Configuration": {"task_push_notification_config": {"url": "https://e.example"}}}),
        "push_not_supported",
    ),
    "the older push configuration": (
        rpc(params=message("x") | {"configuration": {"pushNotificationConfig": {"url": "https://evil.example"}}}),
        "push_not_supported",
    ),
    "a push method": (
        rpc("CreateTaskPushNotificationConfig", {"taskId": "t", "url": "https://e"}),
        "push_not_supported",
    ),
    "another's task": (rpc("GetTask", {"id": "somebody-elses"}), "task_not_found"),
}
TWICE = {
    "the method": '{"jsonrpc":"2.0","id":1,"method":"GetTask","method":"SendMessage"}',
    "the method, once escaped": '{"jsonrpc":"2.0","id":1,"method":"GetTask","m\\u0065thod":"SendMessage"}',
    "the params": "{" + GET_TASK + ',"params":{"id":"mine"},"params":{"id":"theirs"}}',
    "a task id": "{" + GET_TASK + ',"params":{"id":"mine","id":"theirs"}}',
    "a task id in both spellings": "{" + SEND + ',"params":{"message":{"taskId":"mine","task_id":"theirs"}}}',
    "a context in both spellings": "{" + SEND + ',"params":{"message":{"contextId":"a","context_id":"b"}}}',
    "references in both spellings": "{"
    + SEND
    + ',"params":{"message":{"referenceTaskIds":[],"reference_task_ids":[]}}}',
    "a task id in other letters": "{" + SEND + ',"params":{"message":{"taskId":"mine","TaskId":"theirs"}}}',
    "the message": "{" + SEND + ',"params":{"message":{"taskId":"mine"},"message":{"taskId":"theirs"}}}',
    "the message in other letters": "{" + SEND + ',"params":{"message":{},"Message":{"taskId":"theirs"}}}',
    "the message under its older name": "{" + SEND + ',"params":{"message":{},"request":{"taskId":"theirs"}}}',
    "something deep inside": "{" + SEND + ',"params":{"message":{"metadata":{"a":[{"b":1,"b":2}]}}}}',
}
DISGUISED = {
    "params in capitals": "{" + GET_TASK + ',"Params":{"id":"theirs"}}',
    "params beside params": "{" + GET_TASK + ',"params":{"id":"mine"},"PARAMS":{"id":"theirs"}}',
    "a second method": '{"jsonrpc":"2.0","id":1,"method":"SendMessage","Method":"GetTask"}',
}


def cases(named: dict) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("bad", named.values(), ids=named)


@cases(UNREADABLE)
def test_what_cannot_be_read_is_refused_for_what_it_is(shared_line, bad):
    body, code = bad
    assert_refused(shared_line, post(shared_line, body, headers=V1), code)


@cases(NO_REQUEST)
def test_what_is_no_request_is_refused_under_its_own_id(shared_line, bad):
    body, code = bad
    answer = post(shared_line, json.dumps(body), headers=V1)

    assert_refused(shared_line, answer, code)
    assert answer.json()["id"] in (body["id"], None)
    assert answer.json()["id"] == 7 or not isinstance(body["id"], int) or isinstance(body["id"], bool)


@cases(TWICE)
def test_a_member_that_comes_twice_is_refused(shared_line, bad):
    assert_refused(shared_line, post(shared_line, bad, headers=V1), "duplicate_member")


@cases(DISGUISED)
def test_a_member_in_letters_that_only_some_servers_read_is_refused(shared_line, bad):
    assert_refused(shared_line, post(shared_line, bad, headers=V1), "not_a_request")


@pytest.mark.parametrize("rpc_id", ["1e999", '"\\ud800"'])
def test_an_id_that_json_cannot_carry_back_is_refused_in_correct_json(shared_line, rpc_id):
    answer = post(
        shared_line, f'{{"jsonrpc":"2.0","id":{rpc_id},"method":"GetTask","params":{{"id":"t"}}}}', headers=V1
    )

    assert_refused(shared_line, answer, "not_a_request")
    assert answer.json()["id"] is None


@pytest.mark.parametrize("rpc_id", ["seven", 7.5, 0, None, -(10**30), "x" * 300, "äöü 🙂"])
def test_every_id_that_json_rpc_permits_comes_back_in_the_refusal(shared_line, rpc_id):
    answer = post(shared_line, json.dumps(rpc("GetTask", {"id": "none"}, id=rpc_id)), headers=V1)

    assert_refused(shared_line, answer, "task_not_found")
    assert answer.json()["id"] == rpc_id


HTTP_JSON = {
    "a task id in query and body": ("POST", "/tasks/t:cancel?taskId=a", {"task_id": "b"}, "duplicate_member"),
    "a query parameter twice": ("GET", "/tasks?contextId=a&contextId=b", None, "duplicate_member"),
    "a query parameter in both spellings": ("GET", "/tasks?contextId=a&context_id=b", None, "duplicate_member"),
    "an id in the query beside the path": ("GET", "/tasks/t?id=theirs", None, "task_not_found"),
    "a query that is no UTF-8": ("GET", "/tasks?contextId=%ff", None, "not_utf8"),
    "NUL in the query": ("GET", "/tasks?contextId=a%00b", None, "id_unusable"),
    "a list as body": ("POST", "/message:send", [1], "not_json"),
    "a text as body": ("POST", "/message:send", "hello", "not_json"),
    "a message that is a text": ("POST", "/message:send", {"message": "hello"}, "not_a_request"),
    "both names of the message": ("POST", "/v1/message:send", {"request": {}, "message": {}}, "duplicate_member"),
    "a push configuration of 0.3": (
        "POST",
        "/v1/message:send",
        {"request": {"messageId": "m"}, "configuration": {"push_notification": {"url": "https://evil.example"}}},
        "push_not_supported",
    ),
    "a push configuration of 0.3 in camel case": (
        "POST",
        "/v1/message:send",
        {"request": {"messageId": "m"}, "configuration": {"pushNotification": {"url": "https://evil.example"}}},
        "push_not_supported",
    ),
    "another's task by its resource name": (
        "POST", "/v1/tasks/t:cancel", {"name": "tasks/theirs"}, "task_not_found",
    ),
    "a tenant in the path": ("POST", "/other/message:send", message("x"), "undeclared_tenant"),
    "v1 as a tenant of 1.0": ("POST", "/v1/message:send?A2A-Version=1.0", message("x"), "undeclared_tenant"),
    "two tenants": ("POST", "/one/message:send", message("x") | {"tenant": "two"}, "undeclared_tenant"),
    "push paths": ("GET", "/tasks/t/pushNotificationConfigs", None, "push_not_supported"),
    "push paths to delete": ("DELETE", "/tasks/t/pushNotificationConfigs/c", None, "push_not_supported"),
}  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "code"), HTTP_JSON.values(), ids=HTTP_JSON)
def test_http_json_is_checked_as_strictly(shared_line, method, path, body, code):
    content = b"" if body is None else json.dumps(body).encode()
    answer = httpx.request(
        method, f"{shared_line.url}{path}", content=content, headers=shared_line.headers, timeout=10, verify=TLS
    )
    assert_refused(shared_line, answer, code)


PATHS = [
    ("POST", "/message:Send"),
    ("POST", "/message%3Asend"),
    ("POST", "/message:send/"),
    ("POST", "//message:send"),
    ("POST", "/v1//message:send"),
    ("POST", "/./message:send"),
    ("POST", "/%2e%2e/message:send"),
    ("POST", "/a%2Fb/message:send"),
    ("POST", "/a/b/message:send"),
    ("POST", "/message:send;x=1"),
    ("POST", "/message:send%00"),
    ("GET", "/message:send"),
    ("PUT", "/message:send"),
    ("PATCH", "/message:send"),
    ("OPTIONS", "/message:send"),
    ("TRACE", "/message:send"),
    ("GET", ""),
    ("PUT", ""),
    ("DELETE", "/tasks/t"),
    ("POST", "/tasks/t"),
    ("GET", "/tasks/"),
    ("GET", "/tasks/a%2Fb"),
    ("GET", "/tasks/a%2fb"),
    ("GET", "/tasks/.."),
    ("GET", "/tasks/%2e%2E"),
    ("GET", "/tasks/."),
    ("GET", "/tasks/a%00b"),
    ("GET", "/tasks/a%0d%0ab"),
    ("GET", "/tasks/%ff"),
    ("GET", "/tasks/%c0%af"),
    ("GET", "/tasks/t/artifacts"),
    ("POST", "/tasks/t:delete"),
    ("GET", "/.well-known/agent.json"),
    ("POST", "/.well-known/agent-card.json"),
    ("GET", "/.well-known/agent-card.json/"),
    ("GET", "/.well-known/../.well-known/agent-card.json"),
    ("POST", "/consent-status"),
    ("GET", "/v1/extendedAgentCard/x"),
    ("GET", "/admin"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_a_path_that_a2a_does_not_know_is_refused(shared_line, method, path):
    answer = raw(shared_line, method, path, b"{}")

    assert_refused(shared_line, answer, "unknown_path")
    assert answer.status == 404


@pytest.mark.parametrize("path", ["/tasks/mine%3Acancel", "/tasks/mine%3Fx", "/tasks/mine%23", "/tasks/mi%6ee"])
def test_an_encoded_id_is_looked_up_as_what_it_means(shared_line, path):
    """A server that decodes first would read `mine:cancel` as another path: the id must be one's own either way."""
    answer = raw(shared_line, "GET", path)

    assert_refused(shared_line, answer, "task_not_found")


ADDRESSES = [
    "/a2a/",
    "/a2a/p",
    "/a2a//c",
    "/a2a/p/",
    "/a2a/%00/%00",
    "/a2a/p/c%00",
    "/%61%32%61/p/c",
]


@pytest.mark.parametrize("target", ADDRESSES)
def test_an_address_without_project_and_connection_is_not_found(shared_line, target):
    answer = raw(shared_line, "POST", "", b"{}", target=target)

    assert answer.status == 404
    assert code_of(answer) == "unknown_path"
    assert answer.header("x-request-id")


@pytest.mark.parametrize("change", [str.upper, str.title, lambda name: name + "%20", lambda name: f"%2e/{name}"])
def test_a_name_is_matched_exactly(shared_line, change):
    name = shared_line.connection.name
    answer = raw(shared_line, "POST", "", json.dumps(rpc()).encode(), target=path_of(shared_line, change(name)))

    assert code_of(answer) in ("connection_unknown", "unknown_path")
    assert shared_line.endpoint.calls() == []


def path_of(line: Line, name: str) -> str:
    return f"/a2a/{line.agent.project.name}/{name}"


def test_a_name_may_be_percent_encoded(shared_line):
    name = "".join(f"%{ord(letter):02x}" for letter in shared_line.connection.name)
    answer = raw(shared_line, "POST", "", json.dumps(rpc()).encode(), V1, target=path_of(shared_line, name))
    assert answer.status == 200
    assert answer.json()["result"]


@pytest.mark.parametrize("slash", ["", "/"])
def test_the_bare_address_is_json_rpc_with_or_without_a_slash(shared_line, slash):
    answer = shared_line.post(rpc(), path=slash, headers=V1)

    assert answer.json()["result"]["task"]
    [call] = shared_line.endpoint.calls()
    assert call.path == "/agent"


@pytest.mark.parametrize("target", ["http://evil.example{path}", "//evil.example{path}", "{path}?x=1", "{path}#x"])
def test_other_forms_of_the_request_line_lead_nowhere_else(shared_line, target):
    path = path_of(shared_line, shared_line.connection.name)
    raw(shared_line, "POST", "", json.dumps(rpc()).encode(), V1, target=target.format(path=path))

    assert {call.path for call in shared_line.endpoint.calls()} <= {"/agent"}
    assert {call.query for call in shared_line.endpoint.calls()} <= {""}


VERSIONS = {
    "another": {"a2a-version": "9.9"},
    "the minor missing": {"a2a-version": "1"},
    "an older one": {"a2a-version": "0.2"},
    "two of them": {"a2a-version": "1.0, 0.3"},
    "words": {"a2a-version": "latest"},
}


@pytest.mark.parametrize("headers", VERSIONS.values(), ids=VERSIONS)
@pytest.mark.parametrize("path", ["", "/message:send"])
def test_a_version_that_is_not_offered_is_refused_by_the_protocols_own_code(shared_line, headers, path):
    answer = post(shared_line, json.dumps(rpc() if not path else message("x")), path, headers)

    assert_refused(shared_line, answer, "version_not_offered")
    assert path or answer.json()["error"]["code"] == -32009


def test_the_version_may_stand_in_the_query(shared_line):
    answer = post(shared_line, json.dumps(rpc("message/send")), "?A2A-Version=0.3")

    assert code_of(answer) is None
    assert shared_line.endpoint.calls()[0].header("a2a-version") == ["0.3"]


def test_two_versions_that_differ_are_refused(shared_line):
    assert_refused(shared_line, post(shared_line, json.dumps(rpc()), "?a2a-version=0.3", V1), "version_not_offered")


@pytest.mark.parametrize(
    "kind",
    [
        "application/json; charset=utf-16",
        "application/json;charset=ISO-8859-1",
        "application/json; charset=utf-8; charset=utf-16",
        'application/json; charset="UTF-16"',
        "application/json; charset = utf-7",
        "application/json; charset*=utf-16''x",
        "application/json; x=y; CHARSET=cp1252",
    ],
)
def test_a_charset_other_than_utf_8_is_refused(shared_line, kind):
    assert_refused(shared_line, post(shared_line, json.dumps(rpc()), headers=V1 | {"content-type": kind}), "not_utf8")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", 'application/json; Charset="UTF-8"', "text/plain"])
def test_utf_8_may_be_said(shared_line, kind):
    assert code_of(post(shared_line, json.dumps(rpc()), headers=V1 | {"content-type": kind})) is None


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
def test_a_packed_body_is_refused(shared_line, encoding):
    answer = post(shared_line, json.dumps(rpc()), headers=V1 | {"content-encoding": encoding})

    assert_refused(shared_line, answer, "not_utf8")


@pytest.mark.parametrize("name", ["authorization", "x-ms-user-identity", "a2a-version", "content-type"])
def test_a_header_that_must_be_single_is_refused_when_it_comes_twice(shared_line, name):
    value = {"authorization": shared_line.headers["authorization"], "a2a-version": "1.0"}.get(name, "application/json")
    answer = raw(shared_line, "POST", "", json.dumps(rpc()).encode(), extra=[(name, value), (name.title(), value)])

    assert_refused(shared_line, answer, "duplicate_header")


def test_a_header_that_endpoints_would_read_differently_is_refused(shared_line):
    answer = raw(shared_line, "POST", "", json.dumps(rpc()).encode(), V1, extra=[("traceparent", "zürich")])

    assert_refused(shared_line, answer, "header_malformed")


@pytest.mark.parametrize("path", ["", "/message:send", "/v1/message:send"])
def test_a_body_over_the_limit_gets_413(shared_line, settings, path):
    settings.GATEWAY_MAX_REQUEST = 10_000
    answer = post(shared_line, json.dumps(rpc(params=message("x" * 10_000))), path, V1)

    assert answer.status_code == 413
    assert_refused(shared_line, answer, "too_large")
    [row] = rows_of(answer.headers["x-request-id"], count=1)
    assert row.reason == "too_large"


def test_a_body_over_the_limit_is_refused_before_it_is_sent(shared_line, settings):
    settings.GATEWAY_MAX_REQUEST = 10_000
    answer = raw(shared_line, "POST", "", b"", extra=[("content-length", "10001")])

    assert answer.status == 413


def test_a_body_without_a_length_is_counted_as_it_comes(shared_line, settings):
    settings.GATEWAY_MAX_REQUEST = 10_000
    chunk = b"400\r\n" + b" " * 1024 + b"\r\n"
    answer = raw(shared_line, "POST", "", chunk * 11, extra=[("transfer-encoding", "chunked")])

    assert answer.status == 413


def test_a_body_of_exactly_the_limit_passes(shared_line, settings):
    body = json.dumps(rpc())
    settings.GATEWAY_MAX_REQUEST = len(body)

    assert code_of(post(shared_line, body, headers=V1)) is None


def test_nothing_is_read_from_whoever_has_no_key(shared_line, settings):
    """The key comes first: a stranger can't make the gateway take or parse a body."""
    sock = socket.create_connection(("127.0.0.1", int(shared_line.url.split(":")[2].split("/")[0])), timeout=5)
    with sock:
        path = path_of(shared_line, shared_line.connection.name)
        sock.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n".encode())
        assert sock.recv(100).startswith(b"HTTP/1.1 401 ")


KEYS = {
    "none": ({}, "agent_key_missing"),
    "an empty header": ({"authorization": ""}, "agent_key_missing"),
    "another scheme": ({"authorization": "Basic Z2hrOmtleQ=="}, "agent_key_missing"),
    "no key after the scheme": ({"authorization": "Bearer"}, "agent_key_missing"),
    "no scheme": ({"authorization": "ghk_aaaaaaaaaaaa_" + "b" * 43}, "agent_key_missing"),
    "a token of another kind": ({"authorization": "Bearer eyJhbGciOiJub25lIn0.e30."}, "agent_key_malformed"),
    "a short key": ({"authorization": "Bearer ghk_aaaaaaaaaaaa_short"}, "agent_key_malformed"),
    "quotes": ({"authorization": 'Bearer "ghk_aaaaaaaaaaaa_' + "b" * 43 + '"'}, "agent_key_malformed"),
    "an unknown key": ({"authorization": "Bearer ghk_aaaaaaaaaaaa_" + "b" * 43}, "agent_key_unknown"),
    "in another header": ({"x-api-key": "ghk_aaaaaaaaaaaa_" + "b" * 43}, "agent_key_missing"),
}


@pytest.mark.parametrize(("headers", "code"), KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("path", ["", "/message:send", "/.well-known/agent-card.json", "/consent-status"])
def test_without_a_valid_agent_key_the_answer_is_401(shared_line, headers, code, path):
    method = "GET" if path.startswith(("/.well", "/consent")) else "POST"
    answer = httpx.request(method, f"{shared_line.url}{path}", headers=headers, timeout=10, verify=TLS)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="gatehouse"'
    assert_refused(shared_line, answer, code)


def test_the_right_prefix_with_another_secret_is_an_unknown_key(shared_line):
    wrong = shared_line.key[:-1] + ("A" if shared_line.key[-1] != "A" else "B")
    answer = shared_line.post(rpc(), headers={"authorization": f"Bearer {wrong}"})

    assert (answer.status_code, code_of(answer)) == (401, "agent_key_unknown")


def test_a_key_in_the_address_is_no_key(shared_line):
    answer = httpx.post(f"{shared_line.url}?access_token={shared_line.key}", json=rpc(), verify=TLS)

    assert (answer.status_code, code_of(answer)) == (401, "agent_key_missing")


def test_a_connection_of_another_project_is_as_unknown_as_none(shared_line):
    other = new_line(shared_line.endpoint.url)
    answers = [
        httpx.post(url, json=rpc(), headers=shared_line.headers, verify=TLS)
        for url in (other.url, f"{shared_line.url}-none", other.url.replace(other.connection.name, "none"))
    ]

    assert [code_of(answer) for answer in answers] == ["connection_unknown"] * 3
    texts = {answer.json()["error"]["message"].partition("(request")[0] for answer in answers}
    assert len(texts) == 1


def test_each_refusal_leaves_one_row_with_its_reason(shared_line):
    answer = post(shared_line, "{", headers=V1)

    [row] = rows_of(answer.headers["x-request-id"], count=1)
    assert (row.reason, row.outcome, row.agent_name) == ("not_json", "failed", shared_line.agent.name)
