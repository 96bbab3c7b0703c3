"""The authorization server that consent is tried against keeps its promises, driven by plain httpx."""

import concurrent.futures
import re
import threading
import time

import httpx
import pytest

from tests.fakes.authorization_server import REDIRECT_URI, FakeProvider
from tests.fakes.signing_in import ask, error_of, pkce, query_of, refresh, sign_in, tokens_for
from tests.fakes.stock_client import TLS

EVERYTHING = "reviews:read reviews:comment profile"


@pytest.fixture
def http():
    with httpx.Client(verify=TLS) as client:
        yield client


def code_from(http, fake, client, **parameters):
    """A code, and the verifier that goes with it."""
    verifier, challenge = pkce()
    back = query_of(sign_in(http, fake.authorize_url(client, **{**challenge, **parameters})))
    return back["code"], verifier


def exchange(http, fake, client, code, verifier, **form):
    given = {"redirect_uri": REDIRECT_URI, "code": code, "code_verifier": verifier, **form}
    return ask(http, fake, client, grant_type="authorization_code", **given)


def test_a_whole_life_from_signing_in_to_revoking(provider, http):
    fake = provider()
    client = fake.register(name="Gatehouse")
    verifier, challenge = pkce()
    back = sign_in(http, fake.authorize_url(client, state="a state", scope="reviews:read", **challenge), "octo-chloe")
    assert back.startswith(REDIRECT_URI + "?")
    parameters = query_of(back)
    assert (parameters["state"], parameters["iss"]) == ("a state", fake.at.issuer)
    first = exchange(http, fake, client, parameters["code"], verifier)
    assert first.headers["cache-control"] == "no-store"
    token = first.json()
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("Bearer", 300, "reviews:read")
    claims = fake.verify(token["access_token"])
    assert (claims["username"], claims["client_id"]) == ("octo-chloe", client.client_id)

    newer = refresh(http, fake, client, token["refresh_token"]).json()
    assert newer["refresh_token"] != token["refresh_token"]
    assert fake.verify(newer["access_token"])["scope"] == "reviews:read"

    basic = (client.client_id, client.client_secret)
    assert http.post(fake.at.revoke, data={"token": newer["refresh_token"]}, auth=basic).status_code == 200
    assert http.post(fake.at.revoke, data={"token": "unknown"}, auth=basic).status_code == 200  # RFC 7009 section 2.2
    assert fake.verify(token["access_token"]) is fake.verify(newer["access_token"]) is None
    assert error_of(refresh(http, fake, client, newer["refresh_token"])) == (400, "invalid_grant")
    assert [call.endpoint for call in fake.calls()][-5:] == ["token", "token", "revoke", "revoke", "token"]


def test_only_an_access_token_dies_when_only_it_is_revoked(provider, http):
    fake = provider()
    client = fake.register()
    token = tokens_for(fake, client)
    form = {"token": token["access_token"], "token_type_hint": "refresh_token"}
    http.post(fake.at.revoke, data=form, auth=(client.client_id, client.client_secret))
    assert fake.verify(token["access_token"]) is None
    assert refresh(http, fake, client, token["refresh_token"]).status_code == 200


@pytest.mark.parametrize(
    "parameters",
    [{}, {"code_challenge": "a" * 43}, {"code_challenge": "a" * 43, "code_challenge_method": "plain"}],
)
@pytest.mark.parametrize("auth_method", ["client_secret_basic", "none"])
def test_without_s256_nobody_gets_a_code(provider, http, parameters, auth_method):
    fake = provider()
    client = fake.register(auth_method=auth_method)
    back = query_of(sign_in(http, fake.authorize_url(client, state="s", **parameters)))
    assert (back["error"], back["state"], back["iss"]) == ("invalid_request", "s", fake.at.issuer)


def test_a_code_needs_its_verifier_its_redirect_uri_and_its_client(provider, http):
    fake = provider()
    client, other = fake.register(), fake.register()
    code, verifier = code_from(http, fake, client)
    assert error_of(exchange(http, fake, client, code, pkce()[0])) == (400, "invalid_grant")
    assert error_of(exchange(http, fake, client, code, "")) == (400, "invalid_request")
    assert error_of(exchange(http, fake, client, code, verifier, redirect_uri="http://x/")) == (400, "invalid_grant")
    assert error_of(exchange(http, fake, other, code, verifier)) == (400, "invalid_grant")
    assert exchange(http, fake, client, code, verifier).status_code == 200


def test_a_code_used_twice_ends_what_came_of_it(provider, http):
    fake = provider()
    client = fake.register()
    code, verifier = code_from(http, fake, client)
    token = exchange(http, fake, client, code, verifier).json()
    assert error_of(exchange(http, fake, client, code, verifier)) == (400, "invalid_grant")
    assert fake.verify(token["access_token"]) is None
    assert error_of(refresh(http, fake, client, token["refresh_token"])) == (400, "invalid_grant")


