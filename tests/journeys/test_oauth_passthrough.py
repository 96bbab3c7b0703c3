"""OAuth identity passthrough, whole: two people consent in two browsers, and the agent acts as each of them."""

import re
from dataclasses import replace
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from a2a.client import A2AClientError
from playwright.sync_api import Page, expect

from portal.audit.changes import FRESH_SECONDS
from tests.fakes.signing_in import sign_in_with_browser
from tests.journeys.callers import Answer, Call, call, call_all
from tests.journeys.steps import begin_to_connect, register_an_agent, use_in_agent

pytestmark = pytest.mark.browser

PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
BEN, CHLOE = "ben.okafor@contoso.example", "chloe.martin@contoso.example"
SCOPES = {
    "reviews:read": "Read your pull requests and their reviews",
    "reviews:comment": "Comment on pull requests as you",
    "profile": "See your user name",
}


def test_two_people_consent_and_an_agent_acts_as_each_of_them(site, worker, person):
    ana = person("ana")
    _connect_reviews(ana, site)
    key = _register_release_bot(ana)
    for_ben = Call(f"{site.url}/a2a/contoso-support/octo-reviews", key, BEN)
    for_chloe = replace(for_ben, user=CHLOE)

    asked = call_all(for_ben.in_every_way())
    [link] = {answer.link for answer in asked}
    assert for_ben.consent_status()["consent_link"] == link

    chloe = person("chloe", at=link, **PHONE)
    _is_made_for_someone_else(chloe)
    ben = person("ben", at=link)
    _read_what_is_asked(ben, site)
    _answer_for_somebody_else(chloe, address=_go_to_the_provider(ben))
    assert not site.provider_record()["access_tokens"]
    assert for_ben.consent_status()["state"] == "consent_required"
    _agree(ben, "octo-ben")

    again = [one.in_task(answer.task) for one, answer in zip(for_ben.in_every_way(), asked, strict=True)]
    assert {_account(answer) for answer in call_all([*for_ben.in_every_way(), *again])} == {"octo-ben"}
    assert for_ben.consent_status() == {"state": "connected", "consent_link": None, "expires_at": None}

    own_link = call(for_chloe).link
    assert own_link != link
    _consent_on_a_phone(chloe, own_link)
    accounts = [_account(answer) for answer in call_all([for_ben, for_chloe] * 8)]
    assert accounts == ["octo-ben", "octo-chloe"] * 8
    assert _another_agent(ana, site, for_ben).link not in {link, own_link}

    _disconnect_and_connect_again(ben, site, for_ben)
    _the_administrator_revokes(ana, for_chloe)
    _say_that_nobody_asked(chloe, for_chloe)

    _let_the_access_token_expire(site)
    assert _account(call(for_ben)) == "octo-ben"
    assert len([token for token in site.provider_record()["refresh_tokens"].values() if token["used_at"]]) == 1
    _take_back_at_the_provider(ben, site)
    _let_the_access_token_expire(site)
    ben.goto(call(for_ben).link)
    expect(ben.get_by_text("The provider has ended the access.")).to_be_visible()


# Ana


def _connect_reviews(page: Page, site) -> None:
    begin_to_connect(page, "octo-reviews", f"{site.endpoint_url}/review")
    page.get_by_label("OAuth identity passthrough").check()
    _fill_in_what_is_known(page, f"{site.endpoint_url}/provider")
    page.get_by_role("button", name="Connect", exact=True).click()

    expect(page.get_by_text("Not finished")).to_be_visible()
    redirect_url = page.locator(".copy-field", has_text="Redirect URL").locator("code").inner_text()
    client = _registered_at_the_provider(site, redirect_url)
    page.get_by_label("Client ID").fill(client["client_id"])
    page.get_by_label("Client secret", exact=True).fill(client["client_secret"])
    page.get_by_role("button", name="Update").click()
    expect(page.get_by_role("heading", name="octo-reviews")).to_be_visible()
    expect(page.get_by_text("Not finished")).to_have_count(0)
    expect(page.get_by_text(redirect_url)).to_be_visible()
    assert client["client_secret"] not in page.content()


