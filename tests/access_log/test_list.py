"""The log's list: one line for each call or act, filtered, paged, and safe to look at."""

import json
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache

from portal.access_log import lines
from portal.audit import events, log
from portal.audit.events import Outcome
from portal.audit.models import LogRow
from portal.projects.roles import Role
from tests import factories
from tests.agents.test_pages import text_of

LOG = "/projects/contoso-support/access-log/"


@pytest.fixture(autouse=True)
def forget_readings(db):
    cache.clear()


def act(project, who: str = "Ana Ruiz", event=events.AGENT_REGISTERED, hours_ago: float = 0, **columns) -> LogRow:
    row = log.row_of(event, log.Actor("user", uuid.uuid5(uuid.NAMESPACE_DNS, who), who), project=project, **columns)
    row["time"] = datetime.now(UTC) - timedelta(hours=hours_ago)
    log._append(row)
    return LogRow.objects.latest("id")


def call(project, outcome: Outcome | None = Outcome.SUCCEEDED, hours_ago: float = 0, **columns) -> LogRow:
    """An attempt, and its outcome where there is one; returns the attempt's row."""
    told = ("reason", "status", "duration", "bytes_in", "bytes_out", "details")
    ended = {name: columns.pop(name) for name in told if name in columns}
    columns.setdefault("method", "SendMessage")
    row = log.attempt_of(log.Actor("agent_key", uuid.uuid4(), "web"), project=project, **columns)
    row["time"] = datetime.now(UTC) - timedelta(hours=hours_ago)
    log._append(row)
    if outcome:
        end = log.outcome_of(row, outcome, **ended)
        end["time"] = row["time"] + timedelta(milliseconds=ended.get("duration", 10))
        log._append(end)
    return LogRow.objects.get(uid=row["uid"])


def shown(response) -> list[LogRow]:
    return [line.row for line in response.context["lines"] if line.row.event != "log.read"]


def test_a_call_is_one_line_with_its_outcome_and_duration(browse, dev, ben, project):
    agent = factories.make_agent(project, "support-bot")
    ledger = factories.make_connection(project, name="ledger-agent")
    call(project, agent=agent, connection=ledger, on_behalf_of=ben, duration=1200)
    text = text_of(browse(dev).get(LOG))
    expected = "Agent key web BO Ben Okafor Agent support-bot ledger-agent SendMessage Succeeded 1.2 s"
    assert expected.replace("Agent support-bot", "support-bot") in text


def test_a_call_without_an_outcome_is_in_progress_and_an_act_shows_its_words(browse, dev, project):
    call(project, None)
    act(project)
    text = text_of(browse(dev).get(LOG))
    assert "SendMessage In progress" in text
    assert "Ana Ruiz — — — Agent registered Succeeded —" in text


def test_a_real_outcome_counts_more_than_one_that_the_sweep_assumed(browse, dev, project):
    attempt = call(project, Outcome.UNKNOWN)
    log._append(log.outcome_of(vars(attempt), Outcome.SUCCEEDED))
    assert "SendMessage Succeeded" in text_of(browse(dev).get(LOG))


def test_only_the_projects_own_rows_are_there(browse, dev, eve, project):
    act(factories.make_project("other"), who="Somebody Else")
    act(None, who="Portal Person")
    answer = browse(dev).get(f"{LOG}?time=all")
    assert shown(answer) == []
    assert "Somebody Else" not in answer.content.decode()
    assert "Portal Person" not in answer.content.decode()


def test_an_auditor_of_the_portal_reads_every_project_and_what_belongs_to_none(browse, project):
    auditor = factories.make_member(None, Role.AUDITOR, name="Pat Auditor")
    act(project, who="Ana Ruiz")
    act(None, who="Portal Person")
    text = text_of(browse(auditor).get("/access-log/"))
    assert "Ana Ruiz — contoso-support" in text
    assert "Portal Person" in text


@pytest.mark.parametrize("role", [role for role in Role if role != Role.AUDITOR])
def test_no_role_but_auditor_opens_the_log(browse, project, role):
    member = factories.make_member(project, role)
    answer = browse(member).get(LOG)
    assert answer.status_code == 403
    assert "Auditor" in text_of(answer)


