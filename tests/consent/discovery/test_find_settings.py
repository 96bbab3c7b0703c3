""" "Find settings": each source fills the form, says where a value came from, and replaces nothing silently."""

import pytest

from connections.models import Connection
from portal.audit.models import LogRow
from tests.connections.pages import page, text_of, words_of
from tests.consent import making
from tests.consent.discovery.finding import found, press, said, sources, typed, values
from tests.consent.test_oauth_form import edit
from tests.fakes.well_known import CARD, OAUTH, OPENID, PROTECTED

pytestmark = pytest.mark.django_db
FLOW = {
    "authorizationUrl": "https://login.example.com/authorize",
    "tokenUrl": "https://login.example.com/token",
    "refreshUrl": "https://login.example.com/refresh",
    "scopes": {"reviews:read": "See your reviews", "reviews:write": "Write reviews"},
}
OLD = {"signs": {"type": "oauth2", "flows": {"authorizationCode": FLOW}}}
NEW = {"signs": {"oauth2SecurityScheme": {"flows": {"authorizationCode": FLOW}}}}


@pytest.fixture
def anas(browse, ana):
    return browse(ana)


class TestCard:
    @pytest.mark.parametrize(
        ("schemes", "required"),
        [
            pytest.param(OLD, {"security": [{"signs": ["reviews:read"]}]}, id="0.3"),
            pytest.param(NEW, {"securityRequirements": [{"schemes": {"signs": {"list": ["reviews:read"]}}}]}, id="1.0"),
        ],
    )
    def test_both_dialects_fill_the_form_and_name_the_card(self, anas, project, documents, schemes, required):
        documents.card(schemes, **required)
        answer = press(anas, project, documents.endpoint)
        filled = values(answer)
        assert filled["authorization_url"] == FLOW["authorizationUrl"]
        assert filled["token_url"] == FLOW["tokenUrl"] and filled["refresh_url"] == FLOW["refreshUrl"]
        assert filled["scopes"] == "reviews:read" and filled["scope_words"] == "reviews:read = See your reviews"
        assert set(sources(answer).values()) == {"the agent card"}
        assert "from the agent card" in text_of(answer)
        assert not Connection.objects.exists() and not LogRow.objects.filter(project_id=project.id).exists()

    def test_without_a_requirement_all_scopes_of_the_flow_are_filled_with_their_words(self, anas, project, documents):
        documents.card(NEW)
        answer = press(anas, project, documents.endpoint)
        assert values(answer)["scopes"] == "reviews:read reviews:write"
        assert "reviews:write = Write reviews" in values(answer)["scope_words"]

    def test_alternatives_are_listed_and_one_can_be_chosen_instead(self, anas, project, documents):
        second = FLOW | {"tokenUrl": "https://second.example.com/token", "refreshUrl": "", "scopes": {}}
        second["authorizationUrl"] = "https://second.example.com/authorize"
        key = {"type": "apiKey", "in": "header", "name": "x-api-key"}
        documents.card(
            OLD | {"other": {"type": "oauth2", "flows": {"authorizationCode": second}}, "key": key},
            security=[{"signs": []}, {"other": []}, {"key": []}],
        )
        first = press(anas, project, documents.endpoint)
        shown = words_of(first)
        assert "“other” of the agent card, sign-in or metadata at second.example.com" in shown
        assert "The agent card also accepts: API key in header x-api-key." in shown
        [(way, _)] = found(first).alternatives
        was = {name: values(first)[name] for name in ("authorization_url", "token_url", "refresh_url")}
        chosen = press(anas, project, documents.endpoint, way.key, **was)
        assert values(chosen)["token_url"] == "https://second.example.com/token"
        assert "refresh_url" not in values(chosen)
        assert f"Replaced: {FLOW['tokenUrl']}" in words_of(chosen)
        assert f"Emptied, because it belongs to what was entered before: {FLOW['refreshUrl']}" in words_of(chosen)

    def test_what_is_needed_together_is_said_and_comes_last(self, anas, project, documents):
        key = {"type": "apiKey", "in": "header", "name": "x-api-key"}
        documents.card(OLD | {"key": key}, security=[{"signs": ["a"], "key": []}, {"signs": ["b"]}])
        answer = press(anas, project, documents.endpoint)
        assert values(answer)["scopes"] == "b" and len(found(answer).alternatives) == 1
        [(way, _)] = found(answer).alternatives
        chosen = press(anas, project, documents.endpoint, way.key)
        assert "asks for this sign-in together with: API key in header x-api-key" in text_of(chosen)

    def test_a_flow_for_programs_alone_is_no_sign_in(self, anas, project, documents):
        flows = {"clientCredentials": {"tokenUrl": "https://login.example.com/token", "scopes": {}}}
        documents.card({"robots": {"type": "oauth2", "flows": flows}})
        answer = press(anas, project, documents.endpoint)
        assert "token_url" not in values(answer)
        assert "“robots” of the agent card has no authorization code flow" in text_of(answer)

    def test_the_card_stays_on_the_page(self, anas, project, documents):
        documents.card(OLD)
        assert 'name="card_shown"' in text_of(press(anas, project, documents.endpoint))


