"""The playground: a person sends a message as themself, through the portal's own agent and the running gateway."""

import asyncio
import re
from collections.abc import Iterator

import httpx
import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.test import Client

from connections import agent_card, offering
from connections.playground import session
from connections.playground.asking import Message
from connections.playground.session import MOST_WAITING, Session
from portal.agents import playground
from portal.audit.models import LogRow
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import page, text_of, words_of
from tests.gateway.conftest import interfaces_at, rows_of, shared_database  # noqa: F401 -- a fixture
from tests.gateway.second import second_gateway

SPELLINGS = [("JSONRPC", "1.0"), ("HTTP+JSON", "1.0"), ("JSONRPC", "0.3"), ("HTTP+JSON", "0.3")]


@pytest.fixture(scope="module")
def served(shared_database, django_db_blocker, tmp_path_factory) -> Iterator[str]:  # noqa: F811
    """The portal as it is served: gateway and pages in one process of their own."""
    with django_db_blocker.unblock(), second_gateway(tmp_path_factory.mktemp("portal") / "output") as portal:
        yield portal.url
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture
def portal_url(served, transactional_db) -> str:
    return served


@pytest.fixture
def connection(project, fake_agent, ana):
    endpoint = fake_agent(required_header=("x-api-key", "ledger-secret-value"))
    fetched = agent_card.fetch([f"{endpoint.url}/.well-known/agent-card.json"])
    made = factories.make_connection(
        project, endpoint.url, name="ledger-agent", card=fetched.card, interfaces=interfaces_at(endpoint.url)
    )
    offering.give(made, playground.ensure(project, ana), ana)
    return made


@pytest.fixture
def send(portal_url):
    """The pieces of the page as they arrive, for what a signed-in person sends; up to one that has `until`."""

    def post(person, connection, until: str = "", **fields) -> list[str]:
        client = Client()
        client.force_login(person)
        cookies = {django_settings.SESSION_COOKIE_NAME: client.cookies[django_settings.SESSION_COOKIE_NAME].value}
        url = portal_url + page("connection-playground", connection.project, connection.name)
        with httpx.Client(cookies=cookies) as http:
            token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', http.get(url).text)[1]
            sent = {"csrfmiddlewaretoken": token, "text": "echo hello", **fields}
            with http.stream("POST", url, data=sent, headers={"Referer": url}) as answer:
                assert answer.status_code == 200, answer.read()
                return list(_up_to(until, answer.iter_text()))

    return post


def _up_to(until: str, pieces: Iterator[str]) -> Iterator[str]:
    for piece in pieces:
        yield piece
        if until and until in piece:
            return


@pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
@pytest.mark.parametrize("streams", [True, False], ids=["stream", "plain"])
def test_the_answer_and_each_step_are_shown_in_every_dialect(send, ben, connection, spelling, streams):
    connection.interfaces = [i for i in connection.interfaces if (i["binding"], i["version"]) == spelling]
    connection.card["capabilities"]["streaming"] = streams
    connection.save()

    shown = "".join(send(ben, connection, text="task hello"))
    for station in ("key is known", "use this connection, for you", "access log", "prepared", "complete"):
        assert station in shown
    assert "hello" in shown.partition("answer")[2] and "Completed" in shown
    assert "ledger-secret-value" not in shown


def test_the_steps_fold_below_the_answer_at_the_end(send, ben, connection):
    end = send(ben, connection)[-2:]
    assert re.search(r'<details class="more how"><summary>How it went, \d+ ms</summary></details>', "".join(end))


def test_what_an_endpoint_says_under_way_is_a_step(send, ben, connection):
    said = re.findall(r'<p class="(\w+)">', "".join(send(ben, connection, text="stream 2")))
    assert {"said", "step"} <= set(said)


def test_the_answer_comes_while_the_endpoint_still_speaks(send, ben, connection):
    pieces = send(ben, connection, text="stream 5")
    assert len(pieces) > 4


def test_the_call_is_logged_as_the_persons_own(send, ben, connection):
    shown = "".join(send(ben, connection))
    attempt, outcome = rows_of(re.search(r"req_[0-9a-f]{20}", shown.partition("Request <code>")[2])[0])
    assert (attempt.agent_name, attempt.on_behalf_of_name) == ("playground", "Ben Okafor")
    assert (outcome.connection_name, outcome.outcome) == ("ledger-agent", "succeeded")


