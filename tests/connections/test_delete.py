"""Disable, enable, delete: the question names who is hit."""

import pytest

from connections.models import Connection, Secret
from portal.audit.models import LogRow
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import page, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def saved(project):
    return factories.make_connection(
        project, name="ledger-agent", given_to=factories.make_agent(project, "support-bot")
    )


def test_the_question_names_the_agents_and_what_is_lost(browse, ana, project, saved):
    shown = text_of(browse(ana).get(page("connection-delete", project, saved.name)))
    assert "support-bot uses it; its next call gets an error." in shown
    assert "The credential value is destroyed and can't be restored." in shown
    assert "The access log keeps its rows." in shown and "Type ledger-agent to confirm" in shown


@pytest.mark.parametrize("word", ["", "Ledger-Agent", "other"])
def test_another_word_deletes_nothing(browse, ana, project, saved, word):
    answer = browse(ana).post(page("connection-delete", project, saved.name), {"confirm_word": word})
    assert answer.status_code == 422 and "Nothing was deleted." in text_of(answer)
    assert Connection.objects.filter(pk=saved.pk).exists()


def test_it_takes_the_secrets_with_it_and_stays_in_the_log(browse, ana, project, saved):
    browse(ana).post(page("connection-delete", project, saved.name), {"confirm_word": "ledger-agent"})
    assert not Connection.objects.exists() and not Secret.objects.exists()
    row = LogRow.objects.get(event="connection.deleted")
    assert (row.connection_name, row.connection_id, row.actor_name) == ("ledger-agent", saved.id, "Ana Ruiz")


def test_all_agents_are_named_as_such(browse, ana, project, saved):
    Connection.objects.update(given_to_all=True)
    shown = text_of(browse(ana).get(page("connection-delete", project, saved.name)))
    assert "All agents of this project may use it" in shown


def test_disable_asks_and_enable_brings_it_back(browse, ana, project, saved):
    client = browse(ana)
    assert "support-bot uses it" in text_of(client.get(page("connection-disable", project, saved.name)))
    shown = text_of(client.post(page("connection-disable", project, saved.name), follow=True))
    assert "Calls through it are refused until it is enabled." in shown
    saved.refresh_from_db()
    assert not saved.is_enabled and saved.disabled_by == ana
    client.post(page("connection-enable", project, saved.name))
    saved.refresh_from_db()
    assert saved.is_enabled
    acts = LogRow.objects.filter(event__in=["connection.disabled", "connection.enabled"]).order_by("id")
    assert [row.event for row in acts] == ["connection.disabled", "connection.enabled"]


def test_a_get_changes_nothing(browse, ana, project, saved):
    """T28."""
    client = browse(ana)
    for name in ("disable", "delete"):
        client.get(page(f"connection-{name}", project, saved.name))
    saved.refresh_from_db()
    assert saved.is_enabled


def test_a_get_of_a_button_leads_back_to_it_and_does_nothing(browse, ana, project, saved):
    """Signing in again after a session has ended is such a GET."""
    client = browse(ana)
    client.post(page("connection-disable", project, saved.name))
    rows = LogRow.objects.count()
    for name in ("test", "enable"):
        answer = client.get(page(f"connection-{name}", project, saved.name))
        assert answer.status_code == 302 and answer.url == page("connection", project, saved.name)
    assert client.get(page("tools-test", project)).url == page("tools", project)
    saved.refresh_from_db()
    assert not saved.is_enabled and LogRow.objects.count() == rows


def test_an_account_owner_may_delete_and_a_user_may_not(browse, project, saved):
    user, owner = factories.make_member(project, Role.AI_USER), factories.make_member(project, Role.ACCOUNT_OWNER)
    url = page("connection-delete", project, saved.name)
    assert browse(user).post(url, {"confirm_word": saved.name}).status_code == 403
    assert browse(owner).post(url, {"confirm_word": saved.name}).status_code == 302
