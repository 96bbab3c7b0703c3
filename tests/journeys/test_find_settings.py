"""An administrator connects the demo's reviews without looking anything up: the portal finds the settings itself."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.journeys.steps import begin_to_connect

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_settings_are_found_and_the_portal_registers_itself(site, person, scripts):
    ana = person("ana", java_script_enabled=scripts)
    provider = f"{site.endpoint_url}/provider"
    begin_to_connect(ana, "octo-found", f"{site.endpoint_url}/review")
    ana.get_by_label("OAuth identity passthrough").check()
    if not scripts:
        ana.get_by_role("button", name="Show fields").click()
    ana.get_by_role("button", name="Find settings").click()
    expect(ana.get_by_label("Token URL")).to_have_value(f"{provider}/token")
    expect(ana.get_by_label("Authorization URL")).to_have_value(f"{provider}/authorize")
    expect(ana.get_by_label("Issuer")).to_have_value(provider)
    source = f"from {site.endpoint_url}/.well-known/oauth-authorization-server/provider"
    expect(ana.get_by_label("What was found")).to_contain_text(source)
    ana.get_by_role("button", name="Connect", exact=True).click()

    expect(ana.get_by_text("Not finished")).to_be_visible()
    ana.get_by_role("button", name="Register this portal").click()
    expect(ana.get_by_text("This portal is registered at")).to_be_visible()
    expect(ana.get_by_text("Not finished")).to_have_count(0)
    expect(ana.get_by_label("Client ID")).to_have_value(re.compile("^octo_client_"))
    _fits(ana)


def _fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
