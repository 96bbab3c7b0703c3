"""One connection's pages: is it working, for whom, what is left to do, and its last calls."""

import uuid

import pytest
from django.db import connection as database
from django.utils import timezone

from connections import keeping
from connections.drafts import Draft
from connections.models import Health
from portal.audit import log
from portal.audit.events import Outcome
from portal.audit.models import LastUse, LogRow
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import key_form, page, text_of, words_of

pytestmark = pytest.mark.django_db


def record_call(connection, agent, outcome=Outcome.SUCCEEDED, duration=88, person=None, method="SendMessage") -> None:
    """The rows that the gateway writes for one call."""
    attempt = log.attempt_of(
        log.Actor("agent_key", uuid.uuid4(), "web"),
        project=connection.project,
        agent=agent,
        connection=connection,
        on_behalf_of=person,
        method=method,
    )
    rows = [attempt] + ([log.outcome_of(attempt, outcome, duration=duration)] if outcome else [])
    database.ensure_connection()
    log._insert(rows, log.Writer(), after=0)


@pytest.fixture
def saved(project):
    return factories.make_connection(project, name="ledger-agent")


@pytest.fixture
def agent(project):
    return factories.make_agent(project, "support-bot")


class TestOverview:
    def test_a_new_connection_says_what_is_left_to_do(self, browse, ana, project, saved):
        shown = words_of(browse(ana).get(page("connection", project, saved.name)))
        assert "Not tested yet." in shown and "1 of 6 done" in shown and "No calls yet" in shown
        assert "No agent may use this connection yet." in shown and "Consent not needed" in shown

    def test_credentials_say_what_is_set_and_every_address_it_is_sent_to(self, browse, ana, project):
        interfaces = [
            {"url": "https://a.example/rpc", "binding": "JSONRPC", "version": "1.0"},
            {"url": "https://a.example/rest", "binding": "HTTP+JSON", "version": "1.0"},
        ]
        saved = factories.make_connection(
            project, "https://a.example/a2a", interfaces=interfaces, send_credentials_for_card=True
        )
        shown = text_of(browse(ana).get(page("connection", project, saved.name)))
        for address in ("a2a", "rpc", "rest", "a2a/.well-known/agent-card.json"):
            assert f"<code>a.example/{address}</code>" in shown
        assert "x-api-key" in shown and "nobody can read it back" in shown

    def test_the_list_fills_itself_as_things_come_true(self, browse, ana, ben, project, agent, fake_agent):
        endpoint = fake_agent(required_header=("x-api-key", "right"))
        saved = factories.make_connection(project, endpoint.url, "good-agent", ("x-api-key", "right"), given_to=agent)
        saved.card, saved.card_read_at = {"name": "Fake agent"}, timezone.now()
        saved.save()
        client = browse(ana)
        shown = words_of(client.post(page("connection-test", project, saved.name), follow=True))
        assert "5 of 6 done" in shown and "Endpoint reachable" in shown and "Version 1.0.0, unchanged since" in shown
        record_call(saved, agent, person=ben)
        LastUse.objects.create(subject=saved.id, at=timezone.now())
        shown = words_of(client.get(page("connection", project, saved.name)))
        assert "6 of 6 done" in shown and "By support-bot for Ben Okafor" in shown
        record_call(saved, agent, Outcome.REFUSED_BY_ENDPOINT)
        shown = words_of(client.get(page("connection", project, saved.name)))
        assert "5 of 6 done" in shown and "Called by an agent; the last call was refused" in shown

    @pytest.mark.parametrize(
        ("health", "label"),
        [
            ({"state": "healthy", "status": 200}, "Credential accepted"),
            ({"state": "failing", "status": 401, "reason": "endpoint_refused_401"}, "Credential refused"),
            ({"state": "failing", "status": 403, "reason": "endpoint_refused_403"}, "Credential refused"),
            ({"state": "failing", "status": None, "reason": "endpoint_timeout"}, "Credential not tried"),
            ({"state": "failing", "status": 404, "reason": "endpoint_not_found"}, "Credential not proven"),
            ({"state": "not_checked", "status": 200, "reason": "credential_not_proven"}, "Credential not proven"),
            ({"state": "healthy", "status": None, "reason": "test_needs_agent"}, "Credential not tried"),
        ],
    )
    def test_validate_says_what_is_known_of_the_credential(self, browse, ana, project, saved, health, label):
        Health.objects.create(connection=saved, checked_at=timezone.now(), **health)
        validate = words_of(browse(ana).get(page("connection", project, saved.name))).partition("Validate")[2]
        labels = {"Credential accepted", "Credential refused", "Credential not tried", "Credential not proven"}
        assert {one for one in labels if one in validate} == {label}

    def test_an_endpoint_without_authentication_needs_none_until_it_asks(self, browse, ana, project):
        plain = factories.make_connection(project, name="weather", credential=None)
        url = page("connection", project, plain.name)
        assert "No credential needed" in words_of(browse(ana).get(url))
        Health.objects.create(connection=plain, state="failing", reason="endpoint_refused_401", status=401)
        shown = words_of(browse(ana).get(url))
        assert "Credential refused" in shown and "No credential needed" not in shown

    def test_an_endpoint_that_does_not_answer_is_not_reachable(self, browse, ana, project):
        factories.make_connection(project, "http://127.0.0.1:9/a2a", "gone-agent")
        shown = words_of(browse(ana).post(page("connection-test", project, "gone-agent"), follow=True))
        validate = shown.partition("Validate")[2]
        assert "Endpoint reachable" in validate and "The server can't be reached" in validate

    def test_a_failing_one_says_cause_remedy_and_who_must_act(self, browse, ana, project, saved):
        Health.objects.create(connection=saved, state="failing", reason="endpoint_refused_401", status=401)
        shown = words_of(browse(ana).get(page("connection", project, saved.name)))
        assert "The endpoint refused the credential." in shown and "Regenerate or rotate the credential" in shown
        assert "Who must act: An administrator of the project." in shown

    def test_the_steps_of_a_test_are_shown_once(self, browse, ana, project, fake_agent):
        endpoint = fake_agent(required_header=("x-api-key", "right"))
        factories.make_connection(project, endpoint.url, "good-agent", ("x-api-key", "right"))
        client = browse(ana)
        first = words_of(client.post(page("connection-test", project, "good-agent"), follow=True))
        assert "Read the agent card" in first and "The endpoint accepted the credential." in first
        assert "The endpoint accepted the credential." not in words_of(
            client.get(page("connection", project, "good-agent"))
        )

    def test_last_calls_say_who_for_whom_and_how_it_ended(self, browse, ana, ben, project, saved, agent):
        record_call(saved, agent, person=ben)
        record_call(saved, agent, Outcome.REFUSED_BY_ENDPOINT, method="GetTask")
        record_call(saved, agent, None, method="SendStreamingMessage")
        shown = words_of(browse(ana).get(page("connection", project, saved.name)))
        calls = shown.split("Last calls")[1]
        assert calls.index("In progress") < calls.index("Refused by endpoint") < calls.index("Succeeded")
        assert "Ben Okafor" in calls and "88 ms" in calls and "support-bot" in calls

    def test_another_connections_calls_are_not_there(self, browse, ana, project, saved, agent):
        record_call(factories.make_connection(project), agent, method="SubscribeToTask")
        assert "SubscribeToTask" not in text_of(browse(ana).get(page("connection", project, saved.name)))


