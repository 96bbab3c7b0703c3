"""Scheduled probes, against real servers: what is due, what is seen, and what a hanging host can't do."""

import threading
import time
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.cache import cache
from django.db import connection as database
from django.utils import timezone

from connections import keeping, offering, probes
from connections.methods.base import AuthMethod, Credential, CredentialUnavailable
from connections.models import Connection, Health, Probe, Watch
from connections.watching import noting, plan, rounds
from portal.audit import log
from portal.audit.models import LogRow
from portal.vault import Secret as Plaintext
from tests.connections.scheduled import KEY, Answering, connected, pass_time, probe_all
from tests.fakes import hostile_tcp
from tests.fakes.server import listening_socket, serve
from tests.outbound.raw_server import answering, raw_server, reply

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def served():
    """An endpoint that takes the key, and its address."""
    app = Answering()
    with serve(app, lifespan="off") as at:
        yield app, f"{at.url}/a2a"


def rows(*tags: str) -> list[LogRow]:
    return list(LogRow.objects.filter(event__in=tags or ["connection.watched"]).order_by("id"))


def state_of(connection) -> tuple[str, str]:
    health = Health.objects.get(connection=connection)
    return health.state, health.reason


class TestOneProbe:
    def test_it_uses_the_connections_own_method_and_credential(self, project, served):
        app, url = served
        connection = connected(project, url)
        assert probe_all() == 1
        assert app.calls == 1 and state_of(connection) == ("healthy", "")
        probe = Probe.objects.get(connection=connection)
        assert (probe.state, probe.reason, probe.status, probe.count) == ("healthy", "", 200, 1)
        assert probe.took_ms is not None and probe.certificate_days is None

    def test_a_credential_broken_at_the_endpoint_is_on_the_page_within_one_interval(self, browse, ana, project, served):
        app, url = served
        connection = connected(project, url, "ledger-agent")
        probe_all()
        app.key = "another"
        pass_time(plan.interval_of(connection).total_seconds() - plan.SWEEP.total_seconds())
        rounds.probe_what_is_due()
        assert state_of(connection) == ("failing", "endpoint_refused_401")
        shown = browse(ana).get(f"/projects/{project.name}/tools/ledger-agent/").content.decode()
        assert "Failing since" in shown and "The endpoint refused the credential" in shown
        assert "401 since" in browse(ana).get(f"/projects/{project.name}/tools/").content.decode()

    def test_it_never_switches_a_connection_off(self, project, served):
        app, url = served
        connection, app.key = connected(project, url), "another"
        for _ in range(6):
            probe_all()
        connection.refresh_from_db()
        assert connection.is_enabled and state_of(connection)[0] == "failing"

    def test_the_card_is_read_once_an_hour(self, project, served):
        app, url = served
        connected(project, url)
        probe_all()
        probe_all()
        assert (app.calls, app.cards) == (2, 1)
        Watch.objects.update(card_tried_at=timezone.now() - timedelta(minutes=61))
        probe_all()
        probe_all()
        assert (app.calls, app.cards) == (4, 2)

    def test_a_card_that_has_gone_is_told_also_by_the_probes_between(self, project, raw_endpoint):
        connection = connected(project, f"{_no_card(raw_endpoint)}/a2a", card={"name": "Ledger"})
        for _ in range(2):
            probe_all()
            assert Watch.objects.get().card_code == "card_none_there"
        assert state_of(connection)[0] == "failing"

    def test_card_version_signature_and_since_when_it_is_the_same_are_kept(self, project, served, monkeypatch):
        app, url = served
        connected(project, url)
        probe_all()
        first = Watch.objects.get()
        assert (first.card_version, first.card_signed) == ("1.8.0", True)
        Watch.objects.update(card_tried_at=None)
        probe_all()
        assert Watch.objects.get().card_since == first.card_since
        changed = b'{"name": "Ledger", "version": "1.9.0", "url": "http://127.0.0.1:9/"}'
        monkeypatch.setattr("tests.connections.scheduled.CARD", changed)
        Watch.objects.update(card_tried_at=None)
        probe_all()
        again = Watch.objects.get()
        assert again.card_since > first.card_since and (again.card_version, again.card_signed) == ("1.9.0", False)

    def test_the_days_of_the_certificate_are_kept(self, project, authority):
        answer = b'{"jsonrpc": "2.0", "id": "1", "error": {"code": -32001}}'
        context = authority.server("127.0.0.1", days=20)
        with raw_server(answering(reply(answer)), tls=context) as server:
            connected(project, server.url("/a2a"))
            probe_all()
        assert Probe.objects.get().certificate_days == 19
        assert Watch.objects.get().certificate_ends.date() == (timezone.now() + timedelta(days=20)).date()

    @pytest.mark.parametrize(
        ("url", "code"),
        [("https://no-such-host.invalid/a2a", "name_not_found"), ("https://10.1.2.3/a2a", "address_blocked")],
    )
    def test_name_and_address_are_told_apart(self, project, url, code):
        connection = connected(project, url)
        probe_all()
        assert state_of(connection) == ("failing", code)

    def test_a_server_without_tls_is_told(self, project, served):
        connection = connected(project, served[1].replace("http:", "https:"))
        probe_all()
        assert state_of(connection) == ("failing", "tls_failed")

    def test_what_the_endpoint_says_is_nowhere(self, project, hostile, caplog):
        caplog.set_level("DEBUG")
        connected(project, hostile.url("html-503"))
        connected(project, hostile.url("echo-headers"))
        probe_all()
        kept = [*Probe.objects.values(), *Watch.objects.values(), *Health.objects.values(), *LogRow.objects.values()]
        assert not [word for word in (KEY[1], "nginx", "You sent") if word in repr(kept) + caplog.text]


