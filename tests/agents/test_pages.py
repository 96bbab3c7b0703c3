"""The agents' pages: list, register, describe, disable, delete, and who may."""

import html
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.agents import keys, registering, speaking
from portal.agents.models import Agent, AgentKey
from portal.audit.models import LastUse, LogRow
from portal.projects.roles import Role
from tests import factories

AGENTS = "/projects/contoso-support/agents/"


@pytest.fixture
def bot(project, ben) -> Agent:
    """Registered by Ben."""
    return registering.register(project, "support-bot", ben, description="Answers customers.")


def text_of(response) -> str:
    """What a person reads on a page, on one line."""
    body = response.content.decode().partition("<main")[2]
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def events() -> list[str]:
    return list(LogRow.objects.order_by("id").values_list("event", flat=True))


def test_an_empty_project_says_what_an_agent_is_and_offers_to_register_one(browse, ben):
    page = browse(ben).get(AGENTS)
    assert "No agents yet" in text_of(page)
    assert f'href="{AGENTS}new/"' in page.content.decode()


def test_a_reader_is_not_offered_what_they_may_not_do(browse, project):
    reader = factories.make_member(project, Role.READER)
    assert f"{AGENTS}new/" not in browse(reader).get(AGENTS).content.decode()


def test_the_list_says_of_each_agent_who_registered_it_and_what_it_has(browse, ben, ana, bot, project):
    key, _ = keys.make(bot, "web", ben)
    keys.revoke(keys.make(bot, "old", ben)[0], ben)
    LastUse.objects.create(subject=key.id, at=timezone.now() - timedelta(minutes=5))
    factories.make_connection(project, given_to=bot)
    factories.make_connection(project, given_to_all=True)
    speaking.allow(bot, ana, people=None, until=None)
    text = text_of(browse(ben).get(AGENTS))
    assert "support-bot Ben Okafor 2 1 Everyone Active 5 minutes ago" in text
    assert "1 agent" in text


def test_the_list_takes_the_same_few_queries_for_many_agents(browse, ben, project, django_assert_max_num_queries):
    for number in range(30):
        factories.make_key(factories.make_agent(project, f"bot-{number}", registered_by=ben), by=ben)
    client = browse(ben)
    with django_assert_max_num_queries(25):
        client.get(AGENTS)


def test_registering_leads_to_the_agents_page_and_is_logged(browse, ben, project):
    client = browse(ben)
    answer = client.post(f"{AGENTS}new/", {"name": "support-bot", "description": "Answers."}, follow=True)
    agent = project.agents.get()
    assert answer.redirect_chain == [(f"{AGENTS}support-bot/", 302)]
    assert (agent.registered_by, agent.description) == (ben, "Answers.")
    assert "support-bot is registered" in text_of(answer)
    assert events() == ["agent.registered"]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "Enter a name"),
        ("ab", "3 to 63 letters"),
        ("support bot", "3 to 63 letters"),
        ("-bot", "3 to 63 letters"),
        ("../bot", "3 to 63 letters"),
        ("Support-BOT", "named Support-BOT already"),
        ("new", "No agent can be named new"),
        ("<script>", "3 to 63 letters"),
    ],
)
def test_a_name_that_can_not_be_says_why_and_keeps_what_was_typed(browse, ben, bot, project, name, why):
    answer = browse(ben).post(f"{AGENTS}new/", {"name": name, "description": "Typed words"})
    assert answer.status_code == 422
    assert why in text_of(answer)
    assert "Typed words" in answer.content.decode()
    assert project.agents.count() == 1


@pytest.mark.parametrize(
    ("asked", "led_to"),
    [
        ("/projects/contoso-support/tools/ledger/use/", "/projects/contoso-support/tools/ledger/use/"),
        ("/projects/fabrikam/tools/", f"{AGENTS}support-bot/"),
        ("https://evil.example/projects/contoso-support/", f"{AGENTS}support-bot/"),
        ("//evil.example/", f"{AGENTS}support-bot/"),
        ("/projects/contoso-support/\\evil.example", f"{AGENTS}support-bot/"),
        ("javascript:alert(1)", f"{AGENTS}support-bot/"),
    ],
)
def test_registering_comes_back_only_to_a_page_of_the_same_project(browse, ben, project, asked, led_to):
    answer = browse(ben).post(f"{AGENTS}new/?next={asked}", {"name": "support-bot"})
    assert (answer.status_code, answer["location"]) == (302, led_to)