class TestEndpoint:
    def test_a_challenge_leads_to_resource_metadata_and_on_to_the_server(
        self, anas, project, documents, other_documents
    ):
        documents.challenge(f'realm="x", resource_metadata="{documents.origin}/meta", scope="from:challenge"')
        documents.pages["/meta"] = {
            "resource": documents.endpoint,
            "authorization_servers": [other_documents.origin],
            "scopes_supported": ["from:resource"],
        }
        other_documents.pages[OAUTH] = other_documents.metadata()
        answer = press(anas, project, documents.endpoint)
        filled, at = values(answer), other_documents.origin
        assert filled["issuer"] == at and filled["token_url"] == f"{at}/token"
        assert filled["authorization_url"] == f"{at}/authorize" and filled["revocation_url"] == f"{at}/revoke"
        assert filled["userinfo_url"] == f"{at}/me" and filled["client_auth"] == "post" and filled["pkce"] == "S256"
        assert filled["resource"] == documents.endpoint and filled["scopes"] == "from:challenge"
        assert sources(answer)["Token URL"] == f"{at}{OAUTH}"
        assert sources(answer)["Resource"] == f"{documents.origin}/meta"
        assert f"from {at}{OAUTH}" in text_of(answer)

    @pytest.mark.parametrize(
        ("path", "resource"),
        [(f"{PROTECTED}/agent", "/agent"), (PROTECTED, "")],
        ids=["with the path", "at the root"],
    )
    def test_resource_metadata_is_found_at_its_well_known_path(self, anas, project, documents, path, resource):
        documents.pages[path] = {
            "resource": f"{documents.origin}{resource}",
            "authorization_servers": [documents.origin],
            "scopes_supported": ["read"],
        }
        documents.pages[OAUTH] = documents.metadata()
        answer = press(anas, project, documents.endpoint)
        assert values(answer)["scopes"] == "read" and values(answer)["token_url"] == f"{documents.origin}/token"
        assert values(answer)["resource"] == f"{documents.origin}{resource}"

    def test_several_servers_are_listed_and_only_the_first_is_asked(self, anas, project, documents, other_documents):
        documents.pages[PROTECTED] = {
            "resource": documents.origin,
            "authorization_servers": [documents.origin, other_documents.origin],
        }
        documents.pages[OAUTH] = documents.metadata()
        other_documents.pages[OAUTH] = other_documents.metadata()
        answer = press(anas, project, documents.endpoint)
        assert values(answer)["issuer"] == documents.origin and not other_documents.received
        [(way, _)] = found(answer).alternatives
        chosen = press(anas, project, documents.endpoint, way.key)
        assert values(chosen)["issuer"] == other_documents.origin

    def test_metadata_about_another_resource_is_not_used(self, anas, project, documents, other_documents):
        other_documents.pages["/meta"] = {
            "resource": "https://bank.example/api",
            "authorization_servers": [other_documents.origin],
        }
        other_documents.pages[OAUTH] = other_documents.metadata()
        documents.challenge(f'resource_metadata="{other_documents.origin}/meta"')
        answer = press(anas, project, documents.endpoint)
        assert "token_url" not in values(answer) and OAUTH not in other_documents.paths()
        assert "The resource metadata is not about this endpoint" in said(answer)