def _fill_in_what_is_known(page: Page, provider: str) -> None:
    page.get_by_label("Authorization URL").fill(f"{provider}/authorize")
    page.get_by_label("Token URL").fill(f"{provider}/token")
    page.get_by_label("Scopes", exact=False).first.fill(" ".join(SCOPES))
    words = "\n".join(f"{name} = {words}" for name, words in SCOPES.items())
    page.get_by_label("What people read when they are asked").fill(words)
    page.get_by_text("More settings").click()
    page.get_by_label("Issuer").fill(provider)
    page.get_by_label("Revocation URL").fill(f"{provider}/revoke")
    page.get_by_label("Userinfo URL").fill(f"{provider}/userinfo")


def _registered_at_the_provider(site, redirect_url: str) -> dict:
    wanted = {"redirect_uris": [redirect_url], "client_name": "Gatehouse", "scope": " ".join(SCOPES)}
    return httpx.post(f"{site.endpoint_url}/provider/register", json=wanted).raise_for_status().json()


def _register_release_bot(page: Page) -> str:
    """Returns its key. It was given the connection and may speak for everyone in the project."""
    key = register_an_agent(page, "release-bot")
    page.get_by_role("link", name="Allow", exact=True).click()
    page.get_by_label("Everyone in the project").check()
    page.get_by_role("button", name="Allow").click()
    expect(page.get_by_text("release-bot may speak for everyone in the project.")).to_be_visible()
    use_in_agent(page, "octo-reviews", "release-bot")
    return key


def _another_agent(page: Page, site, like: Call) -> Answer:
    """The demo's agent may speak for users too; what a person allowed release-bot is nothing to it."""
    use_in_agent(page, "octo-reviews", "support-bot")
    [agent] = site.facts["agents"]
    return call(replace(like, key=agent["key"]))


def _the_administrator_revokes(page: Page, for_chloe: Call) -> None:
    page.get_by_role("navigation", name="octo-reviews").get_by_role("link", name="Consents").click()
    # The first is what stands; what Ben ended before is listed below.
    expect(page.get_by_role("row").filter(has_text="Ben Okafor").first).to_contain_text("octo-ben")
    row = page.get_by_role("row").filter(has_text="Chloe Martin")
    expect(row).to_contain_text("octo-chloe")
    row.get_by_role("link", name="Revoke").click()
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_text("The consent of Chloe Martin for release-bot is revoked.")).to_be_visible()
    page.wait_for_timeout(FRESH_SECONDS * 1000)
    assert call(for_chloe).link


# At the link


def _is_made_for_someone_else(page: Page) -> None:
    expect(page.get_by_role("heading", name="This link was made for someone else")).to_be_visible()
    for name in ("Ben", "release-bot", "Continue"):
        expect(page.get_by_role("main").get_by_text(name)).to_have_count(0)


def _read_what_is_asked(page: Page, site) -> None:
    provider = urlsplit(site.endpoint_url).netloc
    expect(page.get_by_role("heading", name=f"Allow release-bot to use your account at {provider}?")).to_be_visible()
    for words in ("Ben Okafor", BEN, "Registered by Ana Ruiz", provider, *SCOPES.values()):
        expect(page.get_by_role("main").get_by_text(words).first).to_be_visible()


def _go_to_the_provider(page: Page) -> str:
    """Returns the provider's address as the browser was led there, with the state in it."""
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/provider/authorize?*")
    return page.url


def _answer_for_somebody_else(page: Page, address: str) -> None:
    """Whoever was sent the provider's address, and signs in there with their own account."""
    page.goto(address)
    sign_in_with_browser(page, "octo-chloe")
    _is_made_for_someone_else(page)


