"""What must stay absent (docs/architecture.md): checked on the source, so that a new module can't forget it."""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from connections.methods import methods
from portal.celery import app

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


# Libraries with sockets of their own, and the one module that may use each.
MICROSOFT = {"azure": "portal/identities/azure.py", "msal": "portal/identities/entra.py"}


def test_each_library_of_microsoft_is_in_one_module():
    found = {
        (library, str(path.relative_to(ROOT)))
        for path in sources()
        for name in imported(path.read_text())
        if (library := name.partition(".")[0]) in MICROSOFT
    }
    assert found == set(MICROSOFT.items())


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


def test_the_gateway_knows_no_method_by_name():
    named = {method.slug for method in methods()} | {type(method).__name__ for method in methods()}
    modules = {type(method).__module__ for method in methods()}
    gateway = sorted((ROOT / "connections" / "gateway").rglob("*.py"))
    assert len(gateway) > 10
    for path in gateway:
        source = path.read_text()
        assert not named & said(source), path
        assert not modules & imported(source), path


def test_only_the_vault_sees_the_key_ring():
    seeing = {str(path.relative_to(ROOT)) for path in sources() if "GATEHOUSE_KEYS" in said(path.read_text())}
    assert seeing == {"portal/vault.py", "portal/settings.py"}


def test_only_the_log_writes_its_rows():
    """Others import LogRow to read it; none makes, changes or deletes one."""
    writing = {path: writes(path.read_text()) for path in sources() if path != ROOT / "portal" / "audit" / "log.py"}
    assert {path: found for path, found in writing.items() if found} == {}


@pytest.mark.parametrize(
    "line",
    [
        "LogRow(event='x').save()",
        "LogRow.objects.create(event='x')",
        "LogRow.objects.filter(id=1).update(event='x')",
        "cursor.execute(f'DELETE FROM {LogRow._meta.db_table}')",
        "cursor.execute('insert into portal_logrow values (1)')",
    ],
)
def test_the_check_sees_every_way_to_write_a_row(line):
    assert writes(line)
    assert not writes("LogRow.objects.filter(id=1).first(); cursor.execute(f'SELECT 1 FROM {LogRow._meta.db_table}')")


def said(source: str) -> set[str]:
    """The names, attributes and strings of a module, each as a whole: a sentence that mentions a name is not it."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Name | ast.Attribute):
            found.add(node.id if isinstance(node, ast.Name) else node.attr)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.add(node.value)
    return found


WRITING = {"create", "bulk_create", "get_or_create", "update_or_create", "update", "bulk_update", "delete", "save"}
SQL = re.compile(r"(insert\s+into|update|delete\s+from|truncate)\s+({LogRow|portal_logrow)", re.IGNORECASE)


def writes(source: str) -> set[str]:
    """What in a module makes, changes or deletes rows of the log."""
    calls = [ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    own = {call for call in calls if call.startswith("LogRow")}
    return {call for call in own if call == "LogRow" or call.rpartition(".")[2] in WRITING} | set(SQL.findall(source))


def test_no_task_has_an_argument_but_ids():
    """T35: what lies in a broker may be read and written by others."""
    app.loader.import_default_modules()
    own = {name: task for name, task in app.tasks.items() if name.split(".")[0] in STOREYS}
    assert len(own) >= 3
    arguments = {argument for task in own.values() for argument in inspect.signature(task.run).parameters}
    assert {name for name in arguments if name != "id" and not name.endswith("_id")} == set()
    assert (app.conf.accept_content, app.conf.task_serializer, app.conf.task_ignore_result) == (["json"], "json", True)
