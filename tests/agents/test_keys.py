"""Keys: made by whoever may, shown once, at most two live, revoked with what that stops."""

import html
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.agents import keys, registering
from portal.agents.keys import Presented
from portal.agents.models import Agent, AgentKey
from portal.audit.models import LogRow
from tests import factories
from tests.agents.test_pages import AGENTS, text_of

BOT = f"{AGENTS}support-bot/"
KEY = re.compile(r"ghk_[A-Za-z0-9]{12}_[A-Za-z0-9_-]{43}")


@pytest.fixture
def bot(project, ben) -> Agent:
    return registering.register(project, "support-bot", ben)


def make(client, name: str = "web", expires: str = "90", **more):
    return client.post(f"{BOT}keys/new/", {"name": name, "expires": expires, **more})


def test_a_new_key_is_shown_once_by_the_posts_own_answer(browse, ben, bot):
    client = browse(ben)
    answer = make(client)
    [key] = set(KEY.findall(answer.content.decode()))
    assert answer.status_code == 200
    assert "no-store" in answer["cache-control"]
    assert "It can't be shown again" in text_of(answer)
    stored = AgentKey.objects.get()
    assert Presented.parse(key).matches(stored)
    for path in (BOT, f"{BOT}keys/", f"{BOT}keys/new/", f"{BOT}keys/{stored.id}/revoke/"):
        page = client.get(path).content.decode()
        assert key not in page
        assert key.split("_", 2)[2] not in page


def test_the_key_is_in_no_row_of_the_log_and_no_session(browse, ben, bot):
    client = browse(ben)
    [key] = set(KEY.findall(make(client).content.decode()))
    secret = key.split("_", 2)[2]
    assert LogRow.objects.filter(event="agent.key_made").count() == 1
    assert not any(secret in repr(vars(row)) for row in LogRow.objects.all())
    assert secret not in repr(dict(client.session))


def test_a_key_lives_90_days_unless_something_else_is_chosen(browse, ben, bot):
    form = html.unescape(browse(ben).get(f"{BOT}keys/new/").content.decode())
    assert '<option value="90" selected>In 90 days' in form
    make(browse(ben))
    left = AgentKey.objects.get().expires_at - timezone.now()
    assert timedelta(days=89, hours=23) < left < timedelta(days=90, minutes=1)


def test_a_key_works_to_the_end_of_its_last_day_where_the_reader_is(browse, ben, bot):
    client = browse(ben)
    client.cookies["tz"] = "Europe/Madrid"
    make(client, expires="date", date="2099-03-01")
    assert AgentKey.objects.get().expires_at.isoformat() == "2099-03-01T22:59:59.999999+00:00"


def test_a_key_may_live_for_ever_and_the_page_warns(browse, ben, bot):
    assert "after everybody has forgotten it" in text_of(browse(ben).get(f"{BOT}keys/new/"))
    answer = make(browse(ben), expires="never")
    assert "It never expires" in text_of(answer)
    assert AgentKey.objects.get().expires_at is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"name": ""}, "Enter a name"),
        ({"name": "x" * 61}, "60"),
        ({"expires": "date"}, "Enter the last day"),
        ({"expires": "date", "date": "2020-01-01"}, "not over"),
        ({"expires": "date", "date": "soon"}, "valid date"),
        ({"expires": "3000"}, "valid choice"),
    ],
)
def test_what_can_not_be_makes_no_key_and_says_why(browse, ben, bot, data, why):
    answer = make(browse(ben), **({"name": "web", "expires": "90"} | data))
    assert answer.status_code == 422
    assert why in text_of(answer)
    assert not AgentKey.objects.exists()


def test_sending_the_form_again_makes_no_second_key(browse, ben, bot):
    client = browse(ben)
    make(client)
    again = make(client)
    assert again.status_code == 422
    assert "A live key of this agent is named web" in text_of(again)
    assert AgentKey.objects.count() == 1


def test_a_third_live_key_is_refused_until_one_is_revoked(browse, ben, bot):
    client = browse(ben)
    make(client, "one")
    make(client, "two")
    refused = make(client, "three")
    assert (refused.status_code, AgentKey.objects.count()) == (422, 2)
    assert "Two keys are live. Revoke one first." in text_of(refused)
    assert "Two keys are live. Revoke one first." in text_of(client.get(f"{BOT}keys/new/"))
    keys.revoke(AgentKey.objects.get(name="one"), ben)
    assert make(client, "three").status_code == 200


def test_revoking_asks_names_what_stops_and_lists_the_key_as_ended(browse, ben, bot):
    client = browse(ben)
    web, _ = keys.make(bot, "web", ben)
    keys.make(bot, "ci", ben)
    question = text_of(client.get(f"{BOT}keys/{web.id}/revoke/"))
    assert "Whatever calls as support-bot with this key gets an error" in question
    assert "Its key ci goes on working." in question
    client.post(f"{BOT}keys/{web.id}/revoke/")
    web.refresh_from_db()
    assert (web.is_live, web.revoked_by) == (False, ben)
    listed = text_of(client.get(f"{BOT}keys/"))
    assert "Ended keys" in listed
    assert "by Ben Okafor" in listed.partition("Ended keys")[2]
    assert f"ghk_{web.prefix}_…" in listed


def test_a_key_that_ends_within_two_weeks_is_marked(browse, ben, bot):
    keys.make(bot, "soon", ben, timezone.now() + timedelta(days=3, hours=1))
    keys.make(bot, "later", ben, timezone.now() + timedelta(days=30))
    page = browse(ben).get(BOT).content.decode()
    assert re.search(r'data-status="warning">.{0,400}In 3 days', page, re.DOTALL)
    assert page.count('class="badge" data-status="warning"') == 1


def test_an_expired_key_is_listed_as_ended_and_leaves_room(browse, ben, bot):
    for name in ("one", "two"):
        keys.make(bot, name, ben, timezone.now() + timedelta(days=1))
    bot.keys.update(expires_at=timezone.now() - timedelta(minutes=1))
    listed = text_of(browse(ben).get(f"{BOT}keys/"))
    assert "support-bot has no live key" in listed
    assert listed.count("Expired 1 minute ago") == 2
    assert make(browse(ben), "three").status_code == 200


def test_a_key_of_another_agent_can_not_be_revoked_through_this_one(browse, ben, bot, project):
    other = factories.make_agent(project, "other-bot")
    factories.make_key(other)
    key = other.keys.get()
    assert browse(ben).post(f"{BOT}keys/{key.id}/revoke/").status_code == 404
    assert other.keys.live().count() == 1


def test_only_the_owner_and_managers_make_and_revoke_keys(browse, ben, chloe, bot):
    web, _ = keys.make(bot, "web", ben)
    client = browse(chloe)
    assert make(client, "mine").status_code == 403
    assert client.post(f"{BOT}keys/{web.id}/revoke/").status_code == 403
    assert client.get(f"{BOT}keys/").status_code == 200
    assert [key.is_live for key in bot.keys.all()] == [True]
