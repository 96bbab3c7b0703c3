"""The history of probes: drawn, listed, made coarse, removed."""

import re
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from connections.models import Health, Probe, Watch
from connections.watching import chart, history, tidying
from tests.connections.pages import page, words_of
from tests.factories import make_connection

pytestmark = pytest.mark.django_db
MINUTES = timedelta(minutes=1)


@pytest.fixture
def watched(project):
    return make_connection(project, name="ledger-agent")


def probed(connection, *found, every=5 * MINUTES, until=timedelta(0)):
    """`found`: states or (state, reason, took_ms), the last one now or `until` before now."""
    last = timezone.now() - until
    rows = []
    for place, one in enumerate(reversed(found)):
        state, reason, took_ms = one if isinstance(one, tuple) else (one, "", 100 if one == "healthy" else None)
        rows.append(Probe(connection=connection, at=last - every * place, state=state, reason=reason, took_ms=took_ms))
    Probe.objects.bulk_create(reversed(rows))


class TestTheDrawing:
    def test_the_worst_of_its_probes_is_what_a_bar_shows(self, watched):
        probed(watched, "healthy", "failing", "healthy", every=4 * MINUTES)
        drawn = chart.chart_of(history.of(watched, history.DAY))
        assert len(drawn.bars) == 72
        assert [bar.series for bar in drawn.bars[-2:]] == ["unknown", "failed"] and drawn.bars[-1].is_failing

    def test_what_could_not_be_told_is_half_as_high(self, watched):
        probed(watched, ("not_checked", "credential_not_proven", 90))
        bars = chart.chart_of(history.of(watched, history.DAY)).bars
        assert (bars[-1].series, bars[-1].height, bars[-1].y) == ("unknown", 14, 14)

    def test_the_line_breaks_where_no_answer_came(self, watched):
        probed(watched, *["healthy"] * 3, "failing", *["healthy"] * 3, every=20 * MINUTES, until=MINUTES)
        drawn = chart.chart_of(history.of(watched, history.DAY))
        assert drawn.lines.count("M") == 2 and drawn.areas.count("Z") == 2 and drawn.top == 100

    def test_an_hourly_probe_leaves_no_gaps(self, watched):
        watched.probe_every = 60
        probed(watched, *["healthy"] * 24, every=60 * MINUTES)
        series = [bar.series for bar in chart.chart_of(history.of(watched, history.DAY)).bars]
        assert "unknown" not in series[3:]

    def test_figures_count_what_could_be_told(self, watched):
        probed(watched, *["healthy"] * 32, "failing", "not_checked")
        found = history.of(watched, history.DAY)
        assert (found.healthy, found.failing) == (32, 1) and found.median_ms == 100
        assert f"{found.healthy_percent:.1f}" == "97.0"

    def test_the_last_outage_is_told_with_its_length(self, watched):
        probed(watched, "healthy", "failing", "failing", "healthy", "healthy", every=20 * MINUTES)
        outage = history.of(watched, history.DAY).outage
        assert outage.lasted_ms == 40 * 60 * 1000

    def test_one_that_lasts_has_no_end(self, watched):
        probed(watched, "healthy", "failing")
        assert history.of(watched, history.DAY).outage.end is None

    def test_a_row_that_stands_for_many_counts_as_many(self, watched):
        probed(watched, "healthy")
        Probe.objects.update(count=12)
        assert history.of(watched, history.DAY).healthy == 12


