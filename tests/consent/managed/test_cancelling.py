"""At some publishers cancelling one token ends all that the account gave to the app: then only the last one is told."""

import pytest

from connections import offering
from connections.models import Connection
from consent import grants
from consent.endings import EndsConsents
from consent.models import Cancellation, Grant
from consent.publishers import Wire
from portal.agents import registering
from portal.agents.models import Agent
from portal.audit.models import LogRow
from portal.projects import people
from tests import factories
from tests.connections.pages import page, words_of
from tests.consent import making
from tests.consent.given import again, give, providers_are_told
from tests.consent.managed import publishing
from tests.fakes.authorization_server import FakeProvider

pytestmark = pytest.mark.django_db
STAYS = "the account stays signed in for other agents"
State = Cancellation.State


@pytest.fixture
def octo(provider, monkeypatch) -> FakeProvider:
    """One that ends everything at once."""
    running = provider(grace_seconds=0)
    publishing.know(monkeypatch, publishing.record(running, wire=Wire(revocation_ends_all=True)))
    return running


@pytest.fixture
def other_bot(project, managed, ana) -> Agent:
    agent = factories.make_agent(project, "other-bot")
    offering.give(managed, agent, ana)
    return agent


@pytest.fixture
def first(managed, release_bot, ben) -> Grant:
    return again(give(managed, release_bot, ben))


@pytest.fixture
def second(managed, other_bot, ben) -> Grant:
    """The same account, for another agent."""
    return again(give(managed, other_bot, ben))


def test_one_of_two_is_ended_here_alone_and_the_page_says_so(browse, first, second, ben, octo):
    mine = browse(ben)
    question = words_of(mine.get(f"/consents/{first.id}/disconnect"))
    assert STAYS in question and "is told to cancel it" not in question
    shown = words_of(mine.post(f"/consents/{first.id}/disconnect", follow=True))
    assert "release-bot is disconnected." in shown and STAYS in shown
    assert again(first).access_token == "" and not Cancellation.objects.exists()
    providers_are_told()
    assert not octo.calls("revoke") and len(octo.living_approvals()) == 2
    assert grants.fresh_token(again(second)).value.reveal()


def test_the_last_one_is_told(browse, first, second, ben, octo):
    grants.revoke(first, ben)
    assert "is told to cancel it" in words_of(browse(ben).get(f"/consents/{second.id}/disconnect"))
    assert grants.revoke(second, ben) is True
    providers_are_told()
    assert octo.calls("revoke") and Cancellation.objects.get().state == State.CONFIRMED


def test_an_administrator_reads_the_same(browse, ana, managed, first, second):
    address = page("connection-consents-revoke", managed.project, managed.name, first.id)
    assert STAYS in words_of(browse(ana).get(address))
    assert STAYS in words_of(browse(ana).post(address, follow=True))


def test_of_several_that_end_together_the_last_is_told(first, second, ben, ana):
    """A person who leaves: nothing of theirs stands, so the publisher is told once."""
    said = " ".join(EndsConsents().what_ends(ben))
    assert STAYS not in said and "is told to cancel the access." in said
    people.deactivate(ben, ana)
    assert Cancellation.objects.count() == 1


def test_an_agent_that_goes_leaves_the_other_signed_in(browse, ana, first, second, release_bot, project):
    assert STAYS in words_of(browse(ana).get(page("agent-delete", project, release_bot.name)))
    registering.delete(release_bot, ana)
    assert not Cancellation.objects.exists() and again(second).state == Grant.State.ACTIVE


def test_a_cascade_tells_once_as_well(first, second, managed, octo):
    """Whatever deletes the rows: the last of them has to see that it is the last."""
    Connection.objects.filter(pk=managed.pk).delete()
    assert Cancellation.objects.count() == 1
    providers_are_told()
    assert octo.calls("revoke")


@pytest.mark.parametrize(
    ("account", "user_is_the_same", "is_told"),
    [("octo-chloe", True, True), ("octo-ben", False, False), ("octo-chloe", False, True)],
    ids=["another account of the same person", "the same account of another person", "somebody else's own"],
)
def test_it_is_the_account_that_counts(managed, other_bot, first, ben, chloe, account, user_is_the_same, is_told):
    give(managed, other_bot, ben if user_is_the_same else chloe, account)
    assert again(first).account and grants.revoke(again(first), ben) is is_told


def test_while_an_account_is_not_known_it_counts_as_the_same(managed, other_bot, first, second, ben):
    Grant.objects.filter(pk=second.pk).update(account="")
    assert grants.revoke(again(first), ben) is False


def test_other_apps_and_ended_consents_hinder_nothing(octo, project, release_bot, first, second, ben):
    own = making.connection_to(octo, project, release_bot, name="own-app")
    give(own, release_bot, ben)
    Grant.objects.filter(pk=second.pk).update(state=Grant.State.NEEDS_CONSENT)
    assert grants.revoke(again(first), ben) is True


def test_late_news_does_not_end_what_another_agent_was_just_given(first, managed, other_bot, ben, octo):
    """Disconnected, and the account connected for another agent before the publisher was told."""
    assert grants.revoke(first, ben) is True
    new = again(give(managed, other_bot, ben))
    providers_are_told()
    assert Cancellation.objects.get().state == State.GIVEN_UP
    assert not octo.calls("revoke") and octo.verify(grants.fresh_token(new).value.reveal())
    assert LogRow.objects.get(event="grant.not_cancelled").reason == "connected_again"


def test_where_each_token_is_cancelled_by_itself_every_one_is_told(
    provider, monkeypatch, project, release_bot, ana, ben
):
    octo = provider(grace_seconds=0)
    publishing.register(octo, publishing.know(monkeypatch, publishing.record(octo)), ana, octo.at.issuer)
    connection = publishing.connect(project, release_bot, f"{octo.at.issuer}/a2a")
    other = factories.make_agent(project)
    offering.give(connection, other, ana)
    one, another = (again(give(connection, agent, ben)) for agent in (release_bot, other))
    assert grants.revoke(one, ben) is True and grants.revoke(another, ben) is True
    assert Cancellation.objects.count() == 2
