"""Reads refusals in every spelling, and sends what no HTTP client would."""

import http.client
import io
import json
import socket
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.gateway.conftest import Line


@dataclass(frozen=True)
class RawAnswer:
    status: int
    headers: list[tuple[str, str]]
    content: bytes

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key.lower() == name]

    def json(self) -> Any:
        return json.loads(self.content)


def raw(
    line: Line,
    method: str,
    path: str,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    *,
    extra: list[tuple[str, str]] = (),
    target: str | None = None,
) -> RawAnswer:
    """One request written byte by byte, so that no client corrects its path, names or duplicates.

    target: what stands in the request line, instead of the connection's path and `path`.
    """
    at = urlsplit(line.url)
    fields = [("Host", at.netloc), *line.headers.items(), *(headers or {}).items(), *extra]
    if not {name.lower() for name, _ in fields} & {"content-length", "transfer-encoding"}:
        fields.append(("Content-Length", str(len(body))))
    head = f"{method} {target or at.path + path} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in fields)
    with socket.create_connection((at.hostname, at.port), timeout=10) as sock:
        sock.sendall(head.encode("latin-1") + b"\r\n" + body)
        answer = http.client.HTTPResponse(sock, method=method)
        answer.begin()
        return RawAnswer(answer.status, answer.getheaders(), answer.read())


def code_of(answer: httpx.Response | RawAnswer) -> str | None:
    """The refusal's own code, in lower case; None for an answer that is no refusal of the gateway's."""
    payload = answer.json()
    error = payload.get("error") if isinstance(payload, dict) else None
    return code_in(error)


def code_in(error: Any) -> str | None:
    if not isinstance(error, dict):
        return None
    details = error.get("data") or error.get("details") or []
    ours = [item for item in details if isinstance(item, dict) and item.get("domain") == "gatehouse"]
    return ours[0]["reason"].lower() if ours else None


def events_in(content: bytes) -> list[Any]:
    """The JSON of every event in a stream's bytes."""
    lines = io.BytesIO(content).read().replace(b"\r\n", b"\n").split(b"\n")
    return [json.loads(line[5:]) for line in lines if line.startswith(b"data:")]