class TestServer:
    @pytest.mark.parametrize(
        "path", [f"{OAUTH}/tenant", f"{OPENID}/tenant", f"/tenant{OPENID}", f"/tenant{OAUTH}"], ids=str
    )
    def test_each_well_known_form_of_an_issuer_with_a_path_is_tried(self, anas, project, documents, path):
        documents.pages[path] = documents.metadata("/tenant")
        answer = press(anas, project, documents.endpoint, issuer=f"{documents.origin}/tenant")
        assert values(answer)["token_url"] == f"{documents.origin}/tenant/token"
        assert sources(answer)["Issuer"] == f"{documents.origin}{path}"

    def test_the_demos_provider_is_found_behind_the_token_url_of_the_card(self, anas, project, documents, provider):
        octo = provider(path="/octo")
        flow = {"authorizationUrl": octo.at.authorize, "tokenUrl": octo.at.token, "scopes": {"profile": "Your name"}}
        documents.card({"octo": {"type": "oauth2", "flows": {"authorizationCode": flow}}})
        answer = press(anas, project, documents.endpoint)
        assert values(answer)["issuer"] == octo.at.issuer and values(answer)["revocation_url"] == octo.at.revoke
        assert sources(answer)["Token URL"] == "the agent card"
        assert sources(answer)["Revocation URL"] == octo.at.metadata
        assert "also knows these scopes" in text_of(answer)

    @pytest.mark.parametrize("member", ["oauth2MetadataUrl", "openIdConnectUrl"])
    def test_the_metadata_that_a_card_names_is_read(self, anas, project, documents, other_documents, member):
        url = f"{other_documents.origin}{OPENID}"
        other_documents.pages[OPENID] = other_documents.metadata(scopes_supported=["openid", "offline_access"])
        flow = {"authorizationCode": {"scopes": {"openid": "Sign you in"}}}
        scheme = {"type": "openIdConnect", "openIdConnectUrl": url}
        if member == "oauth2MetadataUrl":
            scheme = {"type": "oauth2", "flows": flow, "oauth2MetadataUrl": url}
        documents.card({"oidc": scheme}, security=[{"oidc": ["openid"]}])
        answer = press(anas, project, documents.endpoint)
        assert values(answer)["issuer"] == other_documents.origin
        assert values(answer)["scopes"] == "openid offline_access"

    def test_an_issuer_that_ends_with_a_slash_keeps_it(self, anas, project, documents, other_documents):
        other_documents.pages[OPENID] = other_documents.metadata(issuer=f"{other_documents.origin}/")
        documents.card({"oidc": {"type": "openIdConnect", "openIdConnectUrl": f"{other_documents.origin}{OPENID}"}})
        assert values(press(anas, project, documents.endpoint))["issuer"] == f"{other_documents.origin}/"

    def test_metadata_at_an_address_of_its_own_is_asked_again_at_its_issuers(self, anas, project, documents):
        documents.pages["/config.json"] = documents.metadata(token_endpoint="https://evil.example/token")
        documents.pages[OAUTH] = documents.metadata()
        scheme = {"type": "openIdConnect", "openIdConnectUrl": f"{documents.origin}/config.json"}
        documents.card({"oidc": scheme})
        assert values(press(anas, project, documents.endpoint))["token_url"] == f"{documents.origin}/token"

    def test_the_servers_own_metadata_goes_before_the_card_and_the_difference_is_said(
        self, anas, project, documents, other_documents
    ):
        other_documents.pages[OAUTH] = other_documents.metadata()
        scheme = {"type": "oauth2", "flows": {"authorizationCode": FLOW}}
        documents.card({"signs": scheme | {"oauth2MetadataUrl": f"{other_documents.origin}{OAUTH}"}})
        answer = press(anas, project, documents.endpoint)
        assert values(answer)["token_url"] == f"{other_documents.origin}/token"
        assert f"The agent card says otherwise for Token URL: {FLOW['tokenUrl']}" in text_of(answer)

    def test_pkce_is_never_turned_off_by_what_a_server_says(self, anas, project, documents):
        documents.pages[OAUTH] = documents.metadata(code_challenge_methods_supported=["plain"])
        answer = press(anas, project, documents.endpoint, pkce="S256")
        assert values(answer)["pkce"] == "S256" and "does not say that PKCE with S256" in text_of(answer)


