"""The search in the banner: request ids, codes and names; nobody finds what is not theirs to see."""

from pathlib import Path

import pytest
from django.conf import settings
from django.urls import reverse
from django.utils import timezone

from connections.troubleshooting import CATALOGUE
from portal.audit import log
from portal.audit.context import new_request_id
from portal.audit.events import CALL, CALL_REFUSED, Outcome
from portal.audit.models import LogRow
from portal.identities import roster
from portal.projects.roles import Role
from portal.search.requests import id_in
from tests import factories
from tests.connections.pages import text_of, words_of

DOCS = Path(settings.BASE_DIR, "docs", "troubleshooting.md").read_text()
pytestmark = pytest.mark.django_db
REASON = "endpoint_refused_401"
RESOLUTION = "Regenerate or rotate the credential and update the connection."


@pytest.fixture
def search(browse):
    return lambda person, words: browse(person).get(reverse("search"), {"q": words})


@pytest.fixture
def call(project, ben):
    """A failed call of support-bot for Ben, in its two rows."""
    agent = factories.make_agent(
        project, "support-bot", registered_by=factories.make_member(project, Role.AI_USER, name="Rita Stone")
    )
    connection = factories.make_connection(project, name="ledger-agent")
    request_id = new_request_id()
    finish = log.row_of(
        CALL,
        log.Actor("agent_key", None, "web"),
        outcome=Outcome.IN_PROGRESS,
        kind="attempt",
        call_id=log.uuid7(),
        request_id=request_id,
        project=project,
        agent=agent,
        connection=connection,
        on_behalf_of=ben,
    )
    log._append(finish)
    log._append(log.outcome_of(finish, Outcome.REFUSED_BY_ENDPOINT, reason=REASON))
    return request_id, agent, connection


def test_a_request_id_leads_to_its_explanation(search, ben, call):
    shown = words_of(search(ben, call[0]))
    assert "support-bot called ledger-agent" in shown and "Refused by endpoint" in shown
    assert RESOLUTION in shown and "An administrator of the project" in shown


def test_a_whole_sentence_of_an_error_may_be_pasted(search, ben, call):
    assert RESOLUTION in words_of(search(ben, f"The endpoint refused the credential. (request {call[0].upper()})"))


def test_the_beginning_of_a_request_id_is_enough(search, ben, eve, call):
    for words in (call[0][:8], call[0][:12].upper(), f"{call[0][:12]}…"):
        assert RESOLUTION in words_of(search(ben, words)) and call[0] in text_of(search(ben, words))
        assert "No request whose id begins like this concerns you." in words_of(search(eve, words))
    other = "0" if call[0][8] != "0" else "1"
    for words in (call[0][:7], call[0][:8] + other):
        assert "Nothing found" in words_of(search(ben, words))


def test_the_owner_of_the_agent_and_those_who_see_the_connection_are_told_and_led_no_further(search, ana, call):
    _, agent, _ = call
    for person in (agent.registered_by, ana):
        shown = search(person, call[0])
        assert RESOLUTION in words_of(shown) and "Open in the access log" not in text_of(shown)


def test_whoever_lost_every_role_is_told_nothing_of_their_agents_calls(search, call):
    _, agent, _ = call
    agent.registered_by.role_assignments.all().delete()
    assert "Nothing found" in words_of(search(agent.registered_by, call[0]))


def test_an_auditor_is_led_to_the_row(search, dev, call):
    shown = text_of(search(dev, call[0]))
    assert RESOLUTION in shown
    address = shown.partition("Open in the access log")[0].rpartition('href="')[2].partition('"')[0]
    assert address.startswith("/projects/contoso-support/access-log/")


def test_the_call_has_its_headline_its_beginning_and_a_way_to_the_connection(search, ana, call):
    began = LogRow.objects.get(request_id=call[0], kind="attempt").time
    page = search(ana, call[0])
    [one] = page.context["traced"]
    assert one.began == began and f"{timezone.localtime(began):%H:%M:%S}" in words_of(page)
    assert "The endpoint refused the credential." in words_of(page)
    assert f'href="{reverse("connection", args=["contoso-support", "ledger-agent"])}">Open ledger-agent' in text_of(
        page
    )


def test_nobody_is_led_to_a_connection_that_they_may_not_open(search, project, call):
    person = factories.make_user(name="Olga Roth")
    log.record(CALL, log.Actor.of(person), request_id=call[0], project=project, connection=call[2])
    page = text_of(search(person, call[0]))
    assert "called ledger-agent" in page and "Open ledger-agent" not in page


