"""The card that agents get leads to the gateway and nowhere round it (protocols.md 1.5, T30)."""

import asyncio
import json

import httpx
import pytest
from a2a.client import A2ACardResolver
from a2a.types import GetExtendedAgentCardRequest
from a2a.utils.constants import AGENT_CARD_WELL_KNOWN_PATH

from tests.fakes.a2a_server import SPELLINGS
from tests.fakes.hostile_answers import plain_card
from tests.fakes.stock_client import TLS, only, send, with_client
from tests.gateway.conftest import Line, interfaces_at, new_line, rows_of, rpc
from tests.gateway.refusing import code_of
from tests.gateway.test_passing import endpoint_answering

every_spelling = pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
V1 = {"a2a-version": "1.0"}


def card_of(line: Line, **headers: str) -> httpx.Response:
    return line.get(AGENT_CARD_WELL_KNOWN_PATH, headers)


def extended(line: Line, spelling: tuple[str, str]):
    async def talk(client):
        return await client.get_extended_agent_card(GetExtendedAgentCardRequest())

    return with_client(line.url, spelling, talk, headers=line.headers)


def test_the_card_names_the_gateway_for_every_interface(shared_line):
    card = card_of(shared_line).json()

    spoken = [(each["protocolBinding"], each["protocolVersion"]) for each in card["supportedInterfaces"]]
    assert spoken == list(SPELLINGS)
    assert {each["url"] for each in card["supportedInterfaces"]} == {shared_line.url}
    assert {each["url"] for each in card["additionalInterfaces"]} == {card["url"]} == {shared_line.url}


def test_the_card_asks_for_the_agent_key_and_for_nothing_of_the_endpoints(shared_line):
    card = card_of(shared_line).json()

    assert list(card["securitySchemes"]) == ["gatehouse"]
    assert card["securityRequirements"] == [{"schemes": {"gatehouse": {"list": []}}}]
    assert card["security"] == [{"gatehouse": []}]
    assert card["capabilities"] == {"streaming": True, "extendedAgentCard": True, "pushNotifications": False}
    assert "signatures" not in card


def test_what_the_card_says_of_the_agent_stays(shared_line):
    card = card_of(shared_line).json()

    assert (card["name"], card["version"]) == ("Fake agent", "1.0.0")
    assert [skill["id"] for skill in card["skills"]] == ["echo"]


def test_the_endpoint_is_not_asked_for_the_card(shared_line):
    """It was read when an administrator saved the connection; a changed one moves nothing (T30)."""
    before = len(shared_line.endpoint.received)
    shared_line.endpoint.card.supported_interfaces[0].url = "https://evil.example/agent"
    text = card_of(shared_line).text

    assert len(shared_line.endpoint.received) == before
    assert "evil.example" not in text


def test_reading_the_card_leaves_a_row(shared_line):
    answer = card_of(shared_line)

    [row] = rows_of(answer.headers["x-request-id"], count=1)
    assert (row.method, row.outcome, row.connection_name) == (
        "GetAgentCard",
        "succeeded",
        shared_line.connection.name,
    )


