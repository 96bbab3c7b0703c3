"""Ready programs that call a connection, with its own address. The agent key is read from the environment."""

import json
import textwrap
from collections.abc import Callable

from connections.methods import method_of, methods
from connections.models import Connection

TEXT = "Hello"
PERSON = "person@example.com"
# Which of the endpoint's dialects a snippet speaks, the best first.
PREFERRED = [("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3"), ("HTTP+JSON", "0.3")]


def curl(connection: Connection) -> str:
    """For curl 7.82 or newer, which has --json."""
    url, version, body = _call(connection)
    headers = [("Authorization", "Bearer $AGENT_KEY"), *_named(connection, version)]
    lines = ["curl", url, *(f'-H "{name}: {value}"' for name, value in headers)]
    # Broken where JSON has a space between two members; no text of the message has one.
    wrapped = "\n    ".join(textwrap.wrap(json.dumps(body), 48, break_long_words=False, break_on_hyphens=False))
    return " \\\n  ".join([*lines, f"--json '{wrapped}'"])


def javascript(connection: Connection) -> str:
    """For Node 18 or newer, saved as hello.mjs."""
    url, version, body = _call(connection)
    named = "".join(f'    "{name}": "{value}",\n' for name, value in _named(connection, version))
    indented = json.dumps(body, indent=2).replace("\n", "\n  ")
    return f"""\
const answer = await fetch("{url}", {{
  method: "POST",
  headers: {{
    "Authorization": `Bearer ${{process.env.AGENT_KEY}}`,
    "Content-Type": "application/json",
{named}  }},
  body: JSON.stringify({indented}),
}});
console.log(JSON.stringify(await answer.json(), null, 2));
"""


def python(connection: Connection) -> str:
    """For a2a-sdk 1.3; the card that the client reads first says which dialect it speaks."""
    user = "".join(f', "{name}": "{value}"' for name, value in _user(connection))
    return f"""\
# pip install a2a-sdk==1.3.0
import asyncio
import os

import httpx
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.helpers import new_text_message
from a2a.types import Role, SendMessageRequest

URL = "{connection.gateway_url}"
HEADERS = {{"Authorization": f"Bearer {{os.environ['AGENT_KEY']}}"{user}}}


async def main():
    async with httpx.AsyncClient(headers=HEADERS, timeout=60) as http:
        card = await A2ACardResolver(http, URL).get_agent_card()
        config = ClientConfig(httpx_client=http, supported_protocol_bindings=["JSONRPC", "HTTP+JSON"])
        client = ClientFactory(config).create(card)
        message = new_text_message("{TEXT}", role=Role.ROLE_USER)
        async for event in client.send_message(SendMessageRequest(message=message)):
            print(event)


asyncio.run(main())
"""


SNIPPETS: dict[str, tuple[str, Callable[[Connection], str]]] = {
    "curl": ("curl", curl),
    "python": ("Python", python),
    "javascript": ("JavaScript", javascript),
}


def _call(connection: Connection) -> tuple[str, str, dict]:
    """(address, version, body) of one message in a dialect that the endpoint speaks."""
    spoken = {(interface["binding"], interface["version"]): interface for interface in connection.interfaces}
    binding, version = next((pair for pair in PREFERRED if pair in spoken), PREFERRED[0])
    message = _message(binding, version)
    if binding == "HTTP+JSON":
        below = "/message:send" if version == "1.0" else "/v1/message:send"
        return connection.gateway_url + below, version, {"message": message}
    method = "SendMessage" if version == "1.0" else "message/send"
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"message": message}}
    return connection.gateway_url, version, body


def _message(binding: str, version: str) -> dict:
    """The four spellings of one message (protocols.md 1.2)."""
    if version == "1.0":
        return {"messageId": "hello-1", "role": "ROLE_USER", "parts": [{"text": TEXT}]}
    if binding == "HTTP+JSON":
        return {"messageId": "hello-1", "role": "ROLE_USER", "content": [{"text": TEXT}]}
    return {
        "kind": "message",
        "messageId": "hello-1",
        "role": "user",
        "parts": [{"kind": "text", "text": TEXT}],
    }


def _named(connection: Connection, version: str) -> list[tuple[str, str]]:
    return [("A2A-Version", version), *_user(connection)]


def _user(connection: Connection) -> list[tuple[str, str]]:
    """Only a connection that acts for each person needs to be told for whom."""
    known = connection.auth_method in methods()
    return [("x-ms-user-identity", PERSON)] if known and method_of(connection).user_context_persists else []