def test_a_refresh_token_used_again_kills_the_whole_family(provider, http):
    fake = provider()
    client = fake.register()
    first, bystander = tokens_for(fake, client), tokens_for(fake, client, "octo-chloe")
    second = refresh(http, fake, client, first["refresh_token"]).json()
    third = refresh(http, fake, client, second["refresh_token"]).json()
    assert error_of(refresh(http, fake, client, first["refresh_token"])) == (400, "invalid_grant")
    assert [fake.verify(t["access_token"]) for t in (first, second, third)] == [None] * 3
    assert error_of(refresh(http, fake, client, third["refresh_token"])) == (400, "invalid_grant")
    assert fake.verify(bystander["access_token"])
    assert (fake.times_presented(first["refresh_token"]), fake.reused()) == (2, {first["refresh_token"]})


def two_at_once(fake, client, refresh_token) -> list[httpx.Response]:
    together = threading.Barrier(2)

    def run(_):
        with httpx.Client(verify=TLS) as http:
            together.wait()
            return refresh(http, fake, client, refresh_token)

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(run, range(2)))


def test_of_two_refreshes_at_once_one_wins_and_the_family_dies(provider, http):
    fake = provider(grace_seconds=0)
    client = fake.register()
    answers = two_at_once(fake, client, tokens_for(fake, client)["refresh_token"])
    assert sorted(answer.status_code for answer in answers) == [200, 400]
    [won] = [answer.json() for answer in answers if answer.status_code == 200]
    assert fake.verify(won["access_token"]) is None
    assert error_of(refresh(http, fake, client, won["refresh_token"])) == (400, "invalid_grant")


def test_in_the_grace_both_refreshes_are_served(provider, http):
    fake = provider(grace_seconds=1)
    client = fake.register()
    old = tokens_for(fake, client)["refresh_token"]
    answers = [answer.json() for answer in two_at_once(fake, client, old)]
    assert all(fake.verify(answer["access_token"]) for answer in answers)
    time.sleep(1)
    assert error_of(refresh(http, fake, client, old)) == (400, "invalid_grant")
    assert not any(fake.verify(answer["access_token"]) for answer in answers)


def test_where_nothing_rotates_the_refresh_token_stays(provider, http):
    fake = provider(rotates=False)
    client = fake.register()
    token = tokens_for(fake, client)
    for _ in range(2):
        assert "refresh_token" not in refresh(http, fake, client, token["refresh_token"]).json()


def test_tokens_die_of_age(provider, http):
    fake = provider(access_seconds=0.5, refresh_seconds=1)
    client = fake.register()
    token = tokens_for(fake, client)
    assert fake.verify(token["access_token"])
    time.sleep(0.5)
    assert fake.verify(token["access_token"]) is None
    time.sleep(0.5)
    assert error_of(refresh(http, fake, client, token["refresh_token"])) == (400, "invalid_grant")


def test_scopes_are_narrowed_by_the_person_and_by_the_client_but_never_widened(provider, http):
    fake = provider()
    client = fake.register()
    verifier, challenge = pkce()
    url = fake.authorize_url(client, scope=EVERYTHING, **challenge)
    back = query_of(sign_in(http, url, scopes={"reviews:read", "profile"}))
    token = exchange(http, fake, client, back["code"], verifier).json()
    assert token["scope"] == "reviews:read profile"
    narrowed = refresh(http, fake, client, token["refresh_token"], scope="profile").json()
    assert (narrowed["scope"], fake.verify(narrowed["access_token"])["scope"]) == ("profile", "profile")
    whole = refresh(http, fake, client, narrowed["refresh_token"]).json()
    assert whole["scope"] == "reviews:read profile"
    wider = refresh(http, fake, client, whole["refresh_token"], scope=EVERYTHING)
    assert error_of(wider) == (400, "invalid_scope")


def test_a_scope_that_is_not_the_clients_is_refused_on_the_way_back(provider, http):
    fake = provider()
    client = fake.register(scope="reviews:read")
    for scope in ("reviews:comment", "admin"):
        back = query_of(sign_in(http, fake.authorize_url(client, scope=scope, **pkce()[1])))
        assert (back["error"], back["iss"]) == ("invalid_scope", fake.at.issuer)


def test_a_refresh_token_may_need_a_scope_of_its_own(provider):
    fake = provider(refresh_needs="profile")
    client = fake.register()
    assert "refresh_token" not in tokens_for(fake, client, scope="reviews:read")
    assert "refresh_token" in tokens_for(fake, client, scope="reviews:read profile")


def test_denying_is_told_to_the_client(provider, http):
    fake = provider()
    url = fake.authorize_url(fake.register(), state="s", **pkce()[1])
    back = query_of(sign_in(http, url, deny=True))
    assert (back["error"], back["state"], back["iss"]) == ("access_denied", "s", fake.at.issuer)
    assert "code" not in back


@pytest.mark.parametrize(
    "changed",
    [{"client_id": "unknown"}, {"redirect_uri": REDIRECT_URI + "/x"}, {"redirect_uri": 'http://e"vil/'}],
)
def test_an_unknown_client_or_redirect_uri_gets_a_page_and_no_redirect(provider, http, changed):
    fake = provider()
    url = httpx.URL(fake.authorize_url(fake.register(), **pkce()[1]))
    answer = http.get(url.copy_merge_params(changed))
    assert (answer.status_code, "location" in answer.headers) == (400, False)
    assert "<script" not in answer.text


