"""Whatever a card, an endpoint or a server says: no foreign address is filled in unseen, and nobody is asked for long.

T16 (mix-up), T19 (hostile addresses), T24 and T25 (addresses inside, redirects), T27 (texts).
"""

import json
import time

import pytest
from starlette.responses import RedirectResponse

from consent.discovery import addresses, asking, looking
from consent.discovery.challenge import read
from portal.outbound.session import Answer
from tests.connections.pages import page, text_of, words_of
from tests.consent import making
from tests.consent.discovery.finding import found, press, said, typed, values
from tests.consent.test_oauth_form import edit
from tests.fakes import hostile_tcp
from tests.fakes.well_known import CARD, OAUTH, OPENID, PROTECTED

pytestmark = pytest.mark.django_db
SCRIPT = "<script>window.__xss=1</script>"
HOSTILE = [
    "javascript:alert(1)",
    "data:text/html,x",
    "//evil.example/token",
    "https:\\\\evil.example",
    "https://user:pass@evil.example/token",
    "https://evil.example/token#x",
    "https://evil.example/\n/token",
    "https://10.0.0.1/token",
    "https://169.254.169.254/token",
    "https://[::ffff:169.254.169.254]/token",
    "https://2130706433/x",
    "file:///etc/passwd",
    f"https://evil.example/{'a' * 3000}",
    ["https://evil.example"],
    {"a": 1},
    7,
]


@pytest.fixture
def anas(browse, ana):
    return browse(ana)


def card_with(**flow) -> dict:
    usual = {"authorizationUrl": "https://login.example.com/a", "tokenUrl": "https://login.example.com/t", "scopes": {}}
    return {"x": {"type": "oauth2", "flows": {"authorizationCode": usual | flow}}}


class TestAddresses:
    @pytest.mark.parametrize("url", HOSTILE, ids=lambda url: str(url)[:40])
    @pytest.mark.parametrize("member", ["authorizationUrl", "tokenUrl", "refreshUrl"])
    def test_no_hostile_address_of_a_card_reaches_the_form(self, anas, project, documents, member, url):
        documents.card(card_with(**{member: url}))
        answer = press(anas, project, documents.endpoint)
        field = {"authorizationUrl": "authorization_url", "tokenUrl": "token_url", "refreshUrl": "refresh_url"}[member]
        assert field not in values(answer)
        assert "that the agent card names can't be used and was left out." in text_of(answer)

    @pytest.mark.parametrize("url", HOSTILE, ids=lambda url: str(url)[:40])
    def test_no_hostile_address_of_metadata_reaches_the_form(self, anas, project, documents, url):
        names = ("authorization_endpoint", "token_endpoint", "revocation_endpoint", "userinfo_endpoint")
        documents.pages[OAUTH] = documents.metadata(**dict.fromkeys([*names, "registration_endpoint"], url))
        answer = press(anas, project, documents.endpoint)
        assert not {"authorization_url", "token_url", "revocation_url", "userinfo_url"} & set(values(answer))
        assert found(answer).way.registration_url == ""

    def test_an_authorization_url_can_not_bring_parameters_of_the_flow(self, anas, project, documents):
        documents.card(card_with(authorizationUrl="https://login.example.com/a?REDIRECT_URI=https://evil.example"))
        assert "authorization_url" not in values(press(anas, project, documents.endpoint))

    @pytest.mark.parametrize("url", HOSTILE, ids=lambda url: str(url)[:40])
    def test_no_hostile_address_of_metadata_is_asked(self, anas, project, documents, url):
        documents.card({"x": {"type": "openIdConnect", "openIdConnectUrl": url}})
        documents.challenge(
            f'resource_metadata="{url if isinstance(url, str) and len(url) < 99 else "x:"}"'.replace("\n", "")
        )
        documents.pages[PROTECTED] = {"resource": documents.origin, "authorization_servers": [url]}
        answer = press(anas, project, documents.endpoint)
        assert {"token_url", "issuer"}.isdisjoint(values(answer))

    @pytest.mark.parametrize("url", ["http://evil.example/token", "https://evil.example:22/token"])
    def test_where_no_network_is_allowed_only_https_at_its_own_port_is_used(self, settings, url):
        settings.ALLOWED_OUTBOUND_NETWORKS = []
        assert addresses.usable(url) == "" and addresses.usable("https://evil.example/token")

    @pytest.mark.parametrize("url", ["http://evil.example/token", "https://evil.example:22/token"])
    def test_where_one_is_allowed_saving_asks_whether_the_name_leads_there(self, anas, project, documents, url):
        documents.card(card_with(tokenUrl=url))
        press(anas, project, documents.endpoint)
        sent = typed(documents.endpoint, authorization_url="https://login.example.com/a", token_url=url)
        assert anas.post(page("connection-new-a2a", project), sent).status_code == 422

    def test_letters_that_look_like_ours_are_shown_as_they_are_sent(self, anas, project, documents):
        documents.card(card_with(authorizationUrl="https://аpple.example/a"))
        assert "People would sign in at xn--pple-43d.example" in words_of(press(anas, project, documents.endpoint))


