"""The documents say what is so: links lead somewhere, names exist, tables are complete, the recipe works."""

import ast
import importlib
import re
import sys
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands
from django.test import override_settings

from connections.management.commands import troubleshooting_page
from connections.methods import method_of, methods
from connections.methods.base import Caller
from connections.snippets import SNIPPETS
from tests import factories
from tests.connections.pages import key_form, page

ROOT = Path(__file__).resolve().parent.parent
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "tests").rglob("*.md")]
each_page = pytest.mark.parametrize("document", PAGES, ids=lambda path: str(path.relative_to(ROOT)))

FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAME = re.compile(r"(?:portal|connections|demo|launcher)(?:\.\w+)+")
FILE = re.compile(r"(?:portal|connections|demo|launcher|tests|docs|static|templates)/[\w./-]+")
TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")


def read(name: str) -> str:
    return (ROOT / name).read_text()


def spans(text: str) -> list[str]:
    """What stands between single backticks, outside of fenced blocks."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", text))


def code(text: str) -> str:
    return "\n".join([*spans(text), *(block for _, block in FENCE.findall(text))])


@each_page
def test_every_link_leads_somewhere(document):
    for target in LINK.findall(FENCE.sub("", document.read_text())):
        if not re.match(r"https?:|mailto:", target):
            path, _, anchor = target.partition("#")
            place = (document.parent / path).resolve() if path else document
            assert place.exists(), target
            assert not anchor or anchor in anchors(place.read_text()), target


def anchors(text: str) -> set[str]:
    """The anchors of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_every_make_target_exists(document):
    targets = set(re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE))
    assert {"run", "test"} <= targets
    assert set(re.findall(r"\bmake ([a-z]+)\b", code(document.read_text()))) <= targets


@each_page
def test_every_management_command_exists(document):
    named = set(re.findall(r"manage\.py (\w+)", document.read_text()))
    assert named <= set(get_commands())


@each_page
def test_every_symbol_exists(document):
    for name in filter(NAME.fullmatch, spans(document.read_text())):
        assert resolved(name), name


def resolved(name: str) -> bool:
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:count]))
        except ModuleNotFoundError:
            continue
        for part in parts[count:]:
            if not hasattr(found, part) and part not in getattr(found, "__annotations__", {}):
                return False
            found = getattr(found, part, None)
        return True
    return False


def test_the_check_of_symbols_sees_what_is_missing():
    assert resolved("portal.vault.Binding.context")
    assert not resolved("portal.vault.Binding.contexts") and not resolved("portal.volt")


@each_page
def test_every_file_exists(document):
    for name in filter(FILE.fullmatch, spans(document.read_text())):
        assert (ROOT / name).exists(), name


@each_page
def test_every_test_that_is_named_exists(document):
    for path, name in TEST.findall(document.read_text()):
        assert re.search(rf"^ *(async )?def {name}\(", read(path), re.MULTILINE), f"{path}::{name}"


def test_every_invariant_is_held_by_something():
    """Each row names a test, a contract or a symbol; the contracts are those of the linter."""
    section = read("docs/architecture.md").partition("## What is absent")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| ") and "held by" not in line]
    contracts = {each["name"] for each in tomllib.loads(read("pyproject.toml"))["tool"]["importlinter"]["contracts"]}
    assert len(rows) > 8
    for _, held in rows:
        linted = set(re.findall(r'import-linter, "([^"]+)"', held))
        assert linted <= contracts, held
        assert linted or TEST.search(held) or any(NAME.fullmatch(span) for span in spans(held)), held
    assert contracts == set(re.findall(r'import-linter, "([^"]+)"', section))


