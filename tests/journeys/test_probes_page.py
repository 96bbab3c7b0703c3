"""The Probes tab in a real browser: on a phone, in the dark, without JavaScript."""

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from connections.models import Connection, Probe

pytestmark = pytest.mark.browser
PHONE = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark", "java_script_enabled": False}


@pytest.fixture
def month(site) -> None:
    """Probes of a month, written before the browser's event loop runs in this thread."""
    ledger, now = Connection.objects.get(name="ledger-agent"), timezone.now()
    for hours in range(1, 700, 5):
        found = {"state": "failing", "reason": "timeout"} if 100 < hours < 120 else {"state": "healthy", "took_ms": 180}
        Probe.objects.create(connection=ledger, at=now - timedelta(hours=hours), count=12, **found)


def test_a_month_of_probes_fits_a_phone_and_needs_no_script(site, month, person):
    page = person("ana", **PHONE)
    page.goto(f"{site.url}/projects/{site.facts['project']}/tools/ledger-agent/probes/")

    bars = page.get_by_role("img", name="of the probes were healthy")
    expect(bars).to_be_visible()
    assert bars.locator('rect[data-series="failed"]').count() >= 4  # each with its mark below
    expect(page.get_by_role("img", name="Answer time between")).to_be_visible()
    page.get_by_text("Show as table").click()
    expect(page.get_by_role("row").filter(has_text="Failing").first).to_be_visible()
    expect(page.get_by_role("cell", name="The server did not answer in time").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    page.get_by_role("link", name="Settings").click()
    page.get_by_label("Probes").select_option("Every 15 minutes")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The settings of ledger-agent are saved.")).to_be_visible()
    expect(page.get_by_label("Probes")).to_have_value("15")
