"""What administrators do in more than one journey."""

import re

from playwright.sync_api import Page, expect


def open_tools(page: Page) -> None:
    page.get_by_role("link", name="contoso-support").first.click()
    go_to(page, "Tools")


def go_to(page: Page, name: str) -> None:
    """A page of the project by the navigation at its side."""
    page.get_by_role("navigation", name="Build").get_by_role("link", name=name, exact=True).click()


def begin_to_connect(page: Page, name: str, endpoint: str) -> None:
    """Up to the form, with the name and the endpoint filled in."""
    open_tools(page)
    page.get_by_role("link", name="Connect a tool").click()
    page.get_by_role("link", name="Custom").click()
    expect(page.get_by_label("Agent2Agent (A2A)")).to_be_checked()
    page.get_by_role("button", name="Create").click()
    page.get_by_label("Name", exact=False).first.fill(name)
    page.get_by_label("A2A Agent Endpoint").fill(endpoint)


def register_an_agent(page: Page, name: str) -> str:
    """Returns its key, as it is shown once; ends on the agent's page."""
    go_to(page, "Agents")
    page.get_by_role("link", name="Register an agent").first.click()
    page.get_by_label("Name", exact=False).first.fill(name)
    page.get_by_role("button", name=re.compile("Register")).click()
    page.get_by_role("link", name=re.compile("New key|Make a key")).first.click()
    page.get_by_label("Name", exact=False).first.fill("web")
    page.get_by_role("button", name=re.compile("Make|Create")).click()
    expect(page.get_by_text("Copy it now")).to_be_visible()
    key = re.search(r"ghk_[A-Za-z0-9]{12}_[A-Za-z0-9_-]{43}", page.content())[0]
    page.get_by_role("link", name="I have copied it").click()
    assert key not in page.content()
    return key


def open_connection(page: Page, connection: str) -> None:
    go_to(page, "Tools")
    page.get_by_role("link", name=connection).first.click()


def use_in_agent(page: Page, connection: str, agent: str) -> None:
    open_connection(page, connection)
    page.get_by_role("link", name="Use in an agent").first.click()
    page.get_by_label("Agent", exact=True).select_option(agent)
    page.get_by_role("button", name="Use in agent").click()
    expect(page.get_by_text(f"{agent} can now call {connection}.")).to_be_visible()