def test_an_auditor_of_one_project_opens_neither_anothers_log_nor_the_portals(browse, dev, project):
    other = factories.make_project("other")
    row = act(other)
    client = browse(dev)
    assert client.get("/projects/other/access-log/").status_code == 404
    assert client.get("/access-log/").status_code == 403
    assert client.get(f"/access-log/{row.uid}/").status_code == 403
    assert client.get(f"{LOG}{row.uid}/").status_code == 404


@pytest.mark.parametrize(
    ("query", "hours"),
    [
        ("", [0.5, 20]),
        ("time=hour", [0.5]),
        ("time=day", [0.5, 20]),
        ("time=week", [0.5, 20, 100]),
        ("time=month", [0.5, 20, 100, 500]),
        ("time=all", [0.5, 20, 100, 500, 9000]),
    ],
)
def test_the_time_asked_for_is_the_time_shown(browse, dev, project, query, hours):
    for ago in (9000, 500, 100, 20, 0.5):
        act(project, who=f"{ago} hours", hours_ago=ago)
    assert [row.actor_name for row in shown(browse(dev).get(f"{LOG}?{query}"))] == [f"{ago} hours" for ago in hours]


def test_dates_are_days_of_the_readers_time_zone_both_included(browse, dev, project):
    for at in ("2026-03-01T22:59:59", "2026-03-01T23:00:00", "2026-03-02T22:59:59", "2026-03-02T23:00:00"):
        row = log.row_of(events.SIGNED_IN, log.Actor("user", None, at), project=project)
        row["time"] = datetime.fromisoformat(at).replace(tzinfo=UTC)
        log._append(row)
    client = browse(dev)
    client.cookies["tz"] = "Europe/Madrid"
    found = shown(client.get(f"{LOG}?time=dates&start=2026-03-02&end=2026-03-02"))
    assert [row.actor_name for row in found] == ["2026-03-02T22:59:59", "2026-03-01T23:00:00"]


def test_each_filter_finds_what_it_names_and_they_narrow_together(browse, dev, ben, chloe, project):
    bot, other = factories.make_agent(project, "support-bot"), factories.make_agent(project, "other-bot")
    ledger, weather = factories.make_connection(project, name="ledger"), factories.make_connection(project)
    first = call(project, agent=bot, connection=ledger, on_behalf_of=ben)
    second = call(project, Outcome.FAILED, agent=bot, connection=weather, on_behalf_of=chloe)
    third = call(project, None, agent=other, connection=ledger)
    fourth = act(project, agent=bot)
    client = browse(dev)

    def found(query: str) -> list[LogRow]:
        return sorted(shown(client.get(f"{LOG}?{query}")), key=lambda row: row.id)

    assert found(f"agent={bot.id}") == [first, second, fourth]
    assert found(f"connection={ledger.id}") == [first, third]
    assert found(f"on_behalf_of={chloe.id}") == [second]
    assert found(f"who=agent_key:{first.actor_id}") == [first]
    assert found(f"who=user:{fourth.actor_id}") == [fourth]
    assert found("outcome=failed") == [second]
    assert found("outcome=in_progress") == [third]
    assert found(f"agent={bot.id}&connection={ledger.id}&outcome=succeeded") == [first]
    assert found(f"agent={bot.id}&outcome=consent_needed") == []


def test_filters_that_find_nothing_say_so_and_offer_to_clear_them(browse, dev, project):
    answer = browse(dev).get(f"{LOG}?outcome=failed")
    assert "No rows match. Clear filters" in text_of(answer)
    assert f'<a href="{LOG}">Clear' in answer.content.decode()


@pytest.mark.parametrize(
    "query",
    [
        "who=user:1",
        "who=' OR 1=1 --",
        "agent=../../etc",
        "outcome=everything",
        "time=never",
        "time=dates&start=soon",
        "time=dates&start=2026-03-02&end=2026-03-01",
        "on_behalf_of=<script>alert(1)</script>",
    ],
)
def test_filters_that_can_not_be_are_refused_and_read_nothing(browse, dev, project, query):
    act(project, who="Ana Ruiz")
    answer = browse(dev).get(f"{LOG}?{query}")
    assert answer.status_code == 422
    assert "These filters can't be used." in text_of(answer)
    assert "<script>alert" not in answer.content.decode()
    assert "lines" not in answer.context
    assert not LogRow.objects.filter(event="log.read").exists()