def test_anybody_elses_request_is_as_unknown_as_one_that_never_was(search, eve, project, call):
    member = factories.make_member(project, Role.AGENT_CONSUMER, name="Cora Lind")
    for person in (eve, member):
        shown = words_of(search(person, call[0]))
        assert shown.replace(call[0], "") == words_of(search(person, (other := new_request_id()))).replace(other, "")
        assert "Nothing found" in shown and "ledger-agent" not in shown


def test_a_refused_call_is_found_too(search, dev, project):
    request_id = new_request_id()
    log.record(
        CALL_REFUSED,
        log.Actor("nobody", None, ""),
        outcome=Outcome.NOT_PERMITTED,
        reason="agent_key_expired",
        request_id=request_id,
        project=project,
    )
    assert "Not permitted" in words_of(search(dev, request_id))


@pytest.mark.parametrize("code", [REASON, "ENDPOINT_REFUSED_401", " endpoint_refused_401 "])
def test_a_code_leads_to_its_meaning(search, ben, code):
    assert RESOLUTION in words_of(search(ben, code))


def test_names_are_found_where_the_person_may_see_them(search, ben, eve, call):
    shown = text_of(search(ben, "LEDGER"))
    assert reverse("connection", args=["contoso-support", "ledger-agent"]) in shown
    assert reverse("agent", args=["contoso-support", "support-bot"]) in text_of(search(ben, "support-b"))
    assert reverse("project", args=["contoso-support"]) in text_of(search(ben, "contoso"))
    for words in ("ledger", "support-bot", "contoso-support"):
        assert "Nothing found" in words_of(search(eve, words))


def test_a_code_that_curl_prints_leads_to_all_that_it_may_mean(search, ben):
    shown = text_of(search(ben, "-32053"))
    codes = {
        code
        for code in CATALOGUE
        if f"`{code}`" in DOCS and "| -32053," in DOCS.partition(f"`{code}`")[2].partition("\n")[0]
    }
    assert len(codes) > 10 and all(f'?q={code}"' in shown for code in codes)
    assert "?q=secret_missing" not in shown
    assert "Nothing found" in words_of(search(ben, "-32099"))


@pytest.mark.parametrize("words", ["The server did not answer in time", "server did not answer in time."])
def test_a_headline_leads_to_its_explanation(search, ben, words):
    assert '?q=timeout"' in text_of(search(ben, words))


def test_an_identity_is_found_by_name_and_principal_id_by_those_who_may_see_it(search, ben, eve, project):
    identity = roster.shared_by_agents(project)
    address = reverse("identity", args=[project.name, identity.id])
    member = factories.make_member(project, Role.AGENT_CONSUMER, name="Cora Lind")
    for words in (identity.name, identity.principal_id, identity.principal_id[:8].upper()):
        assert address in text_of(search(ben, words))
        for stranger in (eve, member):
            assert address not in text_of(search(stranger, words))


@pytest.mark.parametrize("words", ["", "l", "%", "ab\0cd", "'; DROP TABLE", "x" * 5000])
def test_odd_words_find_nothing_and_break_nothing(search, ben, call, words):
    assert search(ben, words).status_code == 200


def test_what_was_typed_is_only_text(search, ben):
    assert "<script>alert" not in text_of(search(ben, "x<script>alert(1)</script>")).replace("&lt;script>", "")


def test_every_page_has_the_search_in_its_banner(browse, ben, project):
    shown = text_of(browse(ben).get(reverse("tools", args=[project.name])))
    assert 'role="search"' in shown and f'action="{reverse("search")}"' in shown


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("req_0123456789abcdef0123", "req_0123456789abcdef0123"),
        ("req_0123", ""),
        ("(request req_" + "A" * 20 + ")", "req_" + "a" * 20),
    ],
)
def test_an_id_is_read_out_of_what_was_pasted(words, found):
    assert id_in(words) == found


def test_the_frame_keeps_the_project_that_one_searched_from(browse, ben, eve, project):
    field = f'<input type="hidden" name="in" value="{project.name}">'
    assert field in text_of(browse(ben).get(reverse("agents", args=[project.name])))
    within = {"q": "ledger", "in": project.name}
    assert f"Project: {project.name}" in text_of(browse(ben).get(reverse("search"), within))
    for page in (
        browse(eve).get(reverse("search"), within),
        browse(ben).get(reverse("search"), within | {"in": "a\0"}),
    ):
        assert "Project: none chosen" in text_of(page) and field not in text_of(page)
