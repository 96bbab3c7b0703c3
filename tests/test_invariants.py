"""What must stay absent (docs/architecture.md): checked on the source, so that a new module can't forget it."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STOREYS = ("portal", "connections", "consent")

# Modules with which a program reaches the network without asking `portal.outbound`. (Mail goes through Django to
# the one server that the installation names.)
NETWORK = {
    "aiohttp", "ftplib", "http.client", "httpcore", "httpx", "imaplib", "poplib", "pycurl", "requests",
    "socket", "telnetlib", "urllib.request", "urllib3", "websockets", "xmlrpc.client",
}  # fmt: skip


def sources() -> Iterator[Path]:
    for storey in STOREYS:
        yield from sorted((ROOT / storey).rglob("*.py"))


def imported(source: str) -> set[str]:
    """Full names of everything a module imports: `from urllib import request` gives `urllib.request` as well."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def reaching(source: str) -> set[str]:
    """The network modules among a module's imports, also by one of their parts (`requests.adapters`)."""
    return {door for door in NETWORK for name in imported(source) if name == door or name.startswith(f"{door}.")}


def test_only_outbound_reaches_the_network():
    found = {
        str(path.relative_to(ROOT)): reaching(path.read_text())
        for path in sources()
        if ROOT / "portal" / "outbound" not in path.parents
    }
    assert len(found) > 20
    assert {path: doors for path, doors in found.items() if doors} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import socket",
        "import requests.adapters",
        "from urllib import request",
        "import urllib.request as asking",
        "from http.client import HTTPSConnection",
        "def late():\n    import aiohttp",
    ],
)
def test_the_check_sees_every_way_to_import(line):
    assert reaching(line)
    assert not reaching("from urllib.parse import urlsplit\nfrom portal.outbound import session\nimport http")
