"""Tools: what is connected, how it stands, what needs somebody."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connections.models import Health
from portal.audit.models import LastUse
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import page, text_of, words_of
from tests.consent import making

pytestmark = pytest.mark.django_db


@pytest.fixture
def listed(project):
    """ledger (healthy, used), hr (failing with 403), weather (never tested), old (disabled)."""
    now = timezone.now()
    ledger = factories.make_connection(project, name="ledger-agent")
    hr = factories.make_connection(project, "https://hr.contoso.example/a2a", name="hr-agent")
    factories.make_connection(project, "http://weather.example/a2a", name="weather", credential=None)
    factories.make_connection(project, name="old-agent", disabled_at=now)
    Health.objects.create(connection=ledger, state="healthy", checked_at=now)
    Health.objects.create(connection=hr, state="failing", checked_at=now, status=403, reason="endpoint_refused_403")
    LastUse.objects.create(subject=ledger.id, at=now - timedelta(minutes=5))
    LastUse.objects.create(subject=hr.id, at=now - timedelta(minutes=2))
    return {connection.name: connection for connection in project.connections.all()}


def names(response) -> list[str]:
    return [standing.connection.name for standing in response.context["standings"]]


def test_an_empty_project_says_what_a_connection_is_for(browse, ana, project):
    shown = text_of(browse(ana).get(page("tools", project)))
    assert "No connections yet" in shown and "Connect a tool" in shown


def test_a_reader_sees_the_list_and_no_button(browse, project, listed):
    reader = factories.make_member(project, Role.READER)
    shown = text_of(browse(reader).get(page("tools", project)))
    assert "ledger-agent" in shown and "Connect a tool" not in shown and "Test all" not in shown


def test_an_auditor_does_not_see_it(browse, dev, project):
    assert browse(dev).get(page("tools", project)).status_code == 403


def test_a_stranger_gets_404(browse, eve, project):
    assert browse(eve).get(page("tools", project)).status_code == 404


def test_every_row_says_method_target_status_and_last_use(browse, ana, project, listed):
    shown = text_of(browse(ana).get(page("tools", project)))
    assert "ledger.contoso.example/a2a</code>" in shown and "https://ledger.contoso.example/a2a</code>" not in shown
    assert "http://weather.example/a2a</code>" in shown
    assert "403 since" in shown and "Unauthenticated access" in shown and "5 minutes ago" in shown
    assert "4 connections · 1 healthy, 1 failing, 1 not checked, 1 disabled" in shown


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("q=HR", ["hr-agent"]),
        ("q=weather.example", ["weather"]),
        ("method=unauthenticated", ["weather"]),
        ("status=failing", ["hr-agent"]),
        ("status=disabled", ["old-agent"]),
        ("status=not_checked", ["weather"]),
        ("status=nonsense", ["hr-agent", "ledger-agent", "old-agent", "weather"]),
        ("sort=-used", ["hr-agent", "ledger-agent", "old-agent", "weather"]),
        ("sort=-name", ["weather", "old-agent", "ledger-agent", "hr-agent"]),
    ],
)
def test_it_filters_and_sorts(browse, ana, project, listed, query, expected):
    found = names(browse(ana).get(f"{page('tools', project)}?{query}"))
    assert found[:2] == expected[:2] if query == "sort=-used" else found == expected


def test_nothing_matches_offers_to_clear_the_filters(browse, ana, project, listed):
    assert "No connection matches." in text_of(browse(ana).get(f"{page('tools', project)}?q=zzz"))


def expire(connection, days: int) -> None:
    connection.secrets.update(expires_on=timezone.localdate() + timedelta(days=days))


def test_a_secret_that_expires_within_14_days_is_warned_about(browse, ana, project, listed):
    expire(listed["ledger-agent"], 6)
    expire(listed["hr-agent"], 15)
    answer = browse(ana).get(page("tools", project))
    shown = text_of(answer)
    assert "expires in 6 days , on" in words_of(answer) and "Agents that use it will get errors after that." in shown
    assert page("connection-replace", project, "ledger-agent") in shown
    assert "Secret expires in 6 days" in words_of(answer) and "15 days" not in words_of(answer)


def test_several_are_one_bar_with_a_list(browse, ana, project, listed):
    expire(listed["ledger-agent"], 6)
    expire(listed["hr-agent"], -1)
    shown = text_of(browse(ana).get(page("tools", project)))
    assert "2 secrets expire within 14 days or have expired." in shown and ", expired" in shown


def test_another_projects_connections_are_not_there(browse, ana, project, listed):
    factories.make_connection(factories.make_project(), name="foreign-agent")
    assert "foreign-agent" not in text_of(browse(ana).get(page("tools", project)))


def test_test_all_tests_the_enabled_ones_and_sums_up(browse, ana, project, fake_agent):
    good, bad = fake_agent(required_header=("x-api-key", "right")), fake_agent(required_header=("x-api-key", "right"))
    factories.make_connection(project, good.url, "good-agent", ("x-api-key", "right"))
    factories.make_connection(project, bad.url, "bad-agent", ("x-api-key", "wrong"))
    factories.make_connection(project, bad.url, "off-agent", disabled_at=timezone.now())
    shown = text_of(browse(ana).post(page("tools-test", project), follow=True))
    assert "Tested 2 of 2: 1 healthy, 1 failing." in shown
    states = dict(project.connections.values_list("name", "health__state"))
    assert states == {"good-agent": "healthy", "bad-agent": "failing", "off-agent": None}


def test_what_cannot_be_tried_without_a_person_is_called_healthy_only_as_far_as_it_was_seen(
    browse, ana, project, fake_agent
):
    making.make_connection(project, endpoint=fake_agent().url, name="oauth-agent")
    shown = text_of(browse(ana).post(page("tools-test", project), follow=True))
    assert "Tested 1 of 1: 1 healthy." in shown
    assert "Server and card; the credential is not tried" in shown
    one = text_of(browse(ana).get(page("connection", project, "oauth-agent")))
    assert "The credential is not tried: it belongs to agents or users" in one and "0 people connected" in one


def test_one_that_is_not_finished_is_not_called_healthy(browse, ana, project, fake_agent):
    """Its server answers, and yet nobody can use it."""
    making.make_connection(project, endpoint=fake_agent().url, name="open-agent", settings={"client_id": ""})
    factories.make_connection(project, fake_agent().url, "good-agent")
    client = browse(ana)
    shown = text_of(client.post(page("tools-test", project), follow=True))
    assert "Tested 2 of 2: 1 healthy, 1 not finished." in shown
    assert "2 connections · 1 healthy, 1 not finished" in shown and shown.count("Healthy</span>") == 1
    assert Health.objects.get(connection__name="open-agent").state == "healthy"
    assert names(client.get(f"{page('tools', project)}?status=unfinished")) == ["open-agent"]
    one = text_of(client.get(page("connection", project, "open-agent")))
    assert "Not finished</span>" in one and "Healthy since" not in one and "Healthy</span>" not in one


def test_more_than_twenty_are_tested_in_turns(browse, ana, project, monkeypatch, fake_agent):
    monkeypatch.setattr("connections.pages.tools.AT_ONCE", 1)
    for name in ("one-agent", "two-agent"):
        factories.make_connection(project, fake_agent().url, name)
    client = browse(ana)
    assert "Tested 1 of 2" in text_of(client.post(page("tools-test", project), follow=True))
    client.post(page("tools-test", project))
    assert Health.objects.filter(connection__project=project, state="healthy").count() == 2