class TestMixUp:
    def test_metadata_with_another_issuer_is_not_used(self, anas, project, documents, provider):
        """At the attacker's address, with the honest provider's issuer and addresses."""
        honest = provider()
        documents.pages[OAUTH] = documents.metadata(issuer=honest.at.issuer, authorization_endpoint=honest.at.authorize)
        answer = press(anas, project, documents.endpoint)
        assert {"issuer", "token_url", "authorization_url"}.isdisjoint(values(answer))
        assert f"names another issuer ({honest.at.issuer}) than the one asked for" in said(answer)

    @pytest.mark.parametrize("change", ["{}/", "{}:443", "{}/tenant", "http://LOCALHOST"])
    def test_the_issuer_is_compared_letter_by_letter(self, anas, project, documents, change):
        documents.pages[OAUTH] = documents.metadata(issuer=change.format(documents.origin))
        assert "issuer" not in values(press(anas, project, documents.endpoint))

    def test_an_attackers_own_metadata_with_a_foreign_token_url_shows_both_hosts(
        self, anas, project, evil_provider, provider
    ):
        evil = evil_provider(provider())
        answer = press(anas, project, f"{evil.issuer}/agent")
        evil_host, honest_host = evil.issuer.removeprefix("http://"), evil.honest.at.origin.removeprefix("http://")
        shown = words_of(answer)
        assert f"People would sign in at {evil_host} . Their tokens would come from {honest_host}" in shown

    def test_the_metadata_behind_a_cards_token_url_counts_only_if_it_names_the_same(
        self, anas, project, documents, provider
    ):
        """A card with its own sign-in page and an honest token URL does not get the honest server's issuer."""
        honest = provider()
        documents.card(card_with(authorizationUrl=f"{documents.origin}/phish", tokenUrl=honest.at.token))
        answer = press(anas, project, documents.endpoint)
        assert values(answer)["token_url"] == honest.at.token
        assert {"issuer", "revocation_url", "userinfo_url"}.isdisjoint(values(answer))

    def test_resource_metadata_of_a_stranger_can_not_speak_for_the_endpoint(
        self, anas, project, documents, other_documents
    ):
        url = f"{other_documents.origin}{PROTECTED}"
        other_documents.pages[PROTECTED] = {
            "resource": other_documents.origin,
            "authorization_servers": [other_documents.origin],
        }
        other_documents.pages[OAUTH] = other_documents.metadata()
        documents.challenge(f'resource_metadata="{url}"')
        assert "issuer" not in values(press(anas, project, documents.endpoint))

    def test_a_server_elsewhere_is_named_before_anything_is_saved(self, anas, project, documents):
        documents.card(card_with())
        shown = words_of(press(anas, project, documents.endpoint))
        assert "Not the endpoint's own host: login.example.com . Go on only if you know it." in shown


