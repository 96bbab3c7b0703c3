"""The faults and attacks that a provider can be told to commit are what their names say."""

import json
import time

import httpx
import pytest

from tests.fakes import misbehaviour as bad
from tests.fakes.authorization_server import REDIRECT_URI
from tests.fakes.hostile_provider import OWN_CODE
from tests.fakes.hostile_tokens import HOSTILE_TOKENS, ODD_TOKENS
from tests.fakes.signing_in import ask, pkce, query_of, sign_in, sign_in_with_browser, tokens_for
from tests.fakes.stock_client import TLS, send


@pytest.fixture
def http():
    with httpx.Client(verify=TLS, timeout=5) as client:
        yield client


@pytest.fixture
def grant(provider, http):
    """A provider, and a function that refreshes once; `.token` is what was got by consent."""

    class Grant:
        def __init__(self, **settings) -> None:
            self.fake = provider(**settings)
            self.client = self.fake.register()
            self.token = tokens_for(self.fake, self.client)

        def refresh(self) -> httpx.Response:
            held = self.token["refresh_token"]
            return ask(http, self.fake, self.client, grant_type="refresh_token", refresh_token=held)

        def has_rotated(self) -> bool:
            return self.fake.server.store.refresh_token(self.token["refresh_token"]).used_at is not None

    return Grant


@pytest.mark.parametrize("after_rotating", [False, True])
def test_a_dropped_connection_is_no_answer_and_the_token_may_have_rotated(grant, after_rotating):
    g = grant()
    g.fake.next(bad.drop(after_rotating=after_rotating))
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
        g.refresh()
    assert g.has_rotated() is after_rotating
    assert g.refresh().status_code == (400 if after_rotating else 200)


@pytest.mark.parametrize("after_rotating", [False, True])
def test_a_server_error_may_come_before_or_after_the_rotation(grant, after_rotating):
    g = grant(grace_seconds=30)
    g.fake.next(bad.fails(502, after_rotating=after_rotating), at="refresh")
    answer = g.refresh()
    assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html")
    assert g.has_rotated() is after_rotating
    assert g.refresh().status_code == 200  # the grace saves it


def test_a_slow_answer_comes_late(grant):
    g = grant()
    g.fake.next(bad.slow(0.2))
    began = time.monotonic()
    assert g.refresh().status_code == 200
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("after_rotating", [False, True])
def test_a_held_answer_waits_for_the_test(grant, after_rotating):
    import concurrent.futures

    g, held = grant(), bad.Held(after_rotating=after_rotating)
    g.fake.next(held)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(g.refresh)
        assert held.reached.wait(5)
        assert g.has_rotated() is after_rotating
        assert not answer.done()
        held.release()
        assert answer.result(5).status_code == 200


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        (bad.refuses("invalid_grant"), 400, {"error": "invalid_grant"}),
        (bad.refuses("invalid_client", 401), 401, {"error": "invalid_client"}),
        (bad.not_ok("invalid_refresh_token"), 200, {"ok": False, "error": "invalid_refresh_token"}),
    ],
)
def test_refusals_come_without_asking_the_honest_server(grant, fault, status, body):
    g = grant()
    g.fake.next(fault)
    answer = g.refresh()
    assert (answer.status_code, answer.json()) == (status, body)
    assert not g.has_rotated()
    assert g.refresh().status_code == 200


def test_an_error_may_come_as_200_and_429_with_its_pause(grant):
    g = grant()
    g.fake.next(bad.refuses_with_200("bad_refresh_token"), bad.too_many("9"), bad.too_many(""))
    assert (g.refresh().json()["error"], g.refresh().headers["retry-after"]) == ("bad_refresh_token", "9")
    assert "retry-after" not in g.refresh().headers


