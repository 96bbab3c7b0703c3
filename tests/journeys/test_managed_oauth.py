"""An owner registers a publisher's app once, and connects a tool with it without entering anything of the app."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.steps import begin_to_connect

pytestmark = pytest.mark.browser
SECRET = "canary-app-secret-7b20"


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_an_app_is_registered_once_and_chosen_on_the_form(site, person, scripts):
    ana = person("ana", java_script_enabled=scripts)
    _register_app(ana, site)
    begin_to_connect(ana, "octo-managed", f"{site.endpoint_url}/review")
    ana.get_by_label("OAuth identity passthrough").check()
    _show(ana, "Show fields", scripts)
    expect(ana.get_by_label("Managed OAuth")).to_be_checked()
    expect(ana.get_by_text(f"Allowed for {site.endpoint_url}")).to_be_visible()
    ana.get_by_label("GitHub").check()
    _show(ana, "Show scopes", scripts)
    expect(ana.get_by_label("See your profile")).to_be_checked()
    ana.get_by_label("Read and write your repositories").check()
    _look_around(ana, scripts)
    _keep_picture(ana, f"managed-{scripts}")
    ana.get_by_role("button", name="Connect", exact=True).click()

    expect(ana.get_by_text("Managed OAuth · GitHub, registered by Ana Ruiz")).to_be_visible()
    expect(ana.get_by_text("read:user repo", exact=True)).to_be_visible()
    assert SECRET not in ana.content()
    _fits(ana)


def _register_app(page: Page, site) -> None:
    page.goto(f"{site.url}/portal/publishers/")
    expect(page.get_by_text("No app is registered")).to_be_visible()
    page.get_by_role("link", name="Register an app").click()
    page.get_by_role("link", name="Register an app of GitHub", exact=True).click()
    expect(page.get_by_text(f"{site.url}/consent/callback/p/github")).to_be_visible()
    page.get_by_label("Client ID").fill("Iv23liQ8mVt0RkZx41bd")
    page.get_by_label("Client secret").fill(SECRET)
    page.get_by_label("Destination origins").fill("not an origin")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_label("Client ID")).to_have_value("Iv23liQ8mVt0RkZx41bd")
    expect(page.get_by_label("Client secret")).to_have_value("")
    page.get_by_label("Client secret").fill(SECRET)
    page.get_by_label("Destination origins").fill(site.endpoint_url)
    _keep_picture(page, "app")
    page.get_by_role("button", name="Register").click()
    expect(page.get_by_text("The app of GitHub is registered.")).to_be_visible()
    _keep_picture(page, "apps")
    _fits(page)
    page.goto(site.url)


def _look_around(page: Page, scripts: bool) -> None:
    """The other option and back: nothing that was chosen is lost."""
    page.get_by_label("Custom OAuth").check()
    _show(page, "Show fields", scripts)
    page.get_by_label("Token URL").fill("https://login.contoso.example/token")
    page.get_by_label("Managed OAuth").check()
    _show(page, "Show fields", scripts)
    expect(page.get_by_label("GitHub")).to_be_checked()
    expect(page.get_by_label("Read and write your repositories")).to_be_checked()


def _show(page: Page, button: str, scripts: bool) -> None:
    if not scripts:
        page.locator(".show-fields").get_by_role("button", name=button).locator("visible=true").last.click()


def _keep_picture(page: Page, name: str) -> None:
    if folder := os.environ.get("GATEHOUSE_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def _fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
