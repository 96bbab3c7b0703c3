"""Cards of both dialects: fetched, read, and rewritten so that nothing in them leads round the gateway."""

import copy
import json
import socket
import time

import httpx
import pytest
from a2a.client.card_resolver import parse_agent_card
from a2a.compat.v0_3.types import AgentCard as OlderCard
from a2a.server.request_handlers.response_helpers import agent_card_to_dict
from starlette.responses import PlainTextResponse, Response

from connections import agent_card
from connections.agent_card import Card, CardUnreadable
from connections.models import Connection
from connections.troubleshooting import CATALOGUE
from tests.fakes import hostile_answers, hostile_tcp
from tests.fakes.a2a_server import SPELLINGS, fake_card
from tests.fakes.server import serve

pytest_plugins = ["tests.fakes.fixtures"]

ENDPOINT = "https://ledger.contoso.example/a2a"
GATEWAY = "https://gatehouse.contoso.example/a2a/contoso-support/ledger"
DEFAULT_PATH = "/.well-known/agent-card.json"


def modern_card(**members):
    return {
        "name": "Ledger agent",
        "description": "Answers questions about invoices.",
        "version": "2.3.1",
        "provider": {"organization": "Contoso Finance", "url": "https://contoso.example"},
        "supportedInterfaces": [
            {"url": ENDPOINT, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
            {"url": ENDPOINT + "/rest", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0.1", "tenant": "t1"},
            {"url": "ledger.contoso.example:50051", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
        ],
        "capabilities": {"streaming": True, "pushNotifications": True, "extendedAgentCard": True},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [
            {"id": "find_invoice", "name": "find_invoice", "description": "Finds", "tags": ["x"],
             "securityRequirements": [{"schemes": {"key": {"list": []}}}]},
            {"id": "monthly_close", "name": "monthly_close", "description": "Closes", "tags": ["x"]},
        ],
        "securitySchemes": {"key": {"apiKeySecurityScheme": {"location": "header", "name": "x-api-key"}}},
        "securityRequirements": [{"schemes": {"key": {"list": []}}}],
        "signatures": [{"protected": "e30", "signature": "AA"}],
        **members,
    }  # fmt: skip


def older_card(**members):
    return {
        "name": "Ledger agent",
        "description": "Answers questions about invoices.",
        "version": "1",
        "protocolVersion": "0.3.0",
        "url": ENDPOINT,
        "preferredTransport": "JSONRPC",
        "additionalInterfaces": [
            {"url": ENDPOINT, "transport": "JSONRPC"},
            {"url": ENDPOINT + "/rest", "transport": "HTTP+JSON"},
            {"url": "https://ledger.contoso.example:50051", "transport": "GRPC"},
        ],
        "capabilities": {"streaming": True, "pushNotifications": True},
        "supportsAuthenticatedExtendedCard": True,
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [{"id": "s", "name": "S", "description": "d", "tags": [], "security": [{"oauth": ["read"]}]}],
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
        "security": [{"key": []}],
        **members,
    }


def hybrid_card():
    return agent_card_to_dict(fake_card(ENDPOINT))


CARDS = {"1.0": modern_card, "0.3": older_card, "hybrid": hybrid_card}
each_card = pytest.mark.parametrize("card", [make() for make in CARDS.values()], ids=CARDS)


def stored(card):
    return Card.of(card).interfaces(ENDPOINT)


def rewritten(card):
    return agent_card.rewrite(card, GATEWAY, stored(card))


def strings(value):
    if isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
    elif isinstance(value, str):
        yield value


class TestWhatACardSays:
    def test_a_card_reads_as_on_the_page(self):
        card = Card.of(modern_card())
        assert (card.name, card.provider, card.version) == ("Ledger agent", "Contoso Finance", "2.3.1")
        assert card.description == "Answers questions about invoices."
        assert card.skills == ("find_invoice", "monthly_close")
        assert card.protocols == "A2A 1.0 · JSON-RPC, HTTP+JSON, gRPC · streaming"
        assert card.security == ("API key in header x-api-key",)

    def test_a_card_of_0_3_reads_the_same(self):
        card = Card.of(older_card())
        assert card.protocols == "A2A 0.3 · JSON-RPC, HTTP+JSON, gRPC · streaming"
        assert card.security == ("API key in header X-Key",)

    def test_a_hybrid_card_has_each_interface_once(self):
        card = Card.of(hybrid_card())
        assert card.protocols == "A2A 1.0 and 0.3 · JSON-RPC, HTTP+JSON · streaming"
        assert [(i["binding"], i["version"]) for i in card.interfaces(ENDPOINT)] == list(SPELLINGS)

    def test_texts_lose_what_could_make_them_look_like_others(self):
        card = Card.of(
            modern_card(name="Led\u202eger\u200b \x1b[2Jagent\r\nFAKE", description="x" * 9000, version="\0")
        )
        assert card.name == "Led ger [2Jagent FAKE"
        assert len(card.description) == 500
        assert card.version == ""

    def test_markup_stays_text(self):
        card = Card.of(hostile_answers.card_with_scripts("https://evil.example"))
        assert card.provider == hostile_answers.SCRIPT
        assert type(card.provider) is str

    @pytest.mark.parametrize("wrong", [None, 3, True, "text", [], ["x"], {}, {"a": [1]}, [[["x"]]]], ids=repr)
    def test_members_of_a_wrong_type_read_as_missing(self, wrong):
        for name in modern_card() | older_card():
            card = Card.of({**modern_card(), **older_card(), name: wrong})
            card.interfaces(ENDPOINT), card.foreign(ENDPOINT), card.suggestion()
            agent_card.rewrite({**modern_card(), **older_card(), name: wrong}, GATEWAY, stored(modern_card()))


class TestWhereCallsMayGo:
    def test_both_bindings_with_version_and_tenant(self):
        assert stored(modern_card()) == [
            {"url": ENDPOINT, "binding": "JSONRPC", "version": "1.0"},
            {"url": ENDPOINT + "/rest", "binding": "HTTP+JSON", "version": "1.0", "tenant": "t1"},
        ]

    def test_the_fields_of_0_3(self):
        assert stored(older_card()) == [
            {"url": ENDPOINT, "binding": "JSONRPC", "version": "0.3"},
            {"url": ENDPOINT + "/rest", "binding": "HTTP+JSON", "version": "0.3"},
        ]

    @pytest.mark.parametrize(
        "url",
        [
            "https://evil.example/a2a",
            "http://ledger.contoso.example/a2a",
            "https://ledger.contoso.example:8443/a2a",
            "https://ledger.contoso.example@evil.example/a2a",
            "https://ledger.contoso.example.evil.example/a2a",
            "https://ledger.contoso.example\\@evil.example/a2a",
            "//evil.example/a2a",
            "/a2a",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "https://ledger.contoso.example/../admin",
            "https://169.254.169.254/latest",
            "",
        ],
    )
    def test_an_address_elsewhere_is_never_called(self, url):
        interface = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        card = Card.of(modern_card(supportedInterfaces=[interface]))
        assert card.interfaces(ENDPOINT) == []
        assert card.reach(ENDPOINT).reason == "card_foreign"
        assert len(card.foreign(ENDPOINT)) == 1

    def test_the_origin_ignores_case_and_the_default_port(self):
        url = "HTTPS://Ledger.Contoso.Example:443/a2a"
        interface = {"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
        assert stored(modern_card(supportedInterfaces=[interface]))[0]["url"] == ENDPOINT

    def test_a_card_without_an_address_says_why_nothing_is_left(self):
        only_grpc = modern_card()["supportedInterfaces"][2:]
        assert Card.of(modern_card(supportedInterfaces=only_grpc)).reach(ENDPOINT).reason == "card_not_carried"
        assert Card.of(modern_card(supportedInterfaces=[])).reach(ENDPOINT).reason == "card_without_interface"

    @pytest.mark.parametrize("tenant", ["../other", "a/b", "..", "a?b", "x" * 200, "a b", "%2e"])
    def test_a_tenant_that_could_be_a_path_is_not_carried(self, tenant):
        [interface, *_] = modern_card()["supportedInterfaces"]
        card = Card.of(modern_card(supportedInterfaces=[interface | {"tenant": tenant}]))
        assert card.reach(ENDPOINT).reason == "card_not_carried"

    @pytest.mark.parametrize(
        ("version", "dialect"), [("1.0", "1.0"), ("1.0.3", "1.0"), ("0.3", "0.3"), ("0.3.0", "0.3"), ("0.2.6", "0.3")]
    )
    def test_patch_versions_do_not_matter(self, version, dialect):
        interface = {"url": ENDPOINT, "protocolBinding": "JSONRPC", "protocolVersion": version}
        assert stored(modern_card(supportedInterfaces=[interface]))[0]["version"] == dialect

    @pytest.mark.parametrize("version", ["2.0", "1.1", "0.1", "latest", "10.0", 1.0])
    def test_other_versions_are_not_carried(self, version):
        interface = {"url": ENDPOINT, "protocolBinding": "JSONRPC", "protocolVersion": version}
        assert stored(modern_card(supportedInterfaces=[interface])) == []

    def test_a_card_with_thousands_of_addresses_gives_few(self):
        base = modern_card()["supportedInterfaces"][0]
        many = [base | {"tenant": f"t{number}"} for number in range(3000)]
        assert len(stored(modern_card(supportedInterfaces=many))) == 16


class TestSuggestion:
    def suggested(self, schemes, required=None, **members):
        if required is not None:
            members["securityRequirements"] = [{"schemes": {n: {"list": []} for n in names}} for names in required]
        return Card.of({"name": "x", "url": ENDPOINT, "securitySchemes": schemes, **members}).suggestion()

    KEY = {"apiKeySecurityScheme": {"location": "header", "name": "x-api-key"}}
    BEARER = {"httpAuthSecurityScheme": {"scheme": "bearer"}}
    OAUTH = {"oauth2SecurityScheme": {"flows": {}}}
    MTLS = {"mtlsSecurityScheme": {}}

    def test_a_key_in_a_header_is_key_based_under_its_name(self):
        found = self.suggested({"key": self.KEY})
        assert (found.method_slug, found.credential_name, found.credential_prefix) == ("key-based", "x-api-key", None)
        assert found.reason == (
            "The card declares one way in: an API key in the header x-api-key. It declares no sign-in for users."
        )

    @pytest.mark.parametrize("scheme", [BEARER, {"type": "http", "scheme": "Bearer"}], ids=["1.0", "0.3"])
    def test_a_bearer_token_goes_under_authorization(self, scheme):
        found = self.suggested({"token": scheme})
        assert (found.method_slug, found.credential_name, found.credential_prefix) == (
            "key-based", "Authorization", "Bearer",
        )  # fmt: skip

    def test_basic_too(self):
        assert self.suggested({"b": {"type": "http", "scheme": "BASIC"}}).credential_prefix == "Basic"

    def test_nothing_declared_is_unauthenticated(self):
        assert self.suggested({}).method_slug == "unauthenticated"

    def test_an_empty_requirement_allows_anonymous_calls(self):
        assert self.suggested({"key": self.KEY}, [["key"], []]).method_slug == "unauthenticated"

    def test_of_several_alternatives_the_first_usable_one_counts(self):
        found = self.suggested({"o": self.OAUTH, "m": self.MTLS, "t": self.BEARER}, [["o"], ["m", "t"], ["t"]])
        assert found.credential_name == "Authorization"
        assert "3 ways in" in found.reason and "also declares a sign-in for users" in found.reason

    def test_a_sign_in_has_no_method_until_the_registry_has_one(self, settings):
        settings.AUTH_METHODS = [path for path in settings.AUTH_METHODS if "OAuth" not in path]
        found = self.suggested({"o": self.OAUTH})
        assert found.method_slug is None and "sign-in for users" in found.reason

    def test_a_sign_in_leads_to_passthrough_where_the_registry_has_it(self, settings):
        settings.AUTH_METHODS = [*settings.AUTH_METHODS, "tests.connections.test_agent_card.Passthrough"]
        assert self.suggested({"o": {"type": "openIdConnect"}}).method_slug == "oauth-identity-passthrough"

    @pytest.mark.parametrize(
        "scheme",
        [MTLS, {"type": "apiKey", "in": "query", "name": "k"}, {"type": "apiKey", "in": "header", "name": "Host"}, {}],
        ids=["mtls", "query", "reserved", "unknown"],
    )
    def test_what_no_method_can_do_is_said(self, scheme):
        found = self.suggested({"s": scheme})
        assert found.method_slug is None and found.credential_name is None
        assert "No authentication method of this portal can do that." in found.reason

    def test_needed_together_all_must_be_usable(self):
        assert self.suggested({"m": self.MTLS, "t": self.BEARER}, [["m", "t"]]).method_slug is None

    def test_the_older_spelling_of_alternatives(self):
        found = self.suggested({"o": {"type": "oauth2"}, "k": {"type": "apiKey", "in": "header", "name": "X-K"}},
                               security=[{"o": ["read"]}, {"k": []}])  # fmt: skip
        assert found.credential_name == "X-K"


class Passthrough:
    slug = "oauth-identity-passthrough"


class TestRewriting:
    @each_card
    def test_the_stock_client_reads_only_the_gateway_in_it(self, card):
        parsed = parse_agent_card(rewritten(card))
        assert {interface.url for interface in parsed.supported_interfaces} == {GATEWAY}
        assert not parsed.capabilities.push_notifications
        assert parsed.capabilities.extended_agent_card and parsed.capabilities.streaming
        [(name, scheme)] = parsed.security_schemes.items()
        assert name == "gatehouse" and scheme.http_auth_security_scheme.scheme.lower() == "bearer"
        assert [list(requirement.schemes) for requirement in parsed.security_requirements] == [["gatehouse"]]
        assert parsed.name == card["name"] and len(parsed.skills) == len(card["skills"])

    @pytest.mark.parametrize("card", [older_card(), hybrid_card()], ids=["0.3", "hybrid"])
    def test_a_client_of_0_3_reads_it_too(self, card):
        read = OlderCard.model_validate(rewritten(card))
        assert read.url == GATEWAY and {each.url for each in read.additional_interfaces} == {GATEWAY}
        assert read.security == [{"gatehouse": []}]
        assert read.security_schemes["gatehouse"].root.scheme == "bearer"

    @each_card
    def test_the_client_finds_the_stored_spellings_again(self, card):
        parsed = parse_agent_card(rewritten(card))
        found = {(i.protocol_binding, i.protocol_version[:3], i.tenant) for i in parsed.supported_interfaces}
        assert found == {(i["binding"], i["version"], i.get("tenant", "")) for i in stored(card)}

    @each_card
    def test_no_string_leads_to_the_endpoint(self, card):
        poisoned = card | {
            "documentationUrl": ENDPOINT + "/docs",
            "iconUrl": "https://LEDGER.contoso.example:443/icon.svg",
            "provider": {"organization": "Contoso", "url": "https://ledger.contoso.example"},
            "x-direct": {"deep": [{"endpoint": ENDPOINT}, ENDPOINT, " " + ENDPOINT]},
        }
        assert not [text for text in strings(rewritten(poisoned)) if "ledger.contoso.example" in text.lower()]

    @each_card
    def test_rewriting_twice_is_rewriting_once(self, card):
        once = rewritten(card)
        assert agent_card.rewrite(once, GATEWAY, stored(card)) == once

    @each_card
    def test_the_argument_stays_as_it_was(self, card):
        before = copy.deepcopy(card)
        rewritten(card)
        assert card == before

    @each_card
    def test_what_was_made_can_be_changed_without_changing_the_next(self, card):
        parse_agent_card(rewritten(card))
        assert rewritten(card)["securitySchemes"]["gatehouse"]

    def test_unknown_members_and_extensions_pass(self):
        extension = {"uri": ENDPOINT + "/ext/v1", "required": False, "params": {"a": 1}}
        card = modern_card(futureMember={"a": [1, None]}, documentationUrl="https://docs.contoso.example/ledger")
        card["capabilities"]["extensions"] = [extension]
        result = rewritten(card)
        assert result["futureMember"] == {"a": [1, None]}
        assert result["documentationUrl"] == "https://docs.contoso.example/ledger"
        assert result["capabilities"]["extensions"] == [extension]

    def test_a_pure_card_stays_pure(self):
        newer, older = rewritten(modern_card()), rewritten(older_card())
        assert not {"url", "additionalInterfaces", "preferredTransport", "security", "protocolVersion"} & set(newer)
        assert not {"supportedInterfaces", "securityRequirements"} & set(older)
        assert newer["securitySchemes"] == {"gatehouse": {"httpAuthSecurityScheme": {
            "scheme": "Bearer", "description": "The agent key, made on the agent's page in the portal."}}}  # fmt: skip
        assert older["securitySchemes"]["gatehouse"]["type"] == "http"
        assert older["supportsAuthenticatedExtendedCard"] is True

    def test_skills_keep_no_requirement_on_schemes_that_are_gone(self):
        [first, second] = rewritten(modern_card())["skills"]
        assert first["securityRequirements"] == [{"schemes": {"gatehouse": {"list": []}}}]
        assert "securityRequirements" not in second
        assert rewritten(older_card())["skills"][0]["security"] == [{"gatehouse": []}]

    def test_signatures_go_because_they_cover_what_was_changed(self):
        assert "signatures" not in rewritten(modern_card())

    def test_a_changed_card_adds_no_binding_that_the_connection_lacks(self):
        only_rpc = stored(modern_card())[:1]
        result = agent_card.rewrite(modern_card(), GATEWAY, only_rpc)
        assert [i["protocolBinding"] for i in result["supportedInterfaces"]] == ["JSONRPC"]

    def test_a_card_that_moved_away_altogether_still_leads_to_the_gateway(self):
        elsewhere = [{"url": "https://evil.example", "protocolBinding": "GRPC", "protocolVersion": "1.0"}]
        result = agent_card.rewrite(modern_card(supportedInterfaces=elsewhere), GATEWAY, stored(modern_card()))
        assert "evil.example" not in json.dumps(result)
        assert len(parse_agent_card(result).supported_interfaces) == 2

    def test_an_extended_card_nested_without_end_is_cut(self):
        deep = []
        for _ in range(900):
            deep = [deep]
        result = rewritten(modern_card(futureMember=deep))
        assert json.dumps(result).count("[") < 100

    def test_a_card_of_0_2_tells_the_client_to_speak_0_3(self):
        result = rewritten(older_card(protocolVersion="0.2.6"))
        assert result["protocolVersion"] == "0.3.0"

    def test_the_preferred_binding_moves_where_it_is_not_carried(self):
        card = older_card(url="https://ledger.contoso.example:50051", preferredTransport="GRPC")
        assert rewritten(card)["preferredTransport"] == "JSONRPC"


class TestMinimalCard:
    def interfaces(self, *spellings):
        return [{"url": ENDPOINT, "binding": binding, "version": version} for binding, version in spellings]

    @pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
    def test_each_dialect_by_itself(self, spelling):
        card = agent_card.minimal("ledger", GATEWAY, self.interfaces(spelling))
        assert ("url" in card) == (spelling[1] == "0.3")
        [found] = {(i.protocol_binding, i.protocol_version[:3], i.url)
                   for i in parse_agent_card(card).supported_interfaces}  # fmt: skip
        assert found == (*spelling, GATEWAY)

    def test_both_dialects_in_one(self):
        card = agent_card.minimal("ledger", GATEWAY, self.interfaces(*SPELLINGS))
        assert card["url"] == GATEWAY and len(card["supportedInterfaces"]) == 4
        parsed = parse_agent_card(copy.deepcopy(card))
        assert parsed.name == "ledger" and list(parsed.security_schemes) == ["gatehouse"]
        assert "ledger.contoso.example" not in json.dumps(card)

    def test_a_client_of_0_3_reads_it_too(self):
        card = agent_card.minimal("ledger", GATEWAY, self.interfaces(*SPELLINGS))
        assert OlderCard.model_validate(card).url == GATEWAY

    def test_it_holds_every_member_that_the_specification_requires(self):
        card = agent_card.minimal("ledger", GATEWAY, self.interfaces(*SPELLINGS))
        required = (
            "name",
            "description",
            "version",
            "capabilities",
            "defaultInputModes",
            "defaultOutputModes",
            "skills",
        )
        assert set(required) <= set(card)


class TestWhereTheCardIs:
    def at(self, endpoint=ENDPOINT, **fields):
        return agent_card.urls_of(Connection(endpoint=endpoint, **fields))

    def test_below_the_endpoint_then_at_the_origin(self):
        assert self.at() == [ENDPOINT + DEFAULT_PATH, "https://ledger.contoso.example" + DEFAULT_PATH]

    def test_once_where_both_are_the_same(self):
        assert self.at("https://ledger.contoso.example") == ["https://ledger.contoso.example" + DEFAULT_PATH]

    def test_another_path_then_the_default(self):
        assert self.at(card_path="cards/one.json") == [
            ENDPOINT + "/cards/one.json", "https://ledger.contoso.example" + DEFAULT_PATH,
        ]  # fmt: skip

    def test_a_full_url_stands_for_itself(self):
        assert self.at(card_path="https://cards.example/l.json") == ["https://cards.example/l.json"]


def fails(urls, **options):
    with pytest.raises(CardUnreadable) as caught:
        agent_card.fetch([urls] if isinstance(urls, str) else urls, **options)
    assert caught.value.code in CATALOGUE
    return caught.value


class Site:
    """A web server of fixed answers: path to response."""

    def __init__(self, **pages):
        self.pages, self.asked = {f"/{name}": page for name, page in pages.items()}, []

    async def __call__(self, scope, receive, send):
        self.asked.append((scope["path"], dict(scope["headers"])))
        page = self.pages.get(scope["path"], PlainTextResponse("not here", 404))
        await page(scope, receive, send)


@pytest.fixture
def site():
    """Serves bytes: `site(card=b"…")` gives the origin and the server."""
    running = []

    def start(**pages):
        made = {n: p if isinstance(p, Response) else Response(p) for n, p in pages.items()}
        server = Site(**made)
        context = serve(server, lifespan="off")
        running.append(context)
        return context.__enter__().url, server

    yield start
    for context in running:
        context.__exit__(None, None, None)


GOOD = json.dumps(modern_card()).encode()


class TestFetching:
    @pytest.mark.parametrize("below", ["", "/agent"])
    def test_the_card_of_a_real_server_is_found(self, fake_agent, below):
        agent = fake_agent(card_below=below)
        connection = Connection(endpoint=agent.url)
        found = agent_card.fetch(agent_card.urls_of(connection))
        assert found.url == agent.origin + below + DEFAULT_PATH
        card = Card.of(found.card)
        assert [(i["binding"], i["version"]) for i in card.interfaces(agent.url)] == list(SPELLINGS)
        assert card.foreign(agent.url) == [] and card.name == "Fake agent"

    def test_a_rewritten_card_of_a_real_server_lost_its_address(self, fake_agent):
        agent = fake_agent()
        card = httpx.get(agent.url + DEFAULT_PATH).json()
        result = agent_card.rewrite(card, GATEWAY, Card.of(card).interfaces(agent.url))
        assert agent.origin not in json.dumps(result)
        assert len(parse_agent_card(result).supported_interfaces) == 4

    def test_the_credential_goes_to_the_first_address_only(self, site):
        origin, server = site(second=GOOD)
        agent_card.fetch([f"{origin}/first", f"{origin}/second"], [("x-api-key", "s3cret")])
        assert [(path, b"x-api-key" in headers) for path, headers in server.asked] == [
            ("/first", True), ("/second", False),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        ("page", "code"),
        [
            (b"<!doctype html><title>Shop</title>", "card_not_json"),
            (b"", "card_not_json"),
            (b"\xff\xfe", "card_not_json"),
            (b'{"name": "x", ', "card_not_json"),
            (b"[1]", "card_not_a_card"),
            (b'"card"', "card_not_a_card"),
            (b"null", "card_not_a_card"),
            (b"{}", "card_not_a_card"),
            (b'{"name": "shop", "price": 3}', "card_not_a_card"),
            (b'{"name": ["x"], "url": "https://x.example"}', "card_not_a_card"),
            (b'{"name": "x", "url": "https://a.example", "url": "https://b.example"}', "card_ambiguous"),
            (b'{"name": "x", "skills": [], "version": NaN}', "card_ambiguous"),
            (b'{"name": "x", "skills": [], "version": 1e999}', "card_ambiguous"),
            (b'{"name": "x", "skills": ' + b"[" * 100 + b"]" * 100 + b"}", "card_ambiguous"),
            (b'{"name": "x", "skills": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "card_ambiguous"),
            (b'{"name": "x", "skills": [' + b"9" * 5000 + b"]}", "card_not_json"),
            (b" " * 262_145, "card_too_large"),
            (PlainTextResponse("no", 401), "card_needs_sign_in"),
            (PlainTextResponse("no", 403), "card_needs_sign_in"),
            (PlainTextResponse("no", 404), "card_none_there"),
            (PlainTextResponse("no", 500), "card_failed"),
            (PlainTextResponse("no", 429), "card_failed"),
            (Response(status_code=302, headers={"Location": "/card"}), "redirect"),
            (Response(b"{}", headers={"Content-Encoding": "gzip"}), "encoding_refused"),
        ],
        ids=lambda value: value if isinstance(value, str) else " ",
    )
    def test_what_is_no_card_is_told_apart(self, site, page, code):
        origin, _ = site(card=page)
        assert fails(f"{origin}/card").code == code

    def test_a_card_that_the_database_could_not_keep_is_mended(self, site):
        page = b'{"name": "a\\u0000b\\ud800c", "skills": [], "x\\u0000": {"deep": ["\\udc00"]}}'
        origin, _ = site(card=b"\xef\xbb\xbf" + page)
        card = agent_card.fetch([f"{origin}/card"]).card
        assert card == {"name": "a\ufffdb\ufffdc", "skills": [], "x\ufffd": {"deep": ["\ufffd"]}}

    @pytest.mark.django_db
    def test_a_hostile_card_can_be_saved(self, site, project):
        origin, _ = site(card=b'{"name": "\\u0000\\ud83d", "skills": [], "n": ' + b"9" * 4000 + b"}")
        card = agent_card.fetch([f"{origin}/card"]).card
        connection = Connection.objects.create(project=project, name="ledger", endpoint=ENDPOINT, card=card)
        connection.refresh_from_db()
        assert connection.card == card

    @pytest.mark.parametrize(
        ("first", "second", "code"),
        [
            (PlainTextResponse("", 404), PlainTextResponse("", 401), "card_needs_sign_in"),
            (b"<html>", PlainTextResponse("", 404), "card_not_json"),
            (b"<html>", PlainTextResponse("", 401), "card_needs_sign_in"),
            (PlainTextResponse("", 503), PlainTextResponse("", 404), "card_failed"),
            (PlainTextResponse("", 404), PlainTextResponse("", 404), "card_none_there"),
        ],
        ids=range(5),
    )
    def test_of_two_failures_the_more_telling_one_is_told(self, site, first, second, code):
        origin, _ = site(first=first, second=second)
        assert fails([f"{origin}/first", f"{origin}/second"]).code == code

    def test_a_hostile_server_ends_in_an_entry(self, hostile):
        expected = {
            "huge-card": "card_too_large",
            "plain-page": "card_not_json",
            "not-json": "card_not_json",
            "json-list": "card_not_a_card",
            "redirect-307": "redirect",
            "html-503": "card_failed",
            "gzip-bomb": "encoding_refused",
        }
        found = {name: fails(hostile.url(name) + DEFAULT_PATH).code for name in expected}
        assert found == expected

    def test_a_card_of_scripts_and_foreign_hosts_gives_no_address(self, hostile):
        url = hostile.url("script-card")
        found = agent_card.fetch([url + DEFAULT_PATH])
        reach = Card.of(found.card).reach(url)
        assert reach.interfaces == () and reach.reason == "card_foreign"
        assert reach.foreign[0]["url"] == "http://127.0.0.1:9/agent"

    @pytest.mark.parametrize("handler", [hostile_tcp.silent, hostile_tcp.slow_headers, hostile_tcp.slow_body])
    def test_the_deadline_holds_for_all_addresses_together(self, raw_endpoint, handler):
        origin = raw_endpoint(handler).url
        started = time.monotonic()
        assert fails([f"{origin}/one", f"{origin}/two"], deadline=0.5).code == "timeout"
        assert time.monotonic() - started < 2

    @pytest.mark.parametrize("handler", [hostile_tcp.no_http, hostile_tcp.two_lengths, hostile_tcp.drops_in_body])
    def test_what_is_no_http_is_told(self, raw_endpoint, handler):
        assert fails(raw_endpoint(handler).url).code == "bad_answer"

    def test_where_nobody_listens(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            failure = fails([f"http://127.0.0.1:{closed.getsockname()[1]}/card"])
        assert failure.code == "not_reachable" and not failure.reached

    def test_an_http_server_asked_for_https(self, hostile):
        assert fails(hostile.url("x").replace("http:", "https:")).code == "tls_failed"

    @pytest.mark.parametrize(
        ("url", "code"),
        [
            ("https://10.0.0.1/card", "address_blocked"),
            ("https://169.254.169.254/card", "address_blocked"),
            ("https://8.8.8.8:8443/card", "port_blocked"),
            ("http://8.8.8.8/card", "https_needed"),
            ("https://no-such-host.invalid/card", "name_not_found"),
            ("javascript:alert(1)", "invalid_url"),
            ("https://user:pw@contoso.example/card", "invalid_url"),
        ],
    )
    def test_an_address_that_may_not_be_called(self, url, code):
        assert fails(url).code == code

    def test_no_failure_repeats_a_header(self, site):
        origin, _ = site(card=PlainTextResponse("no", 401))
        failure = fails(f"{origin}/card", headers=[("x-api-key", "s3cret-value")])
        assert "s3cret" not in repr(failure) + str(failure.__dict__) + repr(failure.__context__)
