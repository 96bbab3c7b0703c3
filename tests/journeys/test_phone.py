"""What is seen of a connection's and an agent's pages on a phone, and of the list of tools on a small laptop."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_commands_tabs_and_texts_are_readable(site, person):
    project = f"{site.url}/projects/contoso-support"
    phone = person("ana", viewport={"width": 390, "height": 844})
    phone.goto(f"{project}/tools/ledger-agent/settings/")
    expect(phone.get_by_label("ledger-agent", exact=True).get_by_role("link", name="Settings")).to_be_in_viewport(
        ratio=1
    )
    command = phone.get_by_role("link", name="Disable").locator("span")
    assert command.bounding_box()["width"] > 20
    assert phone.evaluate("document.documentElement.scrollWidth <= window.innerWidth")

    phone.goto(f"{project}/agents/support-bot/publish/")
    phone.get_by_role("button", name="Make the identity now").click()
    assert phone.locator("#assign pre").evaluate("text => text.scrollWidth <= text.clientWidth")

    phone.set_viewport_size({"width": 1280, "height": 800})
    phone.goto(f"{project}/tools/")
    name = phone.get_by_role("link", name="payroll-agent", exact=True)
    assert name.evaluate("link => link.getClientRects().length") == 1
