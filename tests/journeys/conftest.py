"""The portal as `make run` leaves it: the demo, its endpoint and a web process, each a process of its own."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from django.db import connection
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.fakes.server import listening_socket, url_of

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
START_SECONDS = 30


@dataclass
class Site:
    """A running portal; `facts` is its var/demo.json."""

    url: str
    endpoint_url: str
    facts: dict
    environment: dict[str, str] = field(repr=False)

    def provider_record(self) -> dict:
        """What the demo's provider has written down: clients, approvals, access_tokens, refresh_tokens."""
        return json.loads(Path(self.environment["DEMO_PROVIDER_FILE"]).read_text())

    def user(self, name: str) -> dict:
        """The demo's sign-in of a person, by the beginning of the e-mail address."""
        return next(user for user in self.facts["users"] if user["email"].startswith(name))


@pytest.fixture
def site(transactional_db, tmp_path) -> Iterator[Site]:
    url, endpoint_url = _free_url(), _free_url()
    environment = _environment(url, endpoint_url, tmp_path)
    with contextlib.ExitStack() as running:
        running.enter_context(_process([sys.executable, "-m", "demo.endpoint"], environment))
        _await(f"{endpoint_url}/weather/.well-known/agent-card.json")
        subprocess.run([sys.executable, "-m", "demo.seed"], env=environment, check=True, timeout=60)
        running.enter_context(_process(_web(url), environment))
        _await(f"{url}/readyz")
        yield Site(url, endpoint_url, json.loads((tmp_path / "demo.json").read_text()), environment)


@pytest.fixture
def worker(site) -> Iterator[None]:
    """Does what pages leave to be done. No beat wakes it: only pages do."""
    with _process(_worker(), site.environment):
        yield


def _free_url() -> str:
    with listening_socket() as sock:
        return url_of(sock)


def _environment(url: str, endpoint_url: str, var: Path) -> dict[str, str]:
    settings = connection.settings_dict
    at = f"{settings['USER']}:{settings['PASSWORD']}@{settings['HOST']}:{settings['PORT']}"
    address = f"postgresql://{at}/{settings['NAME']}"
    if settings["HOST"].startswith("/"):
        address = f"postgresql://{settings['USER']}@/{settings['NAME']}?host={settings['HOST']}&port={settings['PORT']}"
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": address,
        "PUBLIC_URL": url,
        "GATEHOUSE_DEMO": "1",
        "GATEHOUSE_VAR": str(var),
        "ALLOWED_OUTBOUND_NETWORKS": "127.0.0.0/8",
        "DEMO_ENDPOINT_URL": endpoint_url,
        "DEMO_ENDPOINT_PORT": endpoint_url.rpartition(":")[2],
        "DEMO_ENDPOINT_KEY": "a-key-of-the-ledger-endpoint",
        "DEMO_PROVIDER_FILE": str(var / "provider.json"),
        "DEMO_ROLES_FILE": str(var / "roles.json"),
    }


def _web(url: str) -> list[str]:
    port = url.rpartition(":")[2]
    return [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", port, "--no-access-log"]


def _worker() -> list[str]:
    celery = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "portal.celery", "-q", "worker", "-l", "WARNING"]
    return [*celery, "-Q", "default,refresh,probe,mail", "-c", "1", "--without-gossip", "--without-mingle"]


@contextlib.contextmanager
def _process(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen]:
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def _await(url: str) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError(f"{url} did not answer within {START_SECONDS} seconds")


@pytest.fixture
def browser(transactional_db) -> Iterator[Browser]:
    # After the database, so that it is gone before the tables are emptied: its event loop runs in this thread.
    expect.set_options(timeout=10_000)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
        yield chromium
        chromium.close()


def _watch(page: Page, problems: list[str]) -> None:
    """Script errors, what a policy blocks, and parts of pages that don't load. A page that says no is none of them."""

    def console(line) -> None:
        if line.type == "error" and not line.text.startswith("Failed to load resource"):
            problems.append(line.text)

    def response(answer) -> None:
        if answer.status >= 400 and answer.request.resource_type != "document":
            problems.append(f"{answer.status} {answer.url}")

    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", console)
    page.on("response", response)


def _keep_pictures(contexts: list[BrowserContext]) -> None:
    """Where GATEHOUSE_PICTURES names a folder, the last page of each person, for whoever looks after a failure."""
    folder = os.environ.get("GATEHOUSE_PICTURES")
    for number, context in enumerate(contexts if folder else []):
        context.pages[-1].screenshot(path=Path(folder) / f"last-page-{number}.png", full_page=True)


@pytest.fixture
def person(browser, site) -> Iterator:
    """`person("ana")` is a page in a browser of that person's own, signed in; a script error fails the test.

    `person("ben", at=link)` opens the link first, and signs in where it leads.
    """
    contexts: list[BrowserContext] = []
    problems: list[str] = []

    def sign_in(name: str, at: str = "", **options) -> Page:
        context = browser.new_context(**options)
        context.set_default_timeout(10_000)
        contexts.append(context)
        page = context.new_page()
        _watch(page, problems)
        page.goto(at or site.url)
        page.get_by_label("Email").fill(site.user(name)["email"])
        page.get_by_label("Password").fill(site.user(name)["password"])
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_label("Password")).to_have_count(0)
        expect(page.get_by_role("banner")).to_be_visible()
        return page

    yield sign_in
    _keep_pictures(contexts)
    for context in contexts:
        context.close()
    assert problems == []