class TestHardToRead:
    def test_redirects_are_not_followed(self, anas, project, documents, other_documents):
        for path in (PROTECTED, f"{PROTECTED}/agent", OAUTH, OPENID):
            documents.pages[path] = RedirectResponse(f"{other_documents.origin}{path}", 302)
        other_documents.pages[PROTECTED] = {"resource": documents.origin, "authorization_servers": [documents.origin]}
        other_documents.pages[OAUTH] = other_documents.metadata(issuer=documents.origin)
        answer = press(anas, project, documents.endpoint)
        assert "issuer" not in values(answer) and not other_documents.received
        assert "Redirects are not followed" in said(answer)

    @pytest.mark.parametrize(
        ("body", "sentence"),
        [
            (b'{"issuer":"' + b"a" * 200_000 + b'"}', "larger than this portal accepts"),
            (b"[" * 100_000, "not one unambiguous JSON object"),
            (b"[1]", "not one unambiguous JSON object"),
            (b"\xff\xfe{}", "not one unambiguous JSON object"),
            (b"<html>", "not one unambiguous JSON object"),
        ],
        ids=["huge", "deep", "list", "bytes", "html"],
    )
    def test_a_document_that_can_not_be_read_is_explained(self, anas, project, documents, body, sentence):
        documents.pages[OAUTH] = body
        assert sentence in said(press(anas, project, documents.endpoint))

    def test_a_document_that_names_its_issuer_twice_is_not_used(self, anas, project, documents):
        honest = json.dumps(documents.metadata())
        documents.pages[OAUTH] = f'{honest[:-1]}, "issuer": "{documents.origin}"}}'.encode()
        assert "issuer" not in values(press(anas, project, documents.endpoint))

    def test_members_of_wrong_types_are_as_good_as_missing(self, anas, project, documents):
        odd = {"scopes_supported": {"a": 1}, "code_challenge_methods_supported": "S256"}
        odd |= {"token_endpoint_auth_methods_supported": [["basic"], {}, None]}
        documents.pages[OAUTH] = documents.metadata(**odd)
        flow = {"authorizationCode": {"scopes": ["a"], "pkceRequired": "yes"}}
        documents.card(
            {"a": {"type": "oauth2", "flows": flow}, "b": {"type": "oauth2", "flows": 3}, "c": {"type": {}}, "d": 1},
            security=[{"a": "x"}, {"b": {"list": 1}}, {"zzz": None}, 3],
        )
        assert press(anas, project, documents.endpoint).status_code == 200

    def test_texts_of_others_are_escaped_and_shortened(self, anas, project, documents):
        scopes = {"read": f"{SCRIPT}\u202e{'long ' * 200}"}
        schemes = {f"{SCRIPT}{'n' * 500}": {"type": "oauth2", "flows": {"authorizationCode": {"scopes": scopes}}}}
        documents.card(schemes)
        documents.pages[OAUTH] = documents.metadata(issuer=f"{SCRIPT}{'i' * 500}")
        answer = press(anas, project, documents.endpoint)
        raw = answer.content.decode()
        assert SCRIPT not in raw and "&lt;script&gt;" in raw and "\u202e" not in raw
        assert "n" * 80 not in raw and "i" * 140 not in raw and "long " * 60 not in raw

    def test_hidden_letters_and_quotes_make_no_scope(self, anas, project, documents):
        documents.card(card_with(scopes={"ok": "x", 'a"b': "x", "a b": "x", "a\nb = c": "x", "ü": "x", "l" * 300: "x"}))
        answer = press(anas, project, documents.endpoint)
        assert values(answer)["scopes"] == "ok" and values(answer)["scope_words"] == "ok = x"


class TestHowMuch:
    def test_endless_alternatives_are_cut_and_only_one_is_looked_into(self, anas, project, documents, other_documents):
        schemes = {
            f"s{n}": {"type": "openIdConnect", "openIdConnectUrl": f"{other_documents.origin}/s{n}{OPENID}"}
            for n in range(500)
        }
        documents.card(schemes, security=[{name: []} for name in schemes])
        answer = press(anas, project, documents.endpoint)
        assert len(found(answer).alternatives) <= 6 and len(other_documents.received) == 1

    def test_a_press_makes_at_most_a_handful_of_requests(self, anas, project, documents, other_documents):
        servers = [f"{other_documents.origin}/t{n}" for n in range(50)]
        documents.pages[PROTECTED] = {"resource": documents.origin, "authorization_servers": servers}
        documents.card(card_with(tokenUrl=f"{other_documents.origin}/a/b/token"))
        answer = press(anas, project, documents.endpoint)
        beside_card = [path for path in documents.paths() if path != CARD]
        assert len(beside_card) + len(other_documents.received) == asking.MOST_REQUESTS
        assert "this press has asked enough" in said(answer)

    def test_all_of_it_has_one_deadline(self, anas, project, raw_endpoint, monkeypatch):
        monkeypatch.setattr(looking, "SECONDS", 0.6)
        silent = raw_endpoint(hostile_tcp.silent)
        began = time.monotonic()
        found_by = looking.look(f"{silent.url}/agent", None, {})
        assert time.monotonic() - began < 1.5
        assert any("did not answer completely in time" in one.sentence for one in found_by.tried)

    def test_a_server_that_can_not_be_reached_is_tried_once(self, anas, project):
        seen = looking.look(f"{making.NOWHERE}/agent", None, {})
        assert len([one for one in seen.tried if "can't be reached" in one.sentence]) == 1

    def test_a_long_challenge_is_read_in_no_time(self):
        began = time.monotonic()
        for text in ('a="' * 50_000, "a" * 100_000, '\\"' * 50_000, "a =" * 50_000):
            read(Answer(401, (("WWW-Authenticate", f"Bearer {text}"),) * 20, b"", 1))
        assert time.monotonic() - began < 2