def _agree(page: Page, account: str, *, signed_in: bool = False) -> None:
    if signed_in:
        page.get_by_role("button", name="Authorize").click()
    else:
        sign_in_with_browser(page, account)
    expect(page.get_by_role("heading", name=f"You connected {account}")).to_be_visible()
    assert "code=" not in page.url


def _consent_on_a_phone(page: Page, link: str) -> None:
    page.goto(link)
    screen = PHONE["viewport"]
    assert page.evaluate("document.documentElement.scrollWidth") == screen["width"]
    choice = page.get_by_role("button", name="Continue")
    at = choice.bounding_box()
    assert at["height"] >= 40 and at["y"] + at["height"] <= screen["height"], "Continue is not on the first screen"
    for name in ("Decline", "I did not ask for this"):
        expect(page.get_by_role("button", name=name)).to_be_visible()
    choice.tap()
    _agree(page, "octo-chloe", signed_in=True)
    expect(page.get_by_text("You can go back to your conversation.")).to_be_visible()


def _account(answer: Answer) -> str:
    """Whom the endpoint took the caller for."""
    return re.search(r"As ([\w-]+): \d pull requests", answer.text)[1]


# My consents


def _disconnect_and_connect_again(page: Page, site, for_ben: Call) -> None:
    page.get_by_role("link", name="My consents").click()
    row = page.get_by_role("listitem").filter(has_text="release-bot")
    for words in ("through octo-reviews", "octo-ben", "Used", "Renews itself", *SCOPES.values()):
        expect(row).to_contain_text(words)
    used = page.get_by_role("row").filter(has_text="release-bot").first
    expect(used).to_contain_text("SendMessage")
    expect(used).to_contain_text("Succeeded")
    expect(page.get_by_text("GetAgentCard")).to_have_count(0)

    row.get_by_role("link", name="Disconnect").click()
    expect(page.get_by_text("release-bot loses access at its next call through octo-reviews.")).to_be_visible()
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_text("is told to cancel the access")).to_be_visible()
    _wait_for_the_worker(page)
    assert not [one for one in site.provider_record()["approvals"] if _lives_for(one, "octo-ben")]
    assert call(for_ben).link

    page.get_by_role("button", name="Connect release-bot to octo-reviews").click()
    expect(page.get_by_text("You started this from My consents.")).to_be_visible()
    _go_to_the_provider(page)
    _agree(page, "octo-ben", signed_in=True)
    assert _account(call(for_ben)) == "octo-ben"


def _wait_for_the_worker(page: Page) -> None:
    waiting = page.get_by_text("Being told")
    for _ in range(40):
        if not waiting.count():
            break
        page.wait_for_timeout(1000)
        page.reload()
    expect(waiting).to_have_count(0)
    expect(page.get_by_text("confirmed that it is cancelled").first).to_be_visible()


def _lives_for(approval: dict, account: str) -> bool:
    return approval["account"] == account and not approval["revoked"]


def _say_that_nobody_asked(page: Page, for_chloe: Call) -> None:
    page.goto(call(for_chloe).link)
    page.get_by_role("button", name="I did not ask for this").tap()
    expect(page.get_by_role("heading", name="Thank you. release-bot is blocked for you")).to_be_visible()
    with pytest.raises(A2AClientError, match="blocked"):
        call(for_chloe)
    page.get_by_role("link", name="My consents").tap()
    page.get_by_role("button", name="Unblock release-bot").tap()
    expect(page.get_by_text("release-bot is no longer blocked.")).to_be_visible()
    assert call(for_chloe).link


# Tokens that end


def _let_the_access_token_expire(site) -> None:
    """Five minutes pass. The provider can't be told to shorten them for one token."""
    with psycopg.connect(site.environment["DATABASE_URL"]) as database:
        database.execute("UPDATE consent_grant SET expires_at = now() - interval '1 second' WHERE state = 'active'")


def _take_back_at_the_provider(page: Page, site) -> None:
    page.goto(f"{site.endpoint_url}/provider/account")
    page.get_by_role("button", name="Revoke").first.click()
    expect(page.get_by_text("None.")).to_be_visible()