class TestTyped:
    def test_what_was_typed_stays_and_what_was_found_stands_beside_it(self, anas, project, documents):
        documents.card(OLD)
        answer = press(anas, project, documents.endpoint, scopes="mine", scope_words="reviews:read = My words")
        assert values(answer)["scopes"] == "mine" and values(answer)["token_url"] == FLOW["tokenUrl"]
        assert "Not filled in. Kept: mine" in words_of(answer)
        assert values(answer)["scope_words"].splitlines() == [
            "reviews:read = My words",
            "reviews:write = Write reviews",
        ]

    def test_nothing_of_another_server_joins_what_was_typed(self, anas, project, documents):
        documents.card(OLD)
        mine = {"authorization_url": "https://mine.example/authorize", "token_url": "https://mine.example/token"}
        answer = press(anas, project, documents.endpoint, **mine)
        assert {name: values(answer)[name] for name in mine} == mine and "refresh_url" not in values(answer)
        assert "What is entered belongs to another authorization server" in text_of(answer)
        again = press(anas, project, documents.endpoint, found(answer).way.key, **mine)
        assert values(again)["token_url"] == FLOW["tokenUrl"]
        assert "Replaced: https://mine.example/token" in words_of(again)

    def test_all_else_that_was_typed_stays_except_secrets(self, anas, project, documents):
        documents.card(OLD)
        sent = typed(documents.endpoint, client_id="gatehouse-9") | {
            "action": "find-settings",
            "client_secret-0-value": making.CLIENT_SECRET,
        }
        answer = anas.post(page("connection-new-a2a", project), sent)
        assert making.CLIENT_SECRET not in text_of(answer) and values(answer)["client_id"] == "gatehouse-9"
        assert "A value is not kept until the connection is saved" in text_of(answer)
        assert 'value="review-agent"' in text_of(answer)

    def test_the_edit_page_finds_as_well_and_saves_nothing(self, anas, project, review, documents):
        documents.card(OLD)
        was = review.changed_at
        answer = edit(
            anas, review, action="find-settings", endpoint=documents.endpoint,
            settings__authorization_url="", settings__token_url="",
        )  # fmt: skip
        assert values(answer)["token_url"] == FLOW["tokenUrl"]
        review.refresh_from_db()
        assert review.changed_at == was and review.settings["token_url"] == f"{making.NOWHERE}/token"

    def test_what_was_found_can_be_saved_by_connect(self, anas, project, documents):
        documents.challenge("")
        documents.pages[OAUTH] = documents.metadata()
        answer = press(anas, project, documents.endpoint)
        sent = {name: value for name, value in values(answer).items() if isinstance(value, str)}
        anas.post(page("connection-new-a2a", project), typed(documents.endpoint, **sent))
        assert Connection.objects.get().settings["token_url"] == f"{documents.origin}/token"

    def test_without_an_endpoint_nobody_is_asked(self, anas, project):
        sent = typed("") | {"action": "find-settings"}
        answer = anas.post(page("connection-new-a2a", project), sent)
        assert "Settings are looked for at the endpoint." in text_of(answer)
        assert answer.context["entry"].found is None

    def test_the_seventh_press_within_a_minute_asks_nobody(self, anas, project, documents):
        for _ in range(6):
            press(anas, project, documents.endpoint)
        asked = len(documents.received)
        answer = press(anas, project, documents.endpoint)
        assert "You have asked often within this minute" in text_of(answer) and len(documents.received) == asked

    def test_a_person_without_the_right_can_not_press(self, browse, ben, project, documents):
        sent = typed(documents.endpoint) | {"action": "find-settings"}
        assert browse(ben).post(page("connection-new-a2a", project), sent).status_code == 403
        assert not documents.received


def test_a_card_that_can_not_be_read_is_explained_on_both_pages(anas, project, review, documents):
    problem = "There is no agent card. Neither the agent card path nor the default path has one."
    assert problem in text_of(press(anas, project, documents.endpoint))
    assert problem in text_of(edit(anas, review, action="find-settings", endpoint=documents.endpoint))


def test_every_source_that_failed_is_explained(anas, project, documents):
    answer = press(anas, project, documents.endpoint)
    assert f"{documents.origin}{PROTECTED} No resource metadata: 404." in said(answer)
    assert f"{documents.origin}{OAUTH} No metadata: 404." in said(answer)
    assert "No settings were found." in text_of(answer) and CARD in documents.paths()