def test_hidden_and_turning_characters_do_not_reach_a_description(browse, ben, bot):
    browse(ben).post(f"{AGENTS}support-bot/settings/", {"description": "safe\u202e\x1b[31m <b>bold</b>\u200b"})
    bot.refresh_from_db()
    assert bot.description == "safe[31m <b>bold</b>"
    assert "&lt;b&gt;bold" in browse(ben).get(f"{AGENTS}support-bot/").content.decode()


def test_saving_without_a_change_writes_no_row(browse, ben, bot):
    browse(ben).post(f"{AGENTS}support-bot/settings/", {"description": "Answers customers."})
    assert events() == ["agent.registered"]


def test_a_disabled_agent_says_so_and_can_be_enabled_again(browse, ben, bot):
    client = browse(ben)
    assert "gets an error at its next call" in text_of(client.get(f"{AGENTS}support-bot/disable/"))
    page = client.post(f"{AGENTS}support-bot/disable/", follow=True)
    assert "Disabled by Ben Okafor" in text_of(page)
    bot.refresh_from_db()
    assert bot.disabled_by == ben
    client.post(f"{AGENTS}support-bot/enable/")
    bot.refresh_from_db()
    assert bot.disabled_at is None
    assert events() == ["agent.registered", "agent.disabled", "agent.enabled"]


def test_disabling_twice_is_logged_once(bot, ben):
    registering.disable(bot, ben)
    registering.disable(bot, ben)
    assert events().count("agent.disabled") == 1


def test_deleting_names_what_stops_and_wants_the_name_typed(browse, ben, bot, project):
    keys.make(bot, "web", ben)
    factories.make_connection(project, name="ledger-agent", given_to=bot)
    client = browse(ben)
    question = text_of(client.get(f"{AGENTS}support-bot/delete/"))
    assert "Its key web stops at once." in question
    assert "can no longer call the connection ledger-agent" in question
    refused = client.post(f"{AGENTS}support-bot/delete/", {"confirm_word": "support"})
    assert (refused.status_code, project.agents.count()) == (422, 1)
    client.post(f"{AGENTS}support-bot/delete/", {"confirm_word": "support-bot"})
    assert not Agent.objects.exists()
    assert not AgentKey.objects.exists()
    assert "agent.deleted" in events()
    assert set(LogRow.objects.exclude(agent_id=None).values_list("agent_name", flat=True)) == {"support-bot"}


CHANGES = ["settings/", "disable/", "enable/", "delete/", "keys/new/"]


@pytest.mark.parametrize("page", CHANGES)
def test_another_azure_ai_user_may_see_an_agent_but_not_change_it(browse, chloe, bot, page):
    client = browse(chloe)
    assert client.get(f"{AGENTS}support-bot/").status_code == 200
    assert f"{AGENTS}support-bot/{page}" not in client.get(f"{AGENTS}support-bot/").content.decode()
    data = {"confirm_word": "support-bot", "name": "mine", "expires": "90"}
    answer = client.post(f"{AGENTS}support-bot/{page}", data)
    assert answer.status_code == 403
    assert "Azure AI Project Manager" in text_of(answer)
    bot.refresh_from_db()
    assert (bot.disabled_at, bot.keys.count()) == (None, 0)


@pytest.mark.parametrize("page", CHANGES)
def test_who_manages_agents_may_change_everybodys(browse, project, bot, page):
    manager = factories.make_member(project, Role.PROJECT_MANAGER, name="Mia Lang")
    assert browse(manager).get(f"{AGENTS}support-bot/{page}").status_code == 200


def test_who_registered_an_agent_and_lost_the_role_may_not_change_it(browse, ben, bot, project):
    ben.role_assignments.all().delete()
    factories.give(ben, Role.READER, project)
    answer = browse(ben).post(f"{AGENTS}support-bot/disable/")
    assert answer.status_code == 403
    assert "Azure AI User" in text_of(answer)


@pytest.mark.parametrize("page", ["", "settings/", "keys/", "keys/new/", "speaking/", "delete/"])
def test_an_agent_of_another_project_is_not_there(browse, ana, eve, bot, page):
    assert browse(ana).get(f"/projects/fabrikam/agents/support-bot/{page}").status_code == 404
    assert browse(eve).get(f"{AGENTS}support-bot/{page}").status_code == 404
