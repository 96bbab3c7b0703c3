"""The main job, as a person and a program do it: connect an endpoint, give it to an agent, call it, read the log."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.fakes.a2a_server import SPELLINGS
from tests.fakes.stock_client import send
from tests.journeys.steps import begin_to_connect, open_connection, register_an_agent, use_in_agent

pytestmark = pytest.mark.browser

SNIPPETS = {
    "curl": ["bash", "-c"],
    "Python": [sys.executable, "-c"],
    "JavaScript": ["node", "--input-type=module", "-e"],
}


def test_an_administrator_connects_an_endpoint_an_agent_calls_it_and_an_auditor_reads_of_it(site, person):
    ana = person("ana")
    _connect_the_ledger(ana, site)
    _test_the_connection(ana)
    key = register_an_agent(ana, "billing-bot")
    use_in_agent(ana, "invoices", "billing-bot")
    open_connection(ana, "invoices")
    gateway_url = _copied_address(ana)
    assert gateway_url == f"{site.url}/a2a/contoso-support/invoices"

    answers = _call_in_every_spelling(gateway_url, key)
    assert all("4711" in answer for answer in answers)
    _run_the_snippets(ana, key)

    ana.reload()
    expect(ana.get_by_text("SendMessage").first).to_be_visible()
    _the_auditor_finds_it(person("dev"), key)


def _connect_the_ledger(page: Page, site) -> None:
    begin_to_connect(page, "invoices", f"{site.endpoint_url}/ledger")
    page.get_by_role("button", name="Read agent card").click()
    expect(page.get_by_role("heading", name="Agent card")).to_be_visible()
    expect(page.get_by_text("Ledger agent").first).to_be_visible()

    page.get_by_text("Help me choose").click()
    expect(page.get_by_text("Use one shared identity for all users")).to_be_visible()
    page.get_by_label("Credential name").first.fill("x-api-key")
    page.get_by_label("Credential value").first.fill("a-key-of-the-ledger-endpoint")
    page.get_by_role("button", name="Connect", exact=True).click()
    expect(page.get_by_role("heading", name="invoices")).to_be_visible()


def _test_the_connection(page: Page) -> None:
    page.get_by_role("button", name="Test connection").click()
    expect(page.get_by_text("Healthy").first).to_be_visible()
    expect(page.get_by_text(re.compile("credential accepted", re.I)).first).to_be_visible()
    assert "a-key-of-the-ledger-endpoint" not in page.content()


def _copied_address(page: Page) -> str:
    return re.search(r"http://127\.0\.0\.1:\d+/a2a/contoso-support/invoices", page.content())[0]


def _call_in_every_spelling(url: str, key: str) -> list[str]:
    headers = {"Authorization": f"Bearer {key}"}
    ways = [(spelling, streaming) for spelling in SPELLINGS for streaming in (False, True)]
    # In a thread: the browser's own event loop runs in this one.
    with ThreadPoolExecutor(1) as elsewhere:
        calls = [
            elsewhere.submit(send, url, spelling, "invoice 4711", streaming=streaming, headers=headers)
            for spelling, streaming in ways
        ]
    return [str(call.result()) for call in calls]


def _run_the_snippets(page: Page, key: str) -> None:
    """Exactly what the page shows, run as a newcomer would."""
    for name, command in SNIPPETS.items():
        page.get_by_role("link", name=name, exact=True).click()
        snippet = page.locator("pre", has_text="AGENT_KEY").inner_text()
        done = subprocess.run(
            [*command, snippet], env={**os.environ, "AGENT_KEY": key}, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert "error" not in done.stdout.lower(), done.stdout


def _the_auditor_finds_it(page: Page, key: str) -> None:
    page.get_by_role("link", name="contoso-support").first.click()
    expect(page.get_by_role("heading", name="Access log")).to_be_visible()
    row = page.get_by_role("row").filter(has_text="billing-bot").filter(has_text="SendMessage").first
    expect(row).to_contain_text("invoices")
    expect(row).to_contain_text("Succeeded")
    row.get_by_role("link").first.click()
    expect(page.get_by_text("req_").first).to_be_visible()
    expect(page.get_by_text("Key-based").first).to_be_visible()
    for secret in (key, "a-key-of-the-ledger-endpoint"):
        assert secret not in page.content()


def test_an_open_endpoint_answers_through_the_unauthenticated_connection(site):
    [key] = [agent["key"] for agent in site.facts["agents"]]
    url = next(c["gateway_url"] for c in site.facts["connections"] if c["auth_method"] == "unauthenticated")

    [event] = send(url, ("JSONRPC", "1.0"), "weather in Lisbon", headers={"Authorization": f"Bearer {key}"})

    assert "Lisbon" in str(event)
    assert (
        httpx.get(f"{url}/consent-status", headers={"Authorization": f"Bearer {key}"}).json()["state"] == "not_needed"
    )