class TestCredentials:
    def test_no_stored_or_typed_value_goes_along(self, anas, project, review, documents):
        documents.card(card_with(tokenUrl=f"{documents.origin}/token"))
        documents.challenge(f'resource_metadata="{documents.origin}/meta"')
        edit(
            anas, review, action="find-settings", endpoint=documents.endpoint,
            client_secret__0__value="canary-typed-value",
        )  # fmt: skip
        assert len(documents.received) > 2
        for one in documents.received:
            assert not one.header("authorization") and not one.header("cookie")
            everything = f"{one.headers} {one.query} {one.body!r}"
            assert making.CLIENT_SECRET not in everything and "canary" not in everything

    def test_a_choice_that_nobody_listed_replaces_nothing(self, anas, project, documents):
        documents.card(card_with())
        mine = {"token_url": "https://mine.example/token"}
        answer = press(anas, project, documents.endpoint, "0" * 16, **mine)
        assert values(answer)["token_url"] == mine["token_url"]

    @pytest.mark.parametrize("method", ["unauthenticated", "key-based"])
    def test_a_method_that_finds_nothing_asks_nobody(self, anas, project, documents, method):
        sent = typed(documents.endpoint) | {"action": "find-settings", "auth_method": method}
        assert anas.post(page("connection-new-a2a", project), sent).status_code == 200
        assert not documents.received


@pytest.mark.parametrize(
    ("header", "url"),
    [
        ('Bearer realm="x", resource_metadata="https://a.example/m"', "https://a.example/m"),
        ("Bearer resource_metadata=https://a.example/m", "https://a.example/m"),
        ('Basic realm="y", DPoP algs="ES256", resource_metadata="https://a.example/m"', "https://a.example/m"),
        ('Bearer RESOURCE_METADATA = "https://a.example/\\m"', "https://a.example/m"),
        ('Bearer realm="resource_metadata=https://evil.example"', ""),
        ('Bearer realm="a\\" resource_metadata=https://evil.example"', ""),
        ("Bearer", ""),
        ("", ""),
    ],
)
def test_a_challenge_is_read_as_its_grammar_says(header, url):
    assert read(Answer(401, (("WWW-Authenticate", header),), b"", 1)).resource_metadata == url


@pytest.mark.parametrize(
    ("url", "endpoint", "resource", "counts"),
    [
        ("https://a.example/meta", "https://a.example/x/y", "https://a.example/x/y", True),
        ("https://a.example/meta", "https://a.example/x/y", "https://a.example", False),
        (f"https://a.example{PROTECTED}/x", "https://a.example/x/y", "https://a.example/x", True),
        (f"https://a.example{PROTECTED}/x", "https://a.example/xy", "https://a.example/x", False),
        (f"https://b.example{PROTECTED}", "https://a.example/x", "https://b.example", False),
        (f"https://b.example{PROTECTED}", "https://a.example/x", "https://a.example", False),
        (f"https://a.example{PROTECTED}", "https://a.example", "https://a.example/", True),
    ],
)
def test_what_resource_metadata_may_speak_for(url, endpoint, resource, counts):
    assert (resource in addresses.resources_at(url, endpoint)) is counts
