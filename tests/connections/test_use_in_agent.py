"""Use in an agent: giving and taking back from the connection's side."""

import pytest

from portal.audit.models import LogRow
from tests import factories
from tests.connections.pages import page, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def saved(project):
    return factories.make_connection(project, name="ledger-agent")


@pytest.fixture
def agent(project):
    return factories.make_agent(project, "support-bot")


def test_giving_it_to_an_agent_shows_it_on_the_page_and_in_the_log(browse, ana, project, saved, agent):
    shown = text_of(
        browse(ana).post(page("connection-use", project, saved.name), {"agent": "support-bot"}, follow=True)
    )
    assert "support-bot can now call ledger-agent." in shown
    assert saved.given.get().given_by == ana
    assert LogRow.objects.get(event="connection.given").agent_name == "support-bot"


def test_nothing_chosen_gives_nothing(browse, ana, project, saved, agent):
    answer = browse(ana).post(page("connection-use", project, saved.name), {"agent": ""})
    assert answer.status_code == 422 and "Choose an agent, or all agents of this project." in text_of(answer)


def test_only_agents_of_the_project_that_lack_it_are_offered(browse, ana, project, saved, agent):
    factories.make_agent(factories.make_project(), "foreign-bot")
    factories.make_agent(project, "second-bot").given.create(connection=saved)
    shown = text_of(browse(ana).get(page("connection-use", project, saved.name)))
    assert "support-bot" in shown and "foreign-bot" not in shown and "second-bot" not in shown


def test_an_agent_of_another_project_is_refused(browse, ana, project, saved):
    factories.make_agent(factories.make_project(), "foreign-bot")
    answer = browse(ana).post(page("connection-use", project, saved.name), {"agent": "foreign-bot"})
    assert answer.status_code == 422 and not saved.given.exists()


def test_a_new_agent_can_be_registered_on_the_way_and_comes_back(browse, ana, project, saved):
    shown = browse(ana).get(page("connection-use", project, saved.name))
    register = shown.context["register_url"]
    answer = browse(ana).post(register, {"name": "fresh-bot"})
    assert answer.url == page("connection-use", project, saved.name)


def test_all_agents_can_be_given_and_taken_back_after_a_question(browse, ana, project, saved, agent):
    client = browse(ana)
    client.post(page("connection-use", project, saved.name), {"everyone": "on"})
    saved.refresh_from_db()
    assert saved.given_to_all
    assert "No agent can call it then." in text_of(client.get(page("connection-take-from-all", project, saved.name)))
    client.post(page("connection-take-from-all", project, saved.name))
    saved.refresh_from_db()
    assert not saved.given_to_all
    acts = LogRow.objects.filter(event__startswith="connection.").order_by("id").values_list("event", flat=True)
    assert list(acts) == ["connection.given_to_all", "connection.taken_from_all"]


def test_taking_back_asks_and_then_removes_it(browse, ana, project, saved, agent):
    agent.given.create(connection=saved)
    client, url = browse(ana), page("connection-take-back", project, saved.name, "support-bot")
    assert "The next call of support-bot through ledger-agent is refused" in text_of(client.get(url))
    assert saved.given.exists()
    client.post(url)
    assert not saved.given.exists()
    assert client.get(url).status_code == 404


def test_the_agents_tab_lists_who_may_call(browse, ana, project, saved, agent):
    agent.given.create(connection=saved, given_by=ana)
    shown = text_of(browse(ana).get(page("connection-agents", project, saved.name)))
    assert "support-bot" in shown and "Everyone, one shared key" in shown and "Ana Ruiz" in shown and "Never" in shown