EVERYWHERE = {
    "documentationUrl": "{origin}/docs",
    "iconUrl": "{origin}/icon.png",
    "provider": {"organization": "Contoso", "url": "{origin}"},
    "supportedInterfaces": [
        {"url": "{url}", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
        {"url": "{url}/grpc", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
        {"url": "https://elsewhere.example/agent", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
    ],
    "additionalInterfaces": [{"url": "{url}", "transport": "GRPC"}, {"url": "{url}/x", "transport": "JSONRPC"}],
    "url": "{url}",
    "protocolVersion": "0.3.0",
    "securitySchemes": {"oauth": {"oauth2SecurityScheme": {"flows": {"tokenUrl": "{origin}/token"}}}},
    "signatures": [{"protected": "e30", "signature": "AA", "header": {"jku": "{origin}/keys"}}],
    "skills": [{"id": "s", "name": "S", "examples": ["{url}"], "security": [{"oauth": []}], "x": ["{origin}/a"]}],
    "x_new": {"deep": [{"url": "{url}/new", "list": ["{origin}"]}]},
}


def filled(value, **places):
    return json.loads(json.dumps(value).replace("{origin}", places["origin"]).replace("{url}", places["url"]))


def test_no_member_of_the_card_leads_to_the_endpoint(shared_gateway, fake_agent):
    endpoint = fake_agent()
    card = plain_card(endpoint.url) | filled(EVERYWHERE, origin=endpoint.origin, url=endpoint.url)
    line = new_line(endpoint.url, card=card, interfaces=interfaces_at(endpoint.url))
    said = card_of(line)

    assert endpoint.origin not in said.text
    assert "elsewhere.example" not in said.text
    assert "GRPC" not in said.text
    assert "oauth" not in said.text
    assert line.url in said.text


def test_no_member_of_an_extended_card_leads_to_it_either(shared_gateway, raw_endpoint):
    served: dict[str, str] = {}

    async def answers_with_a_card(reader, writer):
        await endpoint_answering(served["body"].encode())(reader, writer)

    url = raw_endpoint(answers_with_a_card).url
    card = plain_card(url) | filled(EVERYWHERE, origin=url, url=url)
    line = new_line(url, interfaces=interfaces_at(url))

    served["body"] = json.dumps({"jsonrpc": "2.0", "id": 7, "result": card})
    rpc_answer = line.post(rpc("GetExtendedAgentCard"), headers=V1)
    served["body"] = json.dumps(card)
    answers = [rpc_answer, line.get("/extendedAgentCard"), line.get("/v1/card")]

    for answer in answers:
        assert answer.status_code == 200
        assert url not in answer.text
        assert "elsewhere.example" not in answer.text
        assert line.url in answer.text
    assert rpc_answer.json()["id"] == 7


@every_spelling
def test_the_stock_client_gets_the_extended_card_of_the_gateway(shared_line, spelling):
    card = extended(shared_line, spelling)

    assert [skill.id for skill in card.skills] == ["echo", "secret"]
    assert {interface.url for interface in card.supported_interfaces} == {shared_line.url}
    assert shared_line.endpoint.origin not in str(card)
    assert shared_line.endpoint.calls()[-1].header("x-api-key") == ["ledger-secret-value"]


@pytest.mark.parametrize("result", [None, "a card", [1], 7])
def test_what_is_no_card_is_not_taken_for_one(shared_gateway, raw_endpoint, result):
    """It can't be rewritten, so nobody knows where it would lead."""
    body = json.dumps({"jsonrpc": "2.0", "id": 7, "result": result}).encode()
    answer = new_line(raw_endpoint(endpoint_answering(body)).url).post(rpc("GetExtendedAgentCard"), headers=V1)

    assert code_of(answer) == "endpoint_not_a2a"


def test_an_extended_card_that_is_nested_without_end_is_survived(shared_gateway, raw_endpoint):
    body = b'{"jsonrpc":"2.0","id":7,"result":{"name":"x","deep":' + b"[" * 900 + b"]" * 900 + b"}}"
    answer = new_line(raw_endpoint(endpoint_answering(body)).url).post(rpc("GetExtendedAgentCard"), headers=V1)

    assert answer.json()["result"]["name"] == "x"


# Where no card could be read.


@every_spelling
@pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])
def test_a_stock_client_can_use_the_minimal_card(shared_gateway, fake_agent, spelling, streaming):
    endpoint = fake_agent(required_header=("x-api-key", "ledger-secret-value"), card_is_public=False)
    line = new_line(endpoint.url, interfaces=interfaces_at(endpoint.url))
    events = send(line.url, spelling, "task hello", streaming=streaming, headers=line.headers)

    assert events[-1].task.artifacts[0].parts[0].text == "hello"


def test_the_minimal_card_names_the_connection_the_gateway_and_the_chosen_bindings(shared_gateway, fake_agent):
    endpoint = fake_agent()
    chosen = [{"url": endpoint.url, "binding": "HTTP+JSON", "version": "1.0"}]
    line = new_line(endpoint.url, interfaces=chosen, display_name="Ledger agent")
    answer = card_of(line)
    card = answer.json()

    assert answer.status_code == 200
    assert card["name"] == "Ledger agent"
    assert card["supportedInterfaces"] == [{"url": line.url, "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"}]
    assert "url" not in card
    assert endpoint.origin not in answer.text


def test_a_binding_that_is_not_in_the_card_is_refused(shared_gateway, fake_agent):
    endpoint = fake_agent()
    line = new_line(endpoint.url, interfaces=[{"url": endpoint.url, "binding": "HTTP+JSON", "version": "1.0"}])

    assert code_of(line.post(rpc(), headers=V1)) == "binding_not_offered"
    assert endpoint.calls() == []


# Who may read it.


def test_without_an_agent_key_the_stock_client_is_told_401(shared_line):
    async def read():
        async with httpx.AsyncClient(verify=TLS) as http:
            return await A2ACardResolver(http, shared_line.url).get_agent_card()

    with pytest.raises(Exception, match="401"):
        asyncio.run(read())
    assert httpx.get(f"{shared_line.url}{AGENT_CARD_WELL_KNOWN_PATH}", verify=TLS).status_code == 401


def test_another_agents_card_is_not_there(shared_line, fake_agent):
    other = new_line(shared_line.endpoint.url)
    answer = httpx.get(f"{shared_line.url}{AGENT_CARD_WELL_KNOWN_PATH}", headers=other.headers, verify=TLS)

    assert (answer.status_code, code_of(answer)) == (403, "connection_unknown")


def test_a_card_is_never_kept_by_anyone(shared_line):
    assert card_of(shared_line).headers["cache-control"] == "no-store"


def test_where_the_interfaces_have_tenants_each_call_goes_to_its_own(shared_gateway, raw_endpoint):
    seen: list = []
    url = raw_endpoint(endpoint_answering(b'{"jsonrpc":"2.0","id":7,"result":{}}', seen=seen)).url
    line = new_line(
        url,
        interfaces=[
            {"url": f"{url}/one", "binding": "JSONRPC", "version": "1.0", "tenant": "one"},
            {"url": f"{url}/two", "binding": "JSONRPC", "version": "1.0", "tenant": "two"},
        ],
    )
    message = {"message": {"messageId": "m", "role": "ROLE_USER", "parts": []}}
    codes = [code_of(line.post(rpc(params=message | {"tenant": name}), headers=V1)) for name in ("two", "one", "three")]

    assert codes == [None, None, "undeclared_tenant"]
    assert [head for head, _ in seen] == [b"POST /two HTTP/1.1", b"POST /one HTTP/1.1"]


def test_the_rewritten_card_is_one_that_the_stock_client_reads_in_every_spelling(shared_line):
    async def read():
        async with httpx.AsyncClient(verify=TLS, headers=shared_line.headers) as http:
            return await A2ACardResolver(http, shared_line.url).get_agent_card()

    card = asyncio.run(read())
    assert [only(card, spelling).supported_interfaces[0].url for spelling in SPELLINGS] == [shared_line.url] * 4