@pytest.mark.parametrize(("text", "until"), [("slow 20", "credential is prepared"), ("forever", "still working")])
def test_who_leaves_the_page_ends_the_call_and_the_log_says_so(send, ben, connection, text, until):
    send(ben, connection, text=text, until=until)
    attempt = LogRow.objects.get(connection_id=connection.id, event="call")
    outcome = rows_of(attempt.request_id)[-1]
    assert (outcome.kind, outcome.outcome, outcome.reason) == ("outcome", "failed", "client_left")


def test_an_endpoint_that_writes_faster_than_the_page_reads_has_to_wait(ben, connection):
    """Else its whole answer is held in memory, and nobody else's call has a turn while the page is written."""
    key, told = playground.key_of(playground.of(connection.project)), []

    async def flood(scope, receive, send) -> None:
        await send({"type": "http.response.start", "headers": [(b"content-type", b"text/event-stream")]})
        for number in range(10 * MOST_WAITING):
            told.append(number)
            await send({"type": "http.response.body", "body": b"data: {}\n\n", "more_body": True})

    async def read_one_line_and_leave() -> int:
        lines = Session(flood, connection, key, ben, Message("hello")).lines()
        await anext(lines)
        await asyncio.sleep(0.05)
        before = len(told)
        await lines.aclose()
        await asyncio.wait_for(asyncio.gather(*session._calls), 5)
        return before

    assert asyncio.run(read_one_line_and_leave()) <= MOST_WAITING + 1


def test_a_conversation_goes_on(send, ben, connection):
    shown = "".join(send(ben, connection, text="input"))
    assert "Input required" in shown
    ids = {name: re.search(rf'name="{name}" value="([^"]+)"', shown)[1] for name in ("task", "context")}
    assert "Completed" in "".join(send(ben, connection, text="task done", **ids))


def test_a_refusal_says_what_to_do(send, ben, connection):
    connection.secrets.update(value="")
    shown = "".join(send(ben, connection))
    assert 'role="alert"' in shown and "req_" in shown


def test_what_an_endpoint_writes_is_only_text(send, ben, connection):
    shown = "".join(send(ben, connection, text="echo <script>alert(1)</script>"))
    assert "&lt;script&gt;" in shown and "<script>alert" not in shown


def test_a_consent_link_of_the_endpoints_own_making_is_not_offered():
    from connections.playground.reading import consent_links

    own = f"{django_settings.PUBLIC_URL}/consent/1"
    parts = [{"data": {"type": "oauth_consent_request", "consent_link": link}} for link in (own, "https://evil/c")]
    assert list(consent_links({"message": {"parts": parts}})) == [own]


def test_nobody_outside_has_the_playgrounds_key(portal_url, project, ana):
    key = playground.key_of(playground.ensure(project, ana))
    for secret in ("", "A" * 43):
        headers = {"Authorization": f"Bearer ghk_{key.prefix}_{secret}", "gatehouse.inside": "1"}
        answer = httpx.post(f"{portal_url}/a2a/contoso-support/x", headers=headers, json={})
        assert answer.status_code == 401


@pytest.mark.django_db
def test_it_uses_only_what_was_given_to_it(browse, ana, ben, project):
    connection = factories.make_connection(project, name="ledger-agent")
    address = page("connection-playground", project, "ledger-agent")
    assert "was not given to the playground" in words_of(browse(ben).get(address))
    assert "was not given" in words_of(browse(ben).post(address, {"text": "hello"}))
    answer = browse(ana).post(page("connection-playground-give", project, "ledger-agent"), follow=True)
    assert 'name="text"' in text_of(answer) and connection.given.get().agent.is_playground


@pytest.mark.django_db
def test_it_needs_a_role_that_may_interact_with_agents(browse, project):
    factories.make_connection(project, name="ledger-agent")
    reader = factories.make_member(project, Role.READER)
    assert browse(reader).get(page("connection-playground", project, "ledger-agent")).status_code == 403
    assert "Playground" not in text_of(browse(reader).get(page("connection", project, "ledger-agent")))


@pytest.mark.django_db
def test_nobody_makes_or_revokes_its_key(browse, ana, project):
    agent = playground.ensure(project, ana)
    assert browse(ana).post(page("agent-key-new", project, agent.name), {"name": "mine"}).status_code == 404
    revoke = page("agent-key-revoke", project, agent.name, playground.key_of(agent).id)
    assert browse(ana).post(revoke).status_code == 404
    assert agent.keys.live().count() == 1


@pytest.mark.django_db
def test_an_agent_of_that_name_stays_what_it_is(project, ana):
    mine = factories.make_agent(project, "Playground")
    made = playground.ensure(project, ana)
    assert made.name == "playground-2" and not mine.is_playground
    assert playground.ensure(project, ana) == made