@pytest.mark.parametrize("name", [*HOSTILE_TOKENS, *ODD_TOKENS])
def test_every_hostile_or_odd_answer_is_a_200_that_differs_from_an_honest_one(grant, name):
    g = grant()
    g.fake.next({**HOSTILE_TOKENS, **ODD_TOKENS}[name])
    answer = g.refresh()
    assert answer.status_code == 200
    assert g.has_rotated()
    honest = {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert not _is_honest(answer, honest), answer.content[:200]


def _is_honest(answer: httpx.Response, members: set[str]) -> bool:
    try:
        token = json.loads(answer.content)
    except (ValueError, RecursionError):
        return False
    if not isinstance(token, dict) or set(token) != members:
        return False
    access = token["access_token"]
    plain = isinstance(access, str) and access.startswith("octo_at_") and len(access) < 100
    refresh_token = token["refresh_token"]
    plain = plain and isinstance(refresh_token, str) and refresh_token.startswith("octo_rt_")
    return (
        plain
        and (token["token_type"], token["scope"]) == ("Bearer", "reviews:read reviews:comment profile")
        and (type(token["expires_in"]) is int and token["expires_in"] == 300)
    )


def test_the_honest_answer_counts_as_honest(grant):
    assert _is_honest(grant().refresh(), {"access_token", "token_type", "expires_in", "refresh_token", "scope"})


def test_the_way_back_can_be_bent(provider, http):
    fake = provider()
    client = fake.register()

    def back():
        return query_of(sign_in(http, fake.authorize_url(client, state="s", **pkce()[1])))

    fake.next(
        bad.callback(iss=None),
        bad.callback(iss="https://evil.example"),
        bad.callback(code=None, error="server_error", error_description="<script>"),
        at="callback",
    )
    assert "iss" not in back()
    assert back()["iss"] == "https://evil.example"
    assert back()["error"] == "server_error"
    assert back()["iss"] == fake.at.issuer


def test_a_fault_at_one_endpoint_leaves_the_others_alone(grant, http):
    g = grant()
    g.fake.always(bad.fails(503, retry_after="1"), at="revoke")
    g.fake.next(bad.fails(500), at="code")
    basic = (g.client.client_id, g.client.client_secret)
    assert g.refresh().status_code == 200
    for _ in range(2):
        assert http.post(g.fake.at.revoke, data={"token": "x"}, auth=basic).status_code == 503
    g.fake.behave()
    assert http.post(g.fake.at.revoke, data={"token": "x"}, auth=basic).status_code == 200


def test_refreshes_may_have_an_address_of_their_own(grant, http):
    g = grant()
    form = {"grant_type": "refresh_token", "refresh_token": g.token["refresh_token"]}
    answer = http.post(g.fake.refresh_url, data=form, auth=(g.client.client_id, g.client.client_secret))
    assert (answer.status_code, len(g.fake.calls("refresh")), len(g.fake.refreshes())) == (200, 1, 1)


def test_a_resource_lets_in_only_living_tokens_and_says_whose(provider, resource_of):
    fake = provider()
    client = fake.register()
    agent = resource_of(fake, scope="reviews:read")
    for account in ("octo-ben", "octo-chloe"):
        token = tokens_for(fake, client, account)["access_token"]
        [event] = send(agent.url, ("JSONRPC", "1.0"), "whoami", headers={"authorization": f"Bearer {token}"})
        assert event.message.parts[0].text == f"{account} through {client.client_id}"
    assert set(agent.subjects()) == {"octo-ben", "octo-chloe"}
    narrow = tokens_for(fake, client, scope="profile")["access_token"]
    fake_call = {"url": agent.url, "json": {}}
    assert httpx.post(**fake_call).status_code == 401
    assert httpx.post(**fake_call, headers={"authorization": f"Bearer {narrow}"}).status_code == 403
    fake.expire_access_tokens()
    refused = httpx.post(**fake_call, headers={"authorization": f"Bearer {token}"})
    assert (refused.status_code, 'error="invalid_token"' in refused.headers["www-authenticate"]) == (401, True)
    assert agent.refusals == [401, 403, 401]


def test_a_client_that_trusts_the_state_alone_is_robbed_by_the_bounce(provider, evil_provider, http):
    """The attack works on a naive client; the portal's tests show that it does not work on us (T16)."""
    honest = provider()
    victim = honest.register(auth_method="none")
    evil = evil_provider(honest)
    verifier, challenge = pkce()
    ours = {"response_type": "code", "client_id": "at-evil", "redirect_uri": REDIRECT_URI, "state": "ours", **challenge}
    bounced = http.get(evil.bouncing(victim.client_id), params=ours)
    back = query_of(sign_in(http, bounced.headers["location"]))
    assert (back["state"], back["iss"]) == ("ours", honest.at.issuer)
    http.post(evil.token, data={"code": back["code"], "code_verifier": verifier})
    loot = evil.redeem(victim.client_id, REDIRECT_URI)
    assert honest.verify(loot.json()["access_token"])["username"] == "octo-ben"


def test_the_replayer_answers_every_flow_with_the_first_state(provider, evil_provider, http):
    evil = evil_provider(provider())
    states = []
    for state in ("first", "second"):
        answer = http.get(evil.replaying, params={"state": state, "redirect_uri": REDIRECT_URI})
        states.append(query_of(answer.headers["location"]))
    assert [(s["state"], s["code"]) for s in states] == [("first", OWN_CODE)] * 2


def test_hostile_metadata_names_the_honest_token_endpoint(provider, evil_provider, http):
    honest = provider()
    evil = evil_provider(honest)
    for url, issuer in ((evil.metadata, evil.issuer), (evil.impostor_metadata, honest.at.issuer)):
        document = http.get(url).json()
        assert (document["issuer"], document["token_endpoint"]) == (issuer, honest.at.token)


@pytest.mark.browser
def test_a_person_gets_through_the_pages_in_a_browser(provider):
    import shutil

    from playwright.sync_api import sync_playwright

    fake = provider()
    target = provider()  # anything that answers, so that the way back ends somewhere
    back = f"{target.at.metadata}"
    client = fake.register(back)
    switches = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=switches)
        page = browser.new_page()
        page.goto(fake.authorize_url(client, back, state="s", **pkce()[1]))
        sign_in_with_browser(page, "octo-chloe")
        assert query_of(page.url)["state"] == "s"
        page.goto(fake.authorize_url(client, back, state="t", **pkce()[1]))
        sign_in_with_browser(page, "octo-ben", deny=True)
        assert query_of(page.url)["error"] == "access_denied"
        browser.close()