def variables() -> Iterator[tuple[str, str | None]]:
    """(name, default as written) of everything that settings read through portal.env, and of the Procfile's."""
    for path in [*(ROOT / "portal").rglob("*.py"), *(ROOT / "connections").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and re.fullmatch(
                r"env\.(text|secret|flag|integer|items)", ast.unparse(node.func)
            ):
                default = node.args[1].value if len(node.args) > 1 and isinstance(node.args[1], ast.Constant) else None
                name = ast.literal_eval(node.args[0])
                yield name, default
                if node.func.attr == "secret":
                    yield f"{name}_FILE", None
    yield from re.findall(r"\$\{(\w+):-([^}]*)\}", read("Procfile"))


def documented() -> dict[str, str]:
    """The table of the environment: name to default."""
    section = read("docs/operations.md").partition("\n## Environment")[2].partition("\n## ")[0]
    rows = [line.split(" | ") for line in section.splitlines() if line.startswith("| `")]
    return {name: row[1].strip("`") for row in rows for name in spans(row[0])}


def test_every_variable_is_in_the_table_and_every_row_is_read():
    assert {name for name, _ in variables()} == set(documented())


@pytest.mark.parametrize(("name", "default"), sorted((n, d) for n, d in variables() if d))
def test_every_default_in_the_table_is_that_of_the_code(name, default):
    assert documented()[name] == str(default)


def test_sentences_about_wrong_keys_are_those_of_the_code():
    section = read("docs/operations.md").partition("What a wrong start says")[2].partition("\n## ")[0]
    source = read("portal/installation.py") + read("portal/vault.py") + read("connections/gateway/app.py")
    quoted = re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)
    assert len(quoted) > 5
    for sentence in quoted:
        for part in re.split(r"key k1|holds k2|name k1", sentence):
            for words in filter(None, re.split(r"(?<=[.]) ", part.strip(" .;"))):
                assert words.strip(" .;") in source, words


def test_the_troubleshooting_page_is_current():
    assert read("docs/troubleshooting.md") == troubleshooting_page.page(), "run: python manage.py troubleshooting_page"


def test_the_troubleshooting_page_says_how_every_refusal_of_the_gateway_is_told():
    source = "".join(path.read_text() for path in (ROOT / "connections" / "gateway").glob("*.py"))
    rows = {row.partition("`")[2].partition("`")[0]: row for row in troubleshooting_page.page().splitlines()}
    refused = set(re.findall(r'Refused\("(\w+)"', source))
    assert len(refused) > 10
    assert {code for code in refused if not re.search(r"\| -32\d\d\d, HTTP \d+ \|$", rows[code])} == set()


def test_the_readme_promises_the_methods_that_are_installed():
    section = read("README.md").partition("| how to authenticate |")[2].partition("\n\n")[0]
    works = {line.split(" | ")[0].removeprefix("| ") for line in section.splitlines() if line.endswith("| works |")}
    assert works == {method.label for method in methods()}


def test_every_package_that_runs_has_its_reason():
    lines = [line for line in read("requirements.txt").splitlines() if line and not line.startswith("#")]
    named = {name.lower() for name in spans(read("docs/decisions/dependencies.md"))}
    assert {re.split(r"[\[=]", line)[0].lower() for line in lines} <= named


@pytest.mark.django_db
def test_the_developers_page_has_the_portals_own_snippets(project):
    connection = factories.make_connection(project, name="ledger-agent")
    text = read("docs/using/developer.md")
    with override_settings(PUBLIC_URL="https://gatehouse.example.com"):
        for label, snippet in SNIPPETS.values():
            assert snippet(connection).strip() in text, label


@each_page
def test_no_page_names_somebodys_machine(document):
    assert not re.search(r"/(work|root|home|Users|tmp)/", document.read_text())


@pytest.fixture
def recipe(monkeypatch):
    """The method of docs/architecture.md, as a module of its own that the settings name."""
    blocks = [block for kind, block in FENCE.findall(read("docs/architecture.md")) if kind == "python"]
    module = types.ModuleType("recipe_of_the_architecture")
    exec(compile(blocks[0], "docs/architecture.md", "exec"), module.__dict__)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    from django.conf import settings

    with override_settings(AUTH_METHODS=[*settings.AUTH_METHODS, f"{module.__name__}.Basic"]):
        yield


@pytest.mark.django_db
def test_the_method_of_the_recipe_works_by_a_settings_line(recipe, browse, ana, project, fake_agent):
    expected = "Basic bGVkZ2VyOmNhbmFyeS1wYXNzd29yZA=="
    endpoint = fake_agent(required_header=("Authorization", expected))
    sent = key_form(endpoint.url, auth_method="basic", credential__0__name=None, credential__0__value=None)
    sent |= {"settings-username": "ledger", "password-0-value": "canary-password"}
    answer = browse(ana).post(page("connection-new-a2a", project), sent, follow=True)
    connection = project.connections.get()
    assert "The endpoint accepted the credential." in answer.content.decode()
    assert [call.header("Authorization") for call in endpoint.calls()] == [[expected]]
    assert method_of(connection).credential(connection, Caller(None)).headers[0][1].reveal() == expected
    assert connection.settings == {"username": "ledger"} and "canary-password" not in answer.content.decode()