@pytest.mark.parametrize(
    "query", ["before=x", "after=-1", "before=99999999999999999999999", "after=1&before=2", "agent=%00"]
)
def test_what_can_not_be_a_row_number_or_a_character_is_no_error(browse, dev, project, query):
    assert browse(dev).get(f"{LOG}?{query}").status_code == 200


def test_names_in_rows_are_shown_as_text_without_what_hides_or_turns_it(browse, dev, project):
    row = act(project, who="<img src=x onerror=alert(1)>\u202eevil\x1b[2J\r\nFAKE")
    for path in (LOG, f"{LOG}{row.uid}/"):
        page = browse(dev).get(path).content.decode()
        assert "<img src=x" not in page
        assert "&lt;img src=x onerror=alert(1)&gt;evil[2J FAKE" in page
        assert not any(letter in page for letter in "\u202e\x1b")


def test_pages_are_turned_by_row_number_so_new_rows_do_not_shift_them(browse, dev, project, monkeypatch):
    monkeypatch.setattr(lines, "PAGE", 3)
    acts = [act(project, who=f"Person {number}") for number in range(8)]
    client = browse(dev)
    client.get(LOG)
    first = client.get(LOG)
    assert [row.id for row in first.context["page"].lines][1:] == [acts[7].id, acts[6].id]
    older = first.context["older"]
    act(project, who="Newcomer")
    second = client.get(f"{LOG}?before={older}")
    assert [row.actor_name for row in second.context["page"].lines] == ["Person 5", "Person 4", "Person 3"]
    back = client.get(f"{LOG}?after={second.context['newer']}")
    assert [row.actor_name for row in back.context["page"].lines] == ["Dev Patel", "Person 7", "Person 6"]
    last = client.get(f"{LOG}?before={acts[3].id}")
    assert [row.actor_name for row in last.context["page"].lines] == ["Person 2", "Person 1", "Person 0"]
    assert (last.context["older"], last.context["newer"]) == (None, acts[2].id)
    assert "before=" in first.content.decode()


def test_a_page_says_which_of_the_rows_it_shows(browse, dev, project, monkeypatch):
    monkeypatch.setattr(lines, "PAGE", 3)
    acts = [act(project) for _ in range(8)]
    client = browse(dev)
    assert "Rows 1–3 of 9 " in text_of(client.get(LOG))
    assert "Rows 4–6 of 9 " in text_of(client.get(f"{LOG}?before={acts[6].id}"))
    assert "Rows 7–9 of 9 " in text_of(client.get(f"{LOG}?before={acts[3].id}"))


def test_filters_stay_when_a_page_is_turned(browse, dev, project, monkeypatch):
    monkeypatch.setattr(lines, "PAGE", 2)
    for _ in range(5):
        call(project, Outcome.FAILED)
    page = browse(dev).get(f"{LOG}?outcome=failed&time=all").content.decode()
    assert "?outcome=failed&amp;time=all&amp;before=" in page


def test_rows_are_counted_up_to_a_limit(browse, dev, project, monkeypatch):
    for _ in range(4):
        call(project)
    assert "Rows 1–5 of 5 " in text_of(browse(dev).get(LOG))
    monkeypatch.setattr(lines, "MOST_COUNTED", 3)
    assert "3+ rows " in text_of(browse(dev).get(LOG))