class Waiting(AuthMethod):
    """Its credential comes from somebody else; it renews once."""

    slug, label, may_wait = "waiting", "Waiting", True

    def credential(self, connection, caller):
        list(Connection.objects.all())  # a thread of the pool asks the database, too
        return Credential((("x-api-key", Plaintext("old")),))

    def renew(self, connection, caller, refused):
        return Credential((("x-api-key", Plaintext(KEY[1])),))


class Personal(AuthMethod):
    slug, label = "personal", "Personal"

    def credential(self, connection, caller):
        assert caller.agent is None and caller.user is None
        raise CredentialUnavailable("test_needs_agent")

    def given_by_people(self, connection):
        return "2 people connected, 1 needs consent again"


class Broken(AuthMethod):
    slug, label = "broken", "Broken"

    def credential(self, connection, caller):
        raise RuntimeError("an error of the method's own")


class TestOtherMethods:
    @pytest.fixture(autouse=True)
    def _methods(self, settings):
        here = "tests.connections.test_scheduled_probes"
        more = [f"{here}.Waiting", f"{here}.Personal", f"{here}.Broken"]
        settings.AUTH_METHODS = [*settings.AUTH_METHODS, *more]

    def test_a_method_that_waits_is_asked_in_a_thread_and_may_renew(self, project, served):
        connection = connected(project, served[1], auth_method="waiting")
        probe_all()
        assert state_of(connection) == ("healthy", "") and served[0].calls == 2

    def test_a_credential_of_agents_or_users_is_not_tried_and_that_is_said(self, browse, ana, project, served):
        app, url = served
        connection = connected(project, url, "review-agent", auth_method="personal", credential=None)
        probe_all()
        probe_all()
        assert (app.calls, app.cards) == (0, 2)
        assert state_of(connection) == ("healthy", "test_needs_agent")
        shown = browse(ana).get(f"/projects/{project.name}/tools/review-agent/").content.decode()
        assert "Seen are the server and its agent card. The credential is not tried" in shown
        assert "2 people connected, 1 needs consent again" in shown

    def test_without_a_card_nothing_is_claimed_for_it(self, project, raw_endpoint):
        connection = connected(project, f"{_no_card(raw_endpoint)}/a2a", auth_method="personal", credential=None)
        probe_all()
        assert state_of(connection) == ("not_checked", "test_needs_agent")

    def test_its_server_can_be_found_failing_all_the_same_and_recover(self, project, served):
        url = f"http://127.0.0.1:{_free_port()}/a2a"
        connection = connected(project, url, auth_method="personal", credential=None)
        probe_all()
        assert state_of(connection) == ("failing", "not_reachable")
        there = {"url": served[1], "binding": "JSONRPC", "version": "1.0"}
        Connection.objects.update(endpoint=served[1], interfaces=[there])
        probe_all()
        assert state_of(connection) == ("healthy", "test_needs_agent")

    def test_its_card_does_not_disprove_what_a_provider_has_said(self, project, served):
        connection = connected(project, served[1], auth_method="personal", credential=None)
        probe_all()
        Health.objects.update(state="failing", reason="oauth_client_refused")
        probe_all()
        assert state_of(connection) == ("failing", "oauth_client_refused") and not rows("connection.recovered")

    def test_an_error_of_the_portals_own_marks_nothing_and_ends_no_round(self, project, served, caplog):
        broken = connected(project, served[1], auth_method="broken", credential=None)
        good = connected(project, served[1])
        probe_all()
        assert state_of(good) == ("healthy", "") and not Health.objects.filter(connection=broken).exists()
        assert "RuntimeError" in caplog.text and "an error of the method's own" not in caplog.text
        assert Watch.objects.get(connection=broken).claimed_by is None


