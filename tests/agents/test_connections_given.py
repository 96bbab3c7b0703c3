"""The connections on an agent's page: given, taken back, and how the last call through each ended."""

import pytest

from connections.models import Given
from portal.agents import registering
from portal.agents.models import Agent
from portal.audit import log
from portal.audit.events import Outcome
from portal.audit.models import LogRow
from portal.projects.roles import Role
from tests import factories
from tests.agents.test_pages import AGENTS, text_of

BOT = f"{AGENTS}support-bot/"
KEY = log.Actor("agent_key", None, "web")


@pytest.fixture
def bot(project, ben) -> Agent:
    return registering.register(project, "support-bot", ben)


def test_a_new_agent_has_no_connections_and_who_may_is_offered_to_give_one(browse, ana, ben, bot):
    assert "A new agent has no connections." in text_of(browse(ben).get(BOT))
    assert f'href="{BOT}connections/give/"' in browse(ana).get(BOT).content.decode()
    assert f"{BOT}connections/give/" not in browse(ben).get(BOT).content.decode()


def test_giving_offers_only_what_the_agent_has_not_and_is_logged(browse, ana, bot, project, eve):
    ledger = factories.make_connection(project, name="ledger-agent")
    factories.make_connection(project, name="weather", given_to=bot, credential=None)
    other = factories.make_project("other-project")
    foreign = factories.make_connection(other, name="foreign")
    page = text_of(browse(ana).get(f"{BOT}connections/give/"))
    assert "ledger-agent (Key-based)" in page
    assert "weather" not in page
    assert "foreign" not in page
    assert browse(ana).post(f"{BOT}connections/give/", {"connections": [foreign.pk]}).status_code == 422
    answer = browse(ana).post(f"{BOT}connections/give/", {"connections": [ledger.pk]}, follow=True)
    assert "support-bot can now call ledger-agent." in text_of(answer)
    assert Given.objects.get(connection=ledger).given_by == ana
    assert LogRow.objects.filter(event="connection.given", agent_name="support-bot").count() == 1


def test_giving_leads_to_connecting_a_new_endpoint_for_this_agent(browse, ana, bot):
    page = browse(ana).get(f"{BOT}connections/give/").content.decode()
    assert "for_agent=support-bot" in page


def test_the_table_says_as_whom_the_agent_acts_and_how_its_last_call_ended(browse, ana, bot, project):
    ledger = factories.make_connection(project, name="ledger-agent", given_to=bot)
    factories.make_connection(project, name="weather", credential=None, given_to_all=True)
    for outcome in (Outcome.SUCCEEDED, Outcome.REFUSED_BY_ENDPOINT):
        attempt = log.attempt_of(KEY, project=project, agent=bot, connection=ledger)
        log._append(attempt)
        log._append(log.outcome_of(attempt, outcome))
    text = text_of(browse(ana).get(BOT))
    assert "ledger-agent Key-based Everyone, one shared key — Just now Refused by endpoint Take back" in text
    assert "weather Unauthenticated access Nobody To all agents Never —" in text


def test_taking_back_asks_first_and_the_agent_has_it_no_more(browse, ana, bot, project):
    factories.make_connection(project, name="ledger-agent", given_to=bot)
    client = browse(ana)
    question = text_of(client.get(f"{BOT}connections/ledger-agent/take-back/"))
    assert "The next call of support-bot through ledger-agent is refused" in question
    assert Given.objects.exists()
    client.post(f"{BOT}connections/ledger-agent/take-back/")
    assert not Given.objects.exists()
    assert client.post(f"{BOT}connections/ledger-agent/take-back/").status_code == 404


@pytest.mark.parametrize("role", [Role.AI_USER, Role.READER])
def test_giving_and_taking_back_need_the_right_to_change_connections(browse, project, bot, role):
    ledger = factories.make_connection(project, name="ledger-agent", given_to=bot)
    other = factories.make_connection(project, name="weather")
    client = browse(factories.make_member(project, role))
    assert client.post(f"{BOT}connections/give/", {"connections": [other.pk]}).status_code == 403
    assert client.post(f"{BOT}connections/ledger-agent/take-back/").status_code == 403
    assert list(Given.objects.values_list("connection", flat=True)) == [ledger.pk]
