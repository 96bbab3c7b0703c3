"""The snippets carry this connection's address and speak a dialect of its endpoint."""

import ast
import json
import re
import shlex
import shutil
import subprocess

import pytest

from connections import snippets
from connections.models import Connection
from tests import factories
from tests.connections.pages import page, text_of

pytestmark = pytest.mark.django_db
METHODS = {
    ("JSONRPC", "1.0"): "SendMessage",
    ("JSONRPC", "0.3"): "message/send",
    ("HTTP+JSON", "1.0"): "/message:send",
    ("HTTP+JSON", "0.3"): "/v1/message:send",
}


def speaking(project, *spoken: tuple[str, str]) -> Connection:
    interfaces = [{"url": "https://a.example/x", "binding": binding, "version": version} for binding, version in spoken]
    return factories.make_connection(project, interfaces=interfaces)


@pytest.mark.parametrize("spelling", METHODS, ids=" ".join)
def test_curl_sends_one_message_in_the_endpoints_dialect(project, spelling):
    connection = speaking(project, spelling)
    words = shlex.split(snippets.curl(connection).replace("\\\n", " "))
    body = json.loads(words[words.index("--json") + 1])
    assert words[1].startswith(connection.gateway_url)
    assert f"A2A-Version: {spelling[1]}" in words and "Authorization: Bearer $AGENT_KEY" in words
    assert METHODS[spelling] in (words[1] if spelling[0] == "HTTP+JSON" else body["method"])
    message = body["message"] if spelling[0] == "HTTP+JSON" else body["params"]["message"]
    assert message["messageId"] and "Hello" in json.dumps(message)


def test_the_newest_json_rpc_is_preferred(project):
    assert '"SendMessage"' in snippets.curl(
        speaking(project, ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3"), ("JSONRPC", "1.0"))
    )


def test_a_call_for_a_person_names_one_who_is_nobody(project):
    connection = factories.make_connection(project, auth_method="oauth-identity-passthrough")
    for _, snippet in snippets.SNIPPETS.values():
        assert "person@example.com" in snippet(connection)
        assert "x-ms-user-identity" not in snippet(speaking(project))


def test_python_is_a_program_for_this_address(project):
    connection = speaking(project, ("JSONRPC", "1.0"))
    ast.parse(snippets.python(connection))
    assert f'URL = "{connection.gateway_url}"' in snippets.python(connection)


def test_everything_that_python_imports_is_in_the_sdk(project):
    lines = [line for line in snippets.python(speaking(project)).splitlines() if re.match(r"(import|from) ", line)]
    exec("\n".join(lines), {})


@pytest.mark.skipif(shutil.which("node") is None, reason="no Node is installed here")
def test_javascript_is_a_program_for_this_address(project, tmp_path):
    connection = speaking(project, ("JSONRPC", "1.0"))
    program = tmp_path / "hello.mjs"
    program.write_text(snippets.javascript(connection))
    subprocess.run(["node", "--check", str(program)], check=True, timeout=20)
    assert connection.gateway_url in program.read_text()


def test_no_snippet_holds_the_credential(project):
    connection = speaking(project, ("JSONRPC", "1.0"))
    for _, written in snippets.SNIPPETS.values():
        assert "ledger-secret-value" not in written(connection) and "x-api-key" not in written(connection)


@pytest.mark.parametrize("slug", ["curl", "python", "javascript"])
def test_the_page_shows_the_chosen_one(browse, ana, project, slug):
    connection = speaking(project, ("JSONRPC", "1.0"))
    shown = browse(ana).get(f"{page('connection', project, connection.name)}?snippet={slug}")
    assert shown.context["snippet"] == snippets.SNIPPETS[slug][1](connection).rstrip()
    assert connection.gateway_url in text_of(shown)
