"""Speaking for users: allowed, changed and withdrawn by owners only, and logged with for whom and until when."""

import json
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.agents import pages, registering, speaking
from portal.agents.models import Agent, SpeakingPermission
from portal.audit.models import LogRow
from portal.projects.roles import Role
from tests import factories
from tests.agents.test_pages import AGENTS, text_of

PAGE = f"{AGENTS}support-bot/speaking/"


@pytest.fixture
def bot(project, ben) -> Agent:
    return registering.register(project, "support-bot", ben)


def details() -> dict:
    return json.loads(LogRow.objects.filter(event="agent.speaking_allowed").latest("id").details)


def test_an_owner_allows_it_for_named_people_until_a_date(browse, ana, ben, chloe, bot):
    browse(ana).post(PAGE, {"whom": "named", "people": [ben.pk, chloe.pk], "until": "2099-01-31"})
    allowed = SpeakingPermission.objects.get()
    assert (allowed.everyone, set(allowed.people.all()), allowed.allowed_by) == (False, {ben, chloe}, ana)
    assert allowed.until.isoformat() == "2099-01-31T23:59:59.999999+00:00"
    assert details()["for"] == [ben.email, chloe.email]
    assert details()["until"].startswith("2099-01-31")
    text = text_of(browse(ben).get(f"{AGENTS}support-bot/"))
    assert "Allowed" in text
    assert "BO Ben Okafor CM Chloe Martin Until 31 January 2099 Allowed by Ana Ruiz" in text


def test_an_owner_allows_it_for_everyone(browse, ana, bot):
    browse(ana).post(PAGE, {"whom": "everyone"})
    allowed = SpeakingPermission.objects.get()
    assert (allowed.everyone, allowed.until, allowed.people.count()) == (True, None, 0)
    assert details() == {"for": "everyone in the project", "until": "withdrawn"}


def test_changing_it_starts_from_what_is_allowed_and_replaces_it(browse, ana, ben, chloe, bot):
    speaking.allow(bot, ana, people=[ben], until=None)
    page = browse(ana).get(PAGE).content.decode()
    assert re.findall(r'name="people" value="([^"]+)"[^>]* checked', page) == [str(ben.pk)]
    browse(ana).post(PAGE, {"whom": "named", "people": [chloe.pk]})
    assert set(SpeakingPermission.objects.get().people.all()) == {chloe}


def test_withdrawing_asks_first_and_is_logged(browse, ana, bot):
    speaking.allow(bot, ana, people=None, until=None)
    question = text_of(browse(ana).get(f"{PAGE}withdraw/"))
    assert "The next call in which support-bot names a user is refused" in question
    assert SpeakingPermission.objects.exists()
    browse(ana).post(f"{PAGE}withdraw/")
    assert not SpeakingPermission.objects.exists()
    assert LogRow.objects.latest("id").event == "agent.speaking_withdrawn"


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"whom": "named"}, "Choose at least one person"),
        ({"whom": ""}, "Choose for whom"),
        ({"whom": "everyone", "until": "2020-01-01"}, "not over"),
        ({"whom": "everyone", "until": "then"}, "valid date"),
    ],
)
def test_what_can_not_be_changes_nothing_and_says_why(browse, ana, bot, data, why):
    answer = browse(ana).post(PAGE, data)
    assert answer.status_code == 422
    assert why in text_of(answer)
    assert not SpeakingPermission.objects.exists()


def test_only_people_who_may_interact_with_agents_here_are_offered(browse, ana, ben, dev, eve, project, bot):
    former = factories.make_member(project, name="Fay Gone")
    factories.give(former, Role.AI_USER, project, until=timezone.now() - timedelta(days=1))
    page = browse(ana).get(PAGE).content.decode()
    assert ben.email in page
    assert not any(person.email in page for person in (dev, eve, former))
    for person in (dev, eve, former):
        assert browse(ana).post(PAGE, {"whom": "named", "people": [person.pk]}).status_code == 422


@pytest.mark.parametrize("role", [Role.AI_USER, Role.PROJECT_MANAGER, Role.AI_OWNER, Role.READER, Role.CONTRIBUTOR])
def test_nobody_but_an_owner_lets_an_agent_speak(browse, project, bot, role):
    member = factories.make_member(project, role)
    answer = browse(member).post(PAGE, {"whom": "everyone"})
    assert answer.status_code == 403
    assert "Owner" in text_of(answer)
    assert not SpeakingPermission.objects.exists()


def test_a_permission_that_has_ended_reads_as_not_allowed(browse, ana, ben, bot):
    speaking.allow(bot, ana, people=None, until=timezone.now() - timedelta(minutes=1))
    bot.refresh_from_db()
    assert pages.speaking_of(bot) is None
    text = text_of(browse(ben).get(f"{AGENTS}support-bot/"))
    assert "Not allowed" in text
    assert "The permission ended on" in text
