"""The demo's agents for staff answer identities that have a role; their pages say which, and change it."""

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from a2a.client.errors import A2AClientError

from demo import audiences
from demo.cards import SPELLINGS
from demo.endpoint import demo_endpoint, endpoint, staff_agents
from demo.roles import Assignments
from demo.staff import hr, payroll
from tests.fakes.server import listening_socket, serve, url_of
from tests.fakes.stock_client import send
from tests.fakes.token_issuer import PRINCIPAL, TokenIssuer

OTHER = "7d2f0a4c-93be-4c1f-8a55-0e6b1c2d3f40"
in_all_spellings = pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)


@dataclass(frozen=True)
class Staff:
    origin: str
    issuer: TokenIssuer
    file: Path

    def token(self, audience: str = audiences.HR, **claims) -> str:
        return self.issuer.token(audience, name="contoso-support-AgentIdentity", **claims)

    def post(self, path: str, token: str) -> httpx.Response:
        return httpx.post(self.origin + path, json={}, headers={"authorization": f"Bearer {token}"})

    def fill_in(self, path: str = "/hr/roles", headers: dict | None = None, **form: str) -> httpx.Response:
        return httpx.post(self.origin + path, data=form, headers={"accept": "text/html", **(headers or {})})


@pytest.fixture
def staff(issuer, tmp_path) -> Iterator[Staff]:
    sock, file = listening_socket(), tmp_path / "roles.json"
    with serve(endpoint(staff_agents(url_of(sock), issuer.url, Assignments(file))), at=sock):
        yield Staff(url_of(sock), issuer, file)


def ask(staff, path, token, question, spelling=SPELLINGS[0]) -> str:
    [event] = send(f"{staff.origin}{path}", spelling, question, headers={"authorization": f"Bearer {token}"})
    return "".join(part.text for artifact in event.task.artifacts for part in artifact.parts)


@in_all_spellings
def test_who_has_the_role_is_answered_and_named(staff, spelling):
    staff.fill_in(assign=PRINCIPAL)
    answer = ask(staff, "/hr", staff.token(), "How many days of holiday has Ben left?", spelling)
    assert answer.startswith("Ben has 7 days of holiday left.\n")
    assert f"Asked by contoso-support-AgentIdentity ({PRINCIPAL})." in answer
    with pytest.raises(A2AClientError, match="403"):
        ask(staff, "/hr", staff.token(oid=OTHER), "And Chloe?", spelling)


def test_a_role_is_assigned_and_taken_away_on_the_page_and_counts_at_the_next_call(staff):
    refused = staff.post("/hr", staff.token())
    assert refused.status_code == 403
    assert refused.json()["error_description"] == "The identity has no role HR.Read here"
    page = httpx.get(f"{staff.origin}/hr/roles").text
    assert "Nobody has the role yet." in page
    assert f'name="assign" value="{PRINCIPAL}"' in page, "who was refused lately can be chosen"

    done = staff.fill_in(assign=PRINCIPAL)
    assert (done.status_code, done.headers["location"]) == (303, "/hr/roles")
    page = httpx.get(f"{staff.origin}/hr/roles").text
    assert "contoso-support-AgentIdentity" in page
    assert f'name="take_away" value="{PRINCIPAL}"' in page
    assert f'name="assign" value="{PRINCIPAL}"' not in page
    assert staff.post("/hr", staff.token()).status_code == 200

    staff.fill_in(take_away=PRINCIPAL)
    assert staff.post("/hr", staff.token()).status_code == 403


@pytest.mark.parametrize("name", ["contoso-support-AgentIdentity", ""])
def test_an_id_that_never_asked_is_doubted_until_it_asks(staff, name):
    staff.fill_in(assign=PRINCIPAL)
    doubt = "No identity with this ID has asked here yet. Is it the principal ID, not the client ID?"
    assert doubt in httpx.get(f"{staff.origin}/hr/roles").text
    staff.post("/hr", staff.issuer.token(audiences.HR, name=name))
    page = httpx.get(f"{staff.origin}/hr/roles").text
    assert doubt not in page
    assert (name or "No name in its token") in page


def test_each_agent_has_an_audience_and_a_role_of_its_own(staff):
    staff.fill_in(assign=PRINCIPAL)
    assert staff.post("/payroll", staff.token()).json()["error_description"] == "The token is for another audience"
    assert staff.post("/payroll", staff.token(audiences.PAYROLL)).status_code == 403
    staff.fill_in("/payroll/roles", assign=PRINCIPAL)
    assert "25 November 2026" in ask(staff, "/payroll", staff.token(audiences.PAYROLL), "When is payday?")


def test_roles_outlive_the_endpoint_in_a_private_file(staff):
    staff.fill_in(assign=PRINCIPAL, name="somebody")
    assert json.loads(staff.file.read_text()) == {"HR.Read": {PRINCIPAL: "somebody"}}
    assert stat.S_IMODE(staff.file.stat().st_mode) == 0o600
    sock = listening_socket()
    portal = staff.issuer.url.removesuffix("/issuer")
    with serve(demo_endpoint(url_of(sock), "key", portal=portal, roles_in=staff.file), at=sock):
        assert "somebody" in httpx.get(f"{url_of(sock)}/hr/roles").text


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"host": "evil.example", "origin": "http://evil.example"},
        {"host": "evil.example"},
    ],
    ids=str,
)
def test_another_sites_form_changes_nothing(staff, headers):
    assert staff.fill_in(headers=headers, assign=PRINCIPAL).status_code == 403
    assert not staff.file.exists()


@pytest.mark.parametrize("entered", ["", "support-bot", "<script>", f"{PRINCIPAL}0"])
def test_what_is_no_principal_id_is_not_kept(staff, entered):
    answer = staff.fill_in(assign=entered)
    assert answer.status_code == 400
    assert "A principal ID looks like" in answer.text
    assert not staff.file.exists()


def test_a_name_from_a_token_is_text_on_the_page(staff):
    staff.post("/hr", staff.issuer.token(audiences.HR, name="<script>alert(1)</script>"))
    page = httpx.get(f"{staff.origin}/hr/roles")
    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", ["/hr", "/hr/", "//hr/tasks", "/hr/tasks", "/hr/roles/", "//hr/roles", "/hr/roles/x"])
def test_nothing_but_the_page_and_the_card_is_open(staff, path):
    answer = httpx.get(staff.origin + path)
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="api://contoso-hr"')
    assert httpx.get(f"{staff.origin}/hr/roles.css").status_code == 200


@pytest.mark.parametrize(("path", "name"), [("/hr", "HR agent"), ("/payroll", "Payroll agent")])
def test_the_cards_name_the_issuer_to_get_tokens_from(staff, path, name):
    card = httpx.get(f"{staff.origin}{path}/.well-known/agent-card.json").json()
    assert card["name"] == name
    scheme = card["securitySchemes"]["identities"]["openIdConnectSecurityScheme"]
    assert httpx.get(scheme["openIdConnectUrl"]).json()["issuer"] == staff.issuer.url
    assert card["securityRequirements"] == [{"schemes": {"identities": {}}}]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (hr("What are the working hours?"), "Working hours are 9:00 to 17:30"),
        (hr("Which public holidays come?"), "The next public holidays are 25 December 2026"),
        (hr("How much has Zoe left?"), "I know working hours, public holidays, and the holidays left of Ana, Ben"),
        (payroll("What was the payroll of October?"), "The payroll of October 2026 was paid on 23 October"),
        (payroll("When is the next payday?"), "The next payday is 25 November 2026."),
    ],
)
def test_they_know_their_tables(answer, expected):
    assert answer.text.startswith(expected)