def _free_port() -> int:
    with listening_socket() as sock:
        return sock.getsockname()[1]


def _no_card(raw_endpoint) -> str:
    async def nothing_here(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()

    return raw_endpoint(nothing_here).url


class TestThePlan:
    @pytest.mark.parametrize("minutes", [1, 5, 15, 60])
    def test_the_next_one_comes_within_the_interval_and_not_at_one_moment_for_all(self, project, minutes):
        connection = connected(project, "https://ledger.contoso.example/a2a", probe_every=minutes)
        delays = [plan.delay(connection, 0) for _ in range(50)]
        interval = timedelta(minutes=minutes)
        assert all(interval * 0.9 - plan.SWEEP <= delay <= interval - plan.SWEEP for delay in delays)
        assert max(delays) - min(delays) > interval * 0.05

    def test_a_first_failure_is_looked_at_again_soon_and_then_with_patience(self, project):
        connection = connected(project, "https://ledger.contoso.example/a2a")
        delays = [plan.delay(connection, failures).total_seconds() for failures in range(1, 9)]
        assert delays[0] == 30
        assert 250 < delays[1] <= 300 and 500 < delays[2] <= 600
        assert all(780 < delay <= 900 for delay in delays[3:])

    def test_an_hourly_one_does_not_become_more_frequent_by_failing(self, project):
        connection = connected(project, "https://ledger.contoso.example/a2a", probe_every=60)
        assert plan.delay(connection, 5) > timedelta(minutes=50)

    def test_what_is_off_or_disabled_is_not_probed_until_somebody_changes_that(self, project, ana, served):
        app, url = served
        off, disabled = connected(project, url, probe_every=0), connected(project, url, disabled_at=timezone.now())
        probe_all()
        rounds.probe_what_is_due()
        assert app.calls == 0 and not rows()
        keeping.limit(off, {"probe_every": 5}, ana)
        offering.enable(disabled, ana)
        assert rounds.probe_what_is_due() == 2 and app.calls == 2

    def test_many_that_are_off_do_not_hold_up_one_that_is_not(self, project, served, settings):
        settings.PROBE_THREADS = 4
        for number in range(30):
            connected(project, f"https://off-{number}.example/a2a", probe_every=0, credential=None)
        plan.begin_watching()
        pass_time(7200)
        connection = connected(project, served[1])
        plan.begin_watching()
        pass_time(3600)
        assert rounds.probe_what_is_due() == 1 and state_of(connection)[0] == "healthy"

    def test_the_portals_own_interval_can_be_never(self, project, served, settings):
        settings.PROBE_MINUTES = 0
        connected(project, served[1])
        probe_all()
        assert served[0].calls == 0

    def test_a_changed_connection_is_probed_at_once(self, project, ana, served):
        connection = connected(project, served[1])
        probe_all()
        assert rounds.probe_what_is_due() == 0
        keeping.limit(connection, {"display_name": "Ledger"}, ana)
        assert rounds.probe_what_is_due() == 1

    def test_new_connections_are_spread_over_their_interval(self, project):
        for _ in range(20):
            connected(project, "https://ledger.contoso.example/a2a", credential=None)
        assert plan.begin_watching() == 20 and plan.begin_watching() == 0
        moments = sorted(Watch.objects.values_list("due_at", flat=True))
        assert moments[-1] - moments[0] > timedelta(seconds=60)
        assert moments[-1] < timezone.now() + timedelta(minutes=5)


@pytest.mark.services
class TestClaims:
    def due(self, project, number: int, host: str = "https://host-{}.example/a2a") -> None:
        for position in range(number):
            connected(project, host.format(position), credential=None)
        plan.begin_watching()
        pass_time(3600)

    def test_two_workers_never_get_the_same(self, project):
        self.due(project, 30)
        start, taken = threading.Barrier(3), []

        def take() -> None:
            start.wait(5)
            while some := plan.claim(uuid4(), 4):
                taken.extend(watch.pk for watch in some)
            database.close()

        workers = [threading.Thread(target=take) for _ in range(3)]
        [worker.start() for worker in workers]
        [worker.join(10) for worker in workers]
        assert len(taken) == len(set(taken)) == 30

    def test_no_more_than_four_of_one_host_are_held_by_whoever(self, project):
        self.due(project, 10, "https://one.example/{}")
        self.due(project, 2)
        first, second = plan.claim(uuid4(), 100), plan.claim(uuid4(), 100)
        hosts = [watch.host for watch in first]
        assert hosts.count("one.example") == 4 and len(hosts) == 6 and second == []

    def test_a_worker_that_dies_loses_nothing(self, project, served):
        connection = connected(project, served[1])
        plan.begin_watching()
        pass_time(3600)
        assert len(plan.claim(uuid4(), 10)) == 1
        assert rounds.probe_what_is_due() == 0
        pass_time(plan.LEASE.total_seconds())
        assert rounds.probe_what_is_due() == 1 and state_of(connection) == ("healthy", "")

    def test_who_lost_the_claim_keeps_nothing(self, project, served):
        connection = connected(project, served[1])
        plan.begin_watching()
        pass_time(3600)
        plan.claim(late := uuid4(), 10)
        pass_time(plan.LEASE.total_seconds())
        plan.claim(uuid4(), 10)
        trial = probes.Trial(connection, probes.interface_of(connection))
        trial.go()
        noting.note(connection, trial, late)
        assert not Probe.objects.exists() and not Health.objects.exists()
        assert Watch.objects.get().claimed_by is not None

    def test_what_was_changed_meanwhile_keeps_nothing_and_is_due_again(self, project, served):
        connection = connected(project, served[1])
        plan.begin_watching()
        pass_time(3600)
        plan.claim(by := uuid4(), 10)
        trial = probes.Trial(connection, probes.interface_of(connection))
        trial.go()
        Connection.objects.update(changed_at=timezone.now())
        noting.note(connection, trial, by)
        assert not Probe.objects.exists() and len(plan.claim(uuid4(), 10)) == 1


class TestHangingHosts:
    def test_none_of_many_healthy_ones_is_marked_failing_or_held_up_by_hosts_that_hang(
        self, project, raw_endpoint, served, monkeypatch
    ):
        """The short form of 500 beside 50; docs/operations.md has the long one's figures."""
        monkeypatch.setattr("connections.trial.CARD_SECONDS", 1.0)
        monkeypatch.setattr("connections.trial.CALL_SECONDS", 1.0)
        hanging = [raw_endpoint(hostile_tcp.silent) for _ in range(12)]
        for server in hanging:
            connected(project, f"{server.url}/a2a", f"hanging-{server.port}", credential=None)
        app, url = served
        for number in range(60):
            connected(project, url, f"healthy-{number}")
        plan.begin_watching()
        pass_time(3600)
        started = time.monotonic()
        while Probe.objects.count() < 72 and time.monotonic() - started < 30:
            rounds.probe_what_is_due()
        states = dict(Connection.objects.values_list("name", "health__state"))
        assert {state for name, state in states.items() if name.startswith("healthy")} == {"healthy"}
        assert {state for name, state in states.items() if name.startswith("hanging")} == {"failing"}
        assert app.calls == 60 and app.most_at_once <= plan.AT_ONCE_PER_HOST

    def test_hosts_that_hang_do_not_hold_up_those_behind_them(
        self, project, raw_endpoint, served, settings, monkeypatch
    ):
        monkeypatch.setattr("connections.trial.CARD_SECONDS", 2.0)
        monkeypatch.setattr("connections.trial.CALL_SECONDS", 0.1)
        settings.PROBE_THREADS = 8
        for _ in range(4):
            connected(project, f"{raw_endpoint(hostile_tcp.silent).url}/a2a", credential=None)
        good = [connected(project, served[1]) for _ in range(8)]
        plan.begin_watching()
        pass_time(3600)
        seen_at: list[float] = []
        keep, started = noting.note, time.monotonic()

        def note(connection, *rest) -> None:
            keep(connection, *rest)
            if connection in good:
                seen_at.append(time.monotonic() - started)

        monkeypatch.setattr(noting, "note", note)
        rounds.probe_what_is_due()
        assert len(seen_at) == 8 and max(seen_at) < 1.5


class TestTheLog:
    def test_one_row_covers_the_probes_of_a_day(self, project, served):
        connection = connected(project, served[1], changed_at=timezone.now() - timedelta(days=9))
        for _ in range(5):
            probe_all()
        [row] = rows()
        assert (row.kind, row.actor_kind, row.connection_id) == ("act", "system", connection.id)
        assert (row.auth_method, row.target) == ("key-based", connection.endpoint) and log.verify(row)
        pass_time(24 * 3600)
        probe_all()
        assert '"covered_before": "5 probes, 0 failing"' in rows()[-1].details and len(rows()) == 2

    def test_whoever_changes_the_connection_ends_what_the_row_covers(self, project, ana, served):
        connection = connected(project, served[1])
        probe_all()
        keeping.limit(connection, {"display_name": "Ledger"}, ana)
        probe_all()
        assert len(rows()) == 2

    def test_the_row_is_committed_before_the_credential_is_opened(self, project, served, monkeypatch):
        seen = []

        def opening(*_):
            seen.extend(row.event for row in rows())
            assert not database.in_atomic_block
            raise CredentialUnavailable("secret_missing")

        monkeypatch.setattr("connections.secrets.openers", opening)
        connected(project, served[1])
        probe_all()
        assert seen == ["connection.watched"]

    def test_without_a_row_nothing_is_opened_or_sent(self, project, served, monkeypatch):
        def refuse(*_, **__):
            raise log.LogUnavailable

        connected(project, served[1])
        monkeypatch.setattr(log, "_insert", refuse)
        with pytest.raises(log.LogUnavailable):
            probe_all()
        assert served[0].calls == served[0].cards == 0

    def test_a_change_of_state_has_a_row_of_its_own(self, project, served):
        app, url = served
        connected(project, url)
        for app.key in (KEY[1], "another", "another", KEY[1], KEY[1]):
            probe_all()
        failing, recovered = rows("connection.failing", "connection.recovered")
        assert (failing.outcome, failing.reason, failing.status) == ("refused_by_endpoint", "endpoint_refused_401", 401)
        assert (recovered.event, recovered.outcome) == ("connection.recovered", "succeeded")

    def test_a_persons_own_test_keeps_its_two_rows_and_is_in_the_history(self, project, ana, served):
        cache.clear()
        connection = connected(project, served[1])
        probes.test(connection, ana)
        assert len(rows("connection.checked")) == 2 and not rows()
        assert Probe.objects.filter(connection=connection).count() == 1
