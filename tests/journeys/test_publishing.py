"""Publish an agent: what changes is said before, is so afterwards, and can be taken back.

The demo's hr-agent verifies the tokens by the portal's published keys, says as whom it was asked, and admits only
identities that have its role.
"""

import re
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from playwright.sync_api import Page, expect

from portal.audit.changes import FRESH_SECONDS
from tests.journeys.steps import go_to

pytestmark = pytest.mark.browser

SHARED = "contoso-support-AgentIdentity"
OWN = "contoso-support-support-bot-AgentIdentity"


def test_an_administrator_publishes_an_agent_and_takes_it_back(site, person):
    ana = person("ana")
    _open_the_agent(ana)
    expect(ana.get_by_text("Not published")).to_be_visible()
    shared_id = _principal_id_now(ana, SHARED)
    assert f"Asked by {SHARED}" in _answer_of_hr(site)

    ana.get_by_role("link", name="What publishing changes").click()
    expect(ana.get_by_role("heading", name="Publish support-bot?")).to_be_visible()
    ana.get_by_role("button", name="Make the identity now").click()
    question = _identity(ana)
    expect(question).to_contain_text("Roles do not move with it")
    expect(question).to_contain_text(shared_id)
    expect(question).not_to_contain_text("Not created yet")
    own_id = _ids_in(question)[1]
    expect(ana.get_by_text(f"Principal ID (object ID): {own_id}")).to_be_visible()
    ana.get_by_role("button", name="Publish").click()

    expect(ana.get_by_text(f"It acts as {OWN} from its next call on.")).to_be_visible()
    expect(ana.get_by_text("Published", exact=True)).to_be_visible()
    assert _principal_id_now(ana, OWN) == own_id
    assert "10 minutes" in _answer_of_hr(site)
    _the_list_says_so(ana, own_id)
    _assign_the_role(ana, site)
    assert f"Asked by {OWN}" in _answer_of_hr(site)
    ana.goto(f"{site.url}/projects/contoso-support/agents/")

    _open_the_agent(ana)
    ana.get_by_role("link", name="Take back publishing").click()
    expect(_then(ana)).to_contain_text(shared_id)
    ana.get_by_role("button", name="Take back").click()
    expect(ana.get_by_text(f"support-bot acts as {SHARED} again")).to_be_visible()
    assert _principal_id_now(ana, SHARED) == shared_id
    assert f"Asked by {SHARED}" in _answer_of_hr(site)
    assert _ids_in(_identity(ana)) == [shared_id, own_id]


def _answer_of_hr(site) -> str:
    """What support-bot is told by hr-agent, as a program with the demo's key gets it."""
    time.sleep(FRESH_SECONDS)
    url = next(one["gateway_url"] for one in site.facts["connections"] if one["name"] == "hr-agent")
    message = {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": "How many holidays has Ana left?"}]}
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {"message": message}}
    headers = {"Authorization": f"Bearer {site.facts['agents'][0]['key']}", "A2A-Version": "1.0"}
    with ThreadPoolExecutor(1) as elsewhere:
        return elsewhere.submit(httpx.post, url, json=body, headers=headers, timeout=20).result().text


def _assign_the_role(page: Page, site) -> None:
    """As the owner of the endpoint does, who has seen the new identity come and be refused."""
    page.goto(f"{site.endpoint_url}/hr/roles")
    row = page.get_by_role("row").filter(has_text=OWN)
    row.get_by_role("button", name="Assign role").click()
    expect(page.get_by_role("row").filter(has_text=OWN)).to_contain_text("HR.Read")


def _open_the_agent(page: Page) -> None:
    if page.get_by_role("navigation", name="Build").count() == 0:
        page.get_by_role("link", name="contoso-support").first.click()
    go_to(page, "Agents")
    page.get_by_role("link", name="support-bot").click()


def _identity(page: Page):
    return page.locator("#identity")


def _then(page: Page):
    return page.locator(".then")


def _ids_in(part) -> list[str]:
    return re.findall(r"Principal ID\s+([0-9a-f-]{36})", part.inner_text())


def _principal_id_now(page: Page, name: str) -> str:
    """The first of the two identities in the card is the present one."""
    now = _then(page).locator("> div").first
    expect(now).to_contain_text("Now")
    expect(now).to_contain_text(name)
    return _ids_in(now)[0]


def _the_list_says_so(page: Page, own_id: str) -> None:
    go_to(page, "Identities")
    row = page.get_by_role("row").filter(has_text=OWN)
    expect(row).to_contain_text("support-bot")
    expect(row).to_contain_text(own_id)
    expect(row).to_contain_text("Ready")
    shared = page.get_by_role("row").filter(has_text="Agent identity shared by the project")
    expect(shared).to_contain_text("No agent")
    row.get_by_role("link", name=OWN).click()
    expect(page.get_by_role("heading", name="What to assign")).to_be_visible()