def test_a_look_goes_through_so_many_rows_and_then_asks(browse, dev, project, monkeypatch):
    rare = call(project, Outcome.FAILED)
    for _ in range(6):
        act(project)
    monkeypatch.setattr(lines, "LOOKED_AT", lines.LOOKED_AT.replace(f"LIMIT {lines.LOOK}", "LIMIT 5"))
    monkeypatch.setattr(lines, "LINES", lines.LINES.replace(f"LIMIT {lines.LOOK}", "LIMIT 5"))
    monkeypatch.setattr(lines, "LOOK", 5)
    client = browse(dev)
    first = client.get(f"{LOG}?outcome=failed&time=all")
    assert "Look further back" in text_of(first)
    assert shown(first) == []
    second = client.get(f"{LOG}?outcome=failed&time=all&before={first.context['page'].looked_back_to.id}")
    assert shown(second) == [rare]


def test_reading_is_in_the_log_with_its_filters_once_a_minute(browse, dev, project):
    client = browse(dev)
    for _ in range(3):
        client.get(f"{LOG}?outcome=failed")
    client.get(f"{LOG}?outcome=failed&before=3")
    client.get(LOG)
    read = LogRow.objects.filter(event="log.read", actor_id=dev.id, project_id=project.id).order_by("id")
    assert [json.loads(row.details) for row in read] == [
        {"filters": {"outcome": "failed", "time": "day"}},
        {"filters": {"time": "day"}},
    ]


def test_reading_again_after_a_minute_is_another_row(browse, dev, project):
    client = browse(dev)
    client.get(LOG)
    cache.clear()
    client.get(LOG)
    assert LogRow.objects.filter(event="log.read").count() == 2


def test_two_readers_are_two_rows(browse, dev, project):
    other = factories.make_member(project, Role.AUDITOR, name="Pat Auditor")
    browse(dev).get(LOG)
    browse(other).get(LOG)
    assert set(LogRow.objects.filter(event="log.read").values_list("actor_id", flat=True)) == {dev.id, other.id}


def test_nothing_is_shown_when_the_reading_can_not_be_logged(browse, dev, project, monkeypatch):
    act(project, who="Ana Ruiz")

    def refuse(*_args, **_columns):
        raise log.LogUnavailable

    monkeypatch.setattr(log, "record", refuse)
    client = browse(dev)
    client.raise_request_exception = False
    answer = client.get(LOG)
    assert answer.status_code == 500
    assert "Ana Ruiz" not in answer.content.decode()


def test_filters_offer_what_is_there_and_what_only_the_log_still_knows(browse, dev, ben, project):
    bot = factories.make_agent(project, "support-bot")
    factories.make_key(bot, "ci")
    gone = factories.make_agent(project, "gone-bot")
    call(project, agent=gone)
    gone.delete()
    page = text_of(browse(dev).get(LOG))
    assert "gone-bot" in page
    assert "ci (key of support-bot)" in page
    assert "Ben Okafor" in page


def test_the_chart_counts_calls_and_says_so_in_words(browse, dev, project):
    for outcome in (Outcome.SUCCEEDED, Outcome.SUCCEEDED, Outcome.FAILED, Outcome.NOT_PERMITTED, Outcome.UNKNOWN):
        call(project, outcome)
    call(project, Outcome.CONSENT_NEEDED, hours_ago=5)
    call(project, None)
    act(project)
    answer = browse(dev).get(LOG)
    chart = answer.context["chart"]
    assert chart.name == "Calls by outcome: Succeeded 2, Consent needed 1, Refused or failed 2, Unknown 1."
    assert f'role="img" aria-label="{chart.name}"' in answer.content.decode()
    assert sum(sum(bar.counts) for bar in chart.bars) == 6
    assert len(chart.bars) in (24, 25)
    assert "Show as table" in text_of(answer)


@pytest.mark.parametrize("query", ["time=hour", "time=week", "time=month", "time=all", "outcome=failed"])
def test_the_chart_counts_what_the_filters_ask_for(browse, dev, project, query):
    for ago in (0.2, 30, 200, 5000):
        call(project, Outcome.FAILED, hours_ago=ago)
        call(project, hours_ago=ago)
    expected = {"time=hour": 2, "time=week": 4, "time=month": 6, "time=all": 8, "outcome=failed": 1}[query]
    chart = browse(dev).get(f"{LOG}?{query}").context["chart"]
    assert (chart.calls, sum(sum(bar.counts) for bar in chart.bars)) == (expected, expected)
    assert len(chart.bars) <= 193