def test_the_browser_is_remembered_and_another_account_can_be_chosen(provider, http):
    fake = provider(asks_again=False)
    client = fake.register()
    _, challenge = pkce()
    url = fake.authorize_url(client, **challenge)
    sign_in(http, url, "octo-ben")
    assert http.get(url).headers["location"].startswith(REDIRECT_URI)  # at once, without a page
    fake.revoke_everything()
    page = http.get(url)
    assert "<strong>octo-ben</strong>" in page.text
    code = query_of(sign_in(http, url, "octo-chloe"))["code"]
    assert code
    assert [fake.server.store.approvals[a].account for a in fake.living_approvals()] == ["octo-chloe"]


def test_people_see_what_they_approved_and_end_it_there(provider, http):
    fake = provider()
    client = fake.register(name="Gatehouse")
    other = tokens_for(fake, client, "octo-chloe")
    code, verifier = code_from(http, fake, client)
    token = exchange(http, fake, client, code, verifier).json()
    page = http.get(f"{fake.at.issuer}/account")
    assert "Gatehouse" in page.text and "octo-ben" in page.text and "octo-chloe" not in page.text

    [approval] = re.findall(r'name="approval" value="([^"]+)"', page.text)
    with httpx.Client(verify=TLS) as stranger:
        stranger.post(f"{fake.at.issuer}/account", data={"approval": approval})
        assert "Nobody is signed in" in stranger.get(f"{fake.at.issuer}/account").text
    assert fake.verify(token["access_token"])
    http.post(f"{fake.at.issuer}/account", data={"approval": approval})

    assert fake.verify(token["access_token"]) is None
    assert error_of(refresh(http, fake, client, token["refresh_token"])) == (400, "invalid_grant")
    assert fake.verify(other["access_token"])


def test_an_approval_posted_from_another_site_is_refused(provider, http):
    fake = provider()
    url = fake.authorize_url(fake.register(), **pkce()[1])
    assert http.post(url, data={"account": "octo-ben"}, headers={"origin": "http://evil"}).status_code == 400


def test_a_public_client_lives_by_pkce_alone(provider, http):
    fake = provider()
    client = fake.register(auth_method="none")
    token = tokens_for(fake, client)
    assert refresh(http, fake, client, token["refresh_token"]).status_code == 200


def test_pkce_can_be_optional_or_unknown(provider, http):
    lax, old = provider(pkce="optional"), provider(pkce="unsupported")
    client = lax.register()
    code = query_of(sign_in(http, lax.authorize_url(client)))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": REDIRECT_URI}
    assert ask(http, lax, client, **form).status_code == 200
    back = query_of(sign_in(http, old.authorize_url(old.register(), **pkce()[1])))
    assert back["error"] == "invalid_request"
    assert "code" in query_of(sign_in(http, old.authorize_url(old.register())))


def test_a_token_is_for_the_resource_that_was_approved(provider, http):
    fake = provider()
    client = fake.register()
    token = tokens_for(fake, client, resource="https://agent.example/a2a")
    assert fake.verify(token["access_token"])["aud"] == "https://agent.example/a2a"
    other = refresh(http, fake, client, token["refresh_token"], resource="https://evil.example/")
    assert error_of(other) == (400, "invalid_target")
    same = refresh(http, fake, client, token["refresh_token"], resource="https://agent.example/a2a")
    assert same.status_code == 200


def test_what_is_kept_in_a_file_outlives_a_restart_and_holds_no_token(tmp_path):
    from demo.authorization_server import Provider
    from demo.provider.settings import Settings
    from tests.fakes.server import listening_socket, serve, url_of

    file, sock = tmp_path / "provider.json", listening_socket()
    first = Provider(url_of(sock), Settings(), file)
    with serve(first.application(), at=sock, lifespan="off"):
        fake = FakeProvider(first)
        client = fake.register()
        token = tokens_for(fake, client)
    kept = file.read_text()
    assert not any(secret in kept for secret in (token["access_token"], token["refresh_token"], client.client_secret))
    assert file.stat().st_mode & 0o777 == 0o600

    sock = listening_socket()
    second = Provider(url_of(sock), Settings(), file)
    with serve(second.application(), at=sock, lifespan="off"), httpx.Client(verify=TLS) as http:
        assert second.verify(token["access_token"])["username"] == "octo-ben"
        assert refresh(http, FakeProvider(second), client, token["refresh_token"]).status_code == 200
        assert refresh(http, FakeProvider(second), client, token["refresh_token"]).status_code == 400
        assert second.verify(token["access_token"]) is None


def test_no_token_or_secret_is_logged(provider, http, caplog):
    caplog.set_level("DEBUG")
    fake = provider()
    client = fake.register()
    token = tokens_for(fake, client)
    newer = refresh(http, fake, client, token["refresh_token"]).json()
    secrets = {client.client_secret, *(t[name] for t in (token, newer) for name in ("access_token", "refresh_token"))}
    assert not any(secret in caplog.text for secret in secrets)