class TestThePages:
    def test_overview_shows_bar_line_figures_and_a_table(self, browse, ana, project, watched):
        probed(watched, *["healthy"] * 30, "failing", *["healthy"] * 5)
        Health.objects.create(connection=watched, state="healthy", checked_at=timezone.now(), took_ms=100)
        response = browse(ana).get(page("connection", project, watched.name))
        shown, words = response.content.decode(), words_of(response)
        assert "97.2 % of the probes were healthy" in shown and 'role="img"' in shown
        assert "Healthy, 24 hours 97.2 %" in words and "Median answer 100 ms" in words and "Calls, 24 hours 0" in words
        assert "Before that: failing for 5 min" in words
        assert len(re.findall(r"<tbody>.*?</tbody>", shown, re.S)[0].split("<tr>")) > 8
        assert "Answer time between 100 and 100 milliseconds." in shown

    def test_without_a_probe_nothing_is_drawn(self, browse, ana, project, watched):
        assert "Show as table" not in words_of(browse(ana).get(page("connection", project, watched.name)))

    def test_the_tab_lists_every_probe_with_its_reason(self, browse, ana, project, watched):
        probed(watched, "healthy", ("failing", "endpoint_refused_401", 30), ("failing", "timeout", None))
        Probe.objects.filter(reason="timeout").update(certificate_days=12, count=3)
        words = words_of(browse(ana).get(page("connection-probes", project, watched.name)))
        assert "The endpoint refused the credential" in words and "3 probes of an hour" in words
        assert "12 days" in words and "Healthy, 30 days 20.0 %" in words

    def test_it_is_turned_by_pages(self, browse, ana, project, watched, monkeypatch):
        monkeypatch.setattr("connections.pages.probes.PAGE", 3)
        for number in range(7):
            Probe.objects.create(connection=watched, state="healthy", took_ms=1001 + number)
        address, times = page("connection-probes", project, watched.name), []
        query = ""
        for _ in range(3):
            shown = browse(ana).get(address + query).content.decode()
            times += re.findall(r'data-label="HTTP"[^>]*>([^<]*)<', shown)
            query = (re.findall(r'href="(\?before=\d+)"', shown) or [""])[0]
        assert len(times) == 7 and query == ""

    @pytest.mark.parametrize("nonsense", ["x", "-1", "9" * 40, "٣"])
    def test_nonsense_in_the_address_is_the_newest_page(self, browse, ana, project, watched, nonsense):
        probed(watched, "healthy")
        address = page("connection-probes", project, watched.name)
        assert browse(ana).get(address, {"before": nonsense}).status_code == 200

    def test_the_card_of_the_endpoint_is_told_when_it_is_not_the_confirmed_one(self, browse, ana, project, watched):
        watched.card = {"name": "Ledger"}
        watched.save()
        Watch.objects.create(
            connection=watched, host="x", card_digest="0" * 64, card_read_at=timezone.now(), card_since=timezone.now()
        )
        words = words_of(browse(ana).get(page("connection-probes", project, watched.name)))
        assert "It is not the card that was confirmed." in words and "Not signed" in words
        assert "shows another agent card" in words_of(browse(ana).get(page("connection", project, watched.name)))

    def test_a_late_probe_is_said_to_be_late_and_not_failing(self, browse, ana, project, watched):
        Health.objects.create(connection=watched, state="healthy", checked_at=timezone.now() - timedelta(hours=2))
        Watch.objects.create(connection=watched, host="x", due_at=timezone.now() - timedelta(hours=2))
        words = words_of(browse(ana).get(page("connection", project, watched.name)))
        assert "so this status is old" in words and "Failing" not in words

    @pytest.mark.parametrize(
        ("seconds", "words"), [(-90, "Next: due now"), (30, "Next: within a minute"), (270, "Next: in 4 minutes")]
    )
    def test_when_the_next_one_is_due_reads_as_what_comes(self, browse, ana, project, watched, seconds, words):
        Watch.objects.create(connection=watched, host="x", due_at=timezone.now() + timedelta(seconds=seconds))
        assert words in words_of(browse(ana).get(page("connection-probes", project, watched.name)))

    def test_how_often_is_set_beside_the_limits(self, browse, ana, project, watched):
        address = page("connection-settings", project, watched.name)
        assert "The portal's own: every 5 minutes" in words_of(browse(ana).get(address))
        browse(ana).post(address, {"display_name": "", "probe_every": "15"})
        watched.refresh_from_db()
        assert watched.probe_every == 15
        browse(ana).post(address, {"display_name": "", "probe_every": "0"})
        words = words_of(browse(ana).get(page("connection", project, watched.name)))
        assert "probes are switched off" in words
        assert browse(ana).post(address, {"display_name": "", "probe_every": "7"}).status_code == 422
        browse(ana).post(address, {"display_name": "", "probe_every": ""})
        watched.refresh_from_db()
        assert watched.probe_every is None

    def test_a_stranger_finds_nothing(self, browse, eve, project, watched):
        assert browse(eve).get(page("connection-probes", project, watched.name)).status_code == 404


class TestTidying:
    def test_after_two_days_alike_ones_of_an_hour_are_one_row(self, watched):
        hour = timezone.now().replace(minute=0, second=0, microsecond=0)
        past = timezone.now() - (hour - timedelta(hours=49)) - 58 * MINUTES
        probed(watched, *[("healthy", "", ms) for ms in (10, 20, 900)], ("failing", "timeout", None), until=past)
        assert tidying.gather() == 1 and tidying.gather() == 0
        kept = list(Probe.objects.order_by("at").values_list("state", "count", "took_ms"))
        assert kept == [("healthy", 3, 20), ("failing", 1, None)]

    def test_younger_ones_are_left(self, watched):
        probed(watched, "healthy", "healthy", until=timedelta(hours=47))
        assert tidying.gather() == 0 and Probe.objects.count() == 2

    def test_after_thirty_days_they_are_removed_in_batches(self, watched, monkeypatch):
        monkeypatch.setattr(tidying, "ROWS", 5000)
        probed(watched, *["healthy"] * 12, until=timedelta(days=30, minutes=1))
        probed(watched, "healthy", until=timedelta(days=29))
        assert tidying.prune() == 12 and Probe.objects.count() == 1

    def test_the_drawing_uses_the_index(self, watched):
        Probe.objects.bulk_create(
            Probe(connection=watched, state="healthy", at=timezone.now() - MINUTES * number) for number in range(3000)
        )
        rows = Probe.objects.filter(connection=watched, at__gt=timezone.now() - history.DAY).order_by("at")
        with database.cursor() as cursor:
            cursor.execute("ANALYZE connections_probe")
        assert "probes_by_time" in rows[:10].explain()