def test_calls_are_paged_by_row_number_so_that_new_ones_shift_nothing(browse, ana, project, saved, agent, monkeypatch):
    monkeypatch.setattr("connections.pages.overview.PAGE", 2)
    for method in ("First", "Second", "Third"):
        record_call(saved, agent, method=method)
    client, url = browse(ana), page("connection-calls", project, saved.name)
    newest = client.get(url)
    assert [call.row.method for call in newest.context["calls"]] == ["Third", "Second"]
    record_call(saved, agent, method="Fourth")
    older = client.get(f"{url}?before={newest.context['older']}")
    assert [call.row.method for call in older.context["calls"]] == ["First"] and older.context["older"] is None


@pytest.mark.parametrize("before", ["x", "-1", "9" * 40, "٣"])
def test_nonsense_in_the_address_of_calls_is_no_error(browse, ana, project, saved, before):
    assert browse(ana).get(f"{page('connection-calls', project, saved.name)}?before={before}").status_code == 200


class TestSettings:
    def test_limits_are_saved_and_logged(self, browse, ana, project, saved):
        url = page("connection-settings", project, saved.name)
        browse(ana).post(url, {"display_name": "Ledger", "calls_per_minute": "30", "calls_at_once": ""})
        saved.refresh_from_db()
        assert (saved.display_name, saved.calls_per_minute, saved.calls_at_once) == ("Ledger", 30, None)
        assert '"calls_per_minute": 30' in LogRow.objects.get(event="connection.changed").details

    @pytest.mark.parametrize("number", ["0", "-1", "many"])
    def test_a_limit_that_is_none_is_refused(self, browse, ana, project, saved, number):
        url = page("connection-settings", project, saved.name)
        answer = browse(ana).post(url, {"display_name": "", "calls_per_minute": number, "calls_at_once": ""})
        assert answer.status_code == 422 and "The settings were not saved." in text_of(answer)

    def test_how_a_missing_consent_is_answered_is_only_asked_where_people_are_asked(self, browse, ana, project, saved):
        url = page("connection-settings", project, saved.name)
        assert "while consent is missing" not in text_of(browse(ana).get(url))
        asking = factories.make_connection(project, name="reviews", auth_method="oauth-identity-passthrough")
        url = page("connection-settings", project, asking.name)
        assert "while consent is missing" in text_of(browse(ana).get(url))
        browse(ana).post(url, {"consent_answer": "input-required"})
        asking.refresh_from_db()
        assert asking.consent_answer == "input-required"
        assert browse(ana).post(url, {"consent_answer": "by post"}).status_code == 422

    def test_a_reader_sees_them_without_a_form(self, browse, project, saved):
        reader = factories.make_member(project, Role.READER)
        shown = text_of(browse(reader).get(page("connection-settings", project, saved.name)))
        assert str(saved.id) in shown and "<button" not in shown.split("Facts")[0].split("page-head")[-1]


@pytest.mark.parametrize("behaviour", ["html-404", "html-503", "redirect-302", "not-json", "huge"])
def test_an_endpoint_that_misbehaves_is_saved_and_explained(browse, ana, project, hostile, behaviour):
    sent = key_form(hostile.url(behaviour), name="bad-agent")
    answer = browse(ana).post(page("connection-new-a2a", project), sent, follow=True)
    saved = project.connections.get()
    assert saved.health.state == "failing" and saved.health.reason
    assert "Who must act:" in words_of(answer) and "Calls go to the endpoint itself." in words_of(answer)


def test_the_slower_of_two_under_one_name_is_told_so(project, ana, saved):
    draft = Draft("https://a.example/x", "/card.json", False, "unauthenticated", {}, name="Ledger-Agent")
    with pytest.raises(keeping.NameTaken):
        keeping.connect(project, draft.with_card(None, []), ana)
    assert project.connections.count() == 1 and not LogRow.objects.filter(event="connection.created").exists()
