"""Keeping the old value for a while: chosen where a value is replaced, shown and ended on Overview."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connections import secrets, tasks
from connections.models import Connection, Secret
from connections.secrets import NewSecret
from portal.audit.models import LogRow
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import CANARY, edit_form, key_form, page, text_of, words_of
from tests.connections.test_secrets import replace, value_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def saved(browse, ana, project, fake_agent):
    endpoint = fake_agent(required_header=("x-api-key", CANARY))
    browse(ana).post(page("connection-new-a2a", project), key_form(endpoint.url))
    return project.connections.get()


def former_of(connection: Connection) -> list[tuple[str, str]] | None:
    found = Connection.objects.get(pk=connection.pk)
    pairs = secrets.formerly(found, "credential", found.addresses())
    return pairs and [(name, value.reveal()) for name, value in pairs]


@pytest.mark.parametrize(("hours", "ends"), [("1", 1), ("24", 24), ("168", 168)])
def test_it_is_kept_for_the_chosen_time(browse, ana, saved, hours, ends):
    replace(browse, ana, saved, keep_former=hours)
    secret = saved.secrets.get()
    assert value_of(saved) == "second-value" and former_of(saved) == [("x-api-key", CANARY)]
    assert abs(secret.former_until - timezone.now() - timedelta(hours=ends)) < timedelta(minutes=1)
    row = LogRow.objects.get(event="connection.secret_replaced")
    assert "former_value_kept_until" in row.details and CANARY not in row.details


def test_by_default_it_is_destroyed(browse, ana, saved):
    shown = text_of(browse(ana).get(page("connection-replace", saved.project, saved.name)))
    assert 'value="" selected>Destroy it now' in shown
    replace(browse, ana, saved)
    assert former_of(saved) is None and saved.secrets.get().former_value == ""


def test_a_time_that_is_not_in_the_list_changes_nothing(browse, ana, saved):
    answer = replace(browse, ana, saved, keep_former="100000")
    assert answer.status_code == 422 and "Choose one of the times in the list." in text_of(answer)
    assert "Enter the credential value again" in text_of(answer)
    assert value_of(saved) == CANARY


def test_only_the_last_one_is_kept(browse, ana, saved):
    replace(browse, ana, saved, keep_former="24")
    replace(browse, ana, saved, **{"keep_former": "24", "credential-0-value": "third-value"})
    assert former_of(saved) == [("x-api-key", "second-value")]
    replace(browse, ana, saved, **{"credential-0-value": "fourth-value"})
    assert former_of(saved) is None


def test_overview_says_until_when_and_ends_it(browse, ana, saved):
    replace(browse, ana, saved, keep_former="24")
    shown = words_of(browse(ana).get(page("connection", saved.project, saved.name)))
    assert "The former value is accepted until" in shown and "End the former value now" in shown
    answer = browse(ana).post(page("connection-end-former", saved.project, saved.name), follow=True)
    assert "The former value is destroyed." in text_of(answer) and "is accepted until" not in text_of(answer)
    assert former_of(saved) is None and LogRow.objects.filter(event="connection.former_value_ended").count() == 1

    again = browse(ana).post(page("connection-end-former", saved.project, saved.name), follow=True)
    assert "There was no former value any more." in text_of(again)
    assert LogRow.objects.filter(event="connection.former_value_ended").count() == 1


def test_whoever_only_reads_sees_it_and_can_not_end_it(browse, ana, project, saved):
    replace(browse, ana, saved, keep_former="24")
    client = browse(factories.make_member(project, Role.READER))
    shown = words_of(client.get(page("connection", project, saved.name)))
    assert "The former value is accepted until" in shown and "End the former value now" not in shown
    assert client.post(page("connection-end-former", project, saved.name)).status_code == 403
    assert former_of(saved) is not None


def test_the_test_after_a_replacement_says_that_only_the_former_value_works(browse, ana, saved):
    """The endpoint of this test knows the old value only."""
    client = browse(ana)
    answer = client.get(replace(lambda _: client, ana, saved, keep_former="24").url)
    assert "The endpoint refused the new value and accepted the former one." in text_of(answer)
    assert "The endpoint accepts only the former value" in text_of(answer)
    assert Connection.objects.get().health.state == "healthy"


def test_that_only_the_former_value_works_is_a_warning_with_its_end(browse, ana, saved):
    client = browse(ana)
    client.get(replace(lambda _: client, ana, saved, keep_former="24").url)
    for address in (page("tools", saved.project), page("connection", saved.project, saved.name)):
        answer = client.get(address)
        assert "Only the former value is accepted, until" in words_of(answer)
        assert 'class="badge" data-status="warning"' in text_of(answer)
    Secret.objects.update(former_until=timezone.now())
    assert "Only the former value" not in words_of(client.get(page("tools", saved.project)))


def test_a_change_of_the_address_clears_it_as_well(browse, ana, saved, fake_agent):
    """T01."""
    replace(browse, ana, saved, keep_former="24")
    saved.refresh_from_db()
    other = fake_agent().url
    browse(ana).post(
        page("connection-edit", saved.project, saved.name), edit_form(saved, endpoint=other, clearing="yes")
    )
    assert (saved.secrets.get().value, saved.secrets.get().former_value) == ("", "")


def test_the_sweep_destroys_what_has_ended_and_nothing_else(project):
    ended, kept = (factories.make_connection(project) for _ in range(2))
    for connection, hours in ((ended, -1), (kept, 1)):
        until = timezone.now() + timedelta(hours=hours)
        new = NewSecret("credential", 0, "x-api-key", "new")
        secrets.store(connection, new, connection.addresses(), None, until)
    assert Secret.objects.exclude(former_value="").count() == 2
    assert former_of(ended) is None
    assert tasks.end_former_values() == 1 and tasks.end_former_values() == 0
    assert [row.connection_id for row in Secret.objects.exclude(former_value="")] == [kept.id]


def test_one_that_can_not_be_opened_is_not_kept(project):
    connection = factories.make_connection(project)
    Secret.objects.update(value=Secret.objects.get().value[:-8] + "AAAAAAA=")
    until = timezone.now() + timedelta(hours=1)
    secrets.store(connection, NewSecret("credential", 0, "x-api-key", "new"), connection.addresses(), None, until)
    assert former_of(connection) is None and value_of(connection) == "new"
