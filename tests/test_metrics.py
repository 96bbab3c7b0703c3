"""`/metrics`: who may read it, what it shows, and that several processes answer as one."""

import contextlib
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.test import Client
from prometheus_client.parser import text_string_to_metric_families

from connections.models import Connection, Health
from consent.models import Grant
from portal import heartbeats, installation, measures, metrics
from portal.heartbeats import Heartbeat, Kind
from portal.looks import Look
from portal.metrics import Measure
from tests import factories, worlds
from tests.fakes.server import listening_socket, url_of
from tests.gateway.second import second_gateway
from tests.journeys.conftest import _environment
from tests.test_invariants import imported, sources

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "a-token-of-the-tests-own-0123456789"


@pytest.fixture(autouse=True)
def look_afresh(monkeypatch) -> None:
    monkeypatch.setattr(measures, "_look", Look(measures.of_database))


@pytest.fixture
def with_token(settings) -> None:
    settings.METRICS_TOKEN = TOKEN


def values(text: str) -> dict[tuple, float]:
    """(name, label values in the order of their names) to the value."""
    families = text_string_to_metric_families(text)
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in families
        for sample in family.samples
    }


def scraped(client: Client | None = None) -> dict[tuple, float]:
    answer = (client or Client()).get("/metrics")
    assert answer.status_code == 200 and answer["Content-Type"].startswith("text/plain; version=")
    return values(answer.content.decode())


# Who may read it.


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.0.1", "::1", "::ffff:127.0.0.1"])
def test_without_a_token_a_program_on_this_machine_reads_it(peer, transactional_db):
    assert Client(REMOTE_ADDR=peer).get("/metrics").status_code == 200


@pytest.mark.parametrize("peer", ["10.0.0.7", "192.0.2.1", "::ffff:10.0.0.7", "fe80::1", "", "localhost"])
def test_without_a_token_nobody_else_does(peer, db):
    answer = Client(REMOTE_ADDR=peer).get("/metrics")
    assert answer.status_code == 403 and b"gatehouse_" not in answer.content


@pytest.mark.parametrize(
    "header",
    ["X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port", "Forwarded", "Via", "X-Real-IP"],
)
def test_whoever_comes_through_a_proxy_is_not_of_this_machine(header, db):
    assert Client().get("/metrics", headers={header: "127.0.0.1"}).status_code == 403
    assert Client(REMOTE_ADDR="10.0.0.7").get("/metrics", headers={header: "127.0.0.1"}).status_code == 403


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.0.0.7"])
def test_with_a_token_it_takes_the_token_from_everybody(peer, with_token, transactional_db):
    client = Client(REMOTE_ADDR=peer)
    for header in (None, f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", f"Basic {TOKEN}", TOKEN, "Bearer té"):
        answer = client.get("/metrics", headers={"Authorization": header} if header else {})
        assert answer.status_code == 401 and b"gatehouse_" not in answer.content, header
        assert answer["WWW-Authenticate"].startswith("Bearer")
    assert client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200


def test_a_person_who_is_signed_in_has_no_right_to_it(ana, browse, with_token):
    assert browse(ana).get("/metrics").status_code == 401


# What it shows.


def test_it_shows_parts_keys_connections_and_grants(transactional_db):
    installation.verify()
    world = worlds.make("alpha")
    for name, state in (("healthy-one", "healthy"), ("failing-one", "failing"), ("failing-two", "failing")):
        Health.objects.create(connection=factories.make_connection(world.project, name=name), state=state)
    heartbeats.note(Kind.WORKER, "celery@one")
    found = scraped()
    assert found["gatehouse_part_up", "database"] == found["gatehouse_part_up", "key_ring"] == 1
    assert found["gatehouse_connections", "healthy"] == 1 and found["gatehouse_connections", "failing"] == 2
    assert found["gatehouse_connections", "not_checked"] == Connection.objects.count() - 3
    assert found["gatehouse_grants", "active"] == Grant.objects.count() == 1
    assert found["gatehouse_grants", "revoked"] == 0
    assert found["gatehouse_wrapped_keys", "k1", "installation"] == 1 and found["gatehouse_wrapped_keys", "k1", "log"]
    assert 0 <= found["gatehouse_seen_seconds_ago", "worker"] < 10
    assert ("gatehouse_seen_seconds_ago", "beat") not in found


def test_it_shows_how_long_the_oldest_due_work_has_waited(transactional_db, monkeypatch):
    monkeypatch.setattr(measures, "_due", {})
    measures.register_due("nothing", Heartbeat.objects.none, "at")
    measures.register_due("beats", lambda: Heartbeat.objects.all(), "at")
    heartbeats.note(Kind.WORKER, "celery@one")
    Heartbeat.objects.update(at="2026-01-01T00:00:00Z")
    found = scraped()
    assert found["gatehouse_due_work_seconds", "nothing"] == 0
    assert found["gatehouse_due_work_seconds", "beats"] > 86_400


def test_no_label_names_a_person_an_agent_or_a_connection(transactional_db):
    installation.verify()
    world = worlds.make("alpha", worlds.MARK)
    text = Client().get("/metrics").content.decode()
    own = (world.person.email, world.agent.name, world.connection.name, world.project.name, worlds.MARK, "127.0.0.1")
    assert [name for name in own if name in text] == []
    labels = set(re.findall(r'[{,](\w+)="', text))
    assert labels <= {"part", "kind", "key_id", "what", "state", "work", "le", "outcome", "auth_method", "code"}


def test_a_measure_that_fails_is_left_out_and_the_others_stay(transactional_db, monkeypatch):
    monkeypatch.setattr(measures, "_registered", [_fails, *measures._registered])
    assert ("gatehouse_grants", "active") in scraped()


def _fails() -> list[Measure]:
    Heartbeat.objects.extra(where=["no_such_column = 1"]).count()
    return []


def test_counting_a_call_takes_a_few_microseconds():
    metrics.call_ended("succeeded", "key_based", "plain", 0.02)
    best = 1.0
    for _ in range(5):
        began = time.perf_counter()
        for _ in range(2_000):
            metrics.call_ended("succeeded", "key_based", "plain", 0.02)
        best = min(best, (time.perf_counter() - began) / 2_000)
    assert best < 20e-6


def test_one_module_alone_knows_the_library():
    knowing = [str(p.relative_to(ROOT)) for p in sources() if any("prometheus" in n for n in imported(p.read_text()))]
    assert knowing == ["portal/metrics.py"]


def test_a_database_that_hangs_is_shown_as_such_in_time(transactional_db, tmp_path):
    installation.verify()
    with second_gateway(tmp_path / "output") as second, second.door.frozen():
        began = time.monotonic()
        found = values(httpx.get(f"{second.url}/metrics", timeout=20).text)
        assert time.monotonic() - began < 4
    assert found["gatehouse_part_up", "database"] == 0 and ("gatehouse_grants", "active") not in found
    assert ("gatehouse_log_rows_waiting",) in found


# Several processes.


@contextlib.contextmanager
def web(url: str, environment: dict[str, str], workers: int) -> Iterator[subprocess.Popen]:
    port = url.rpartition(":")[2]
    command = [sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", port, "--workers", str(workers)]
    process = subprocess.Popen([*command, "--no-access-log"], env=environment, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def asked(url: str, times: int) -> dict[tuple, float]:
    """Calls without a key, each over a connection of its own so that all processes get some; then a scrape."""
    for _ in range(times):
        assert httpx.post(f"{url}/a2a/any/thing", json={}).status_code == 401
    return values(httpx.get(f"{url}/metrics", timeout=10).text)


def wait_for(url: str, workers: int, var: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/healthz").status_code == 200 and len(counters(var)) == workers:
                return
        time.sleep(0.1)
    raise AssertionError("the web processes did not start")


def counters(var: Path) -> list[Path]:
    return list((var / "metrics").glob("*/counter_*.db"))


def refused(found: dict[tuple, float]) -> float:
    return sum(value for key, value in found.items() if key[0] == "gatehouse_gateway_calls_total")


def test_several_processes_answer_as_one_and_forget_none_that_died(transactional_db, tmp_path):
    with listening_socket() as sock:
        url = url_of(sock)
    environment = _environment(url, "http://127.0.0.1:1", tmp_path)
    with web(url, environment, workers=2):
        wait_for(url, 2, tmp_path)
        assert refused(asked(url, 12)) == 12
        assert {refused(asked(url, 0)) for _ in range(6)} == {12}, "whichever process is asked"
        one = int(counters(tmp_path)[0].stem.partition("_")[2])
        os.kill(one, 9)
        wait_for(url, 3, tmp_path)
        assert refused(asked(url, 3)) == 15
        [folder] = (tmp_path / "metrics").iterdir()
        assert folder.stat().st_mode & 0o077 == 0
        assert not (folder / f"gauge_livesum_{one}.db").exists()
    with web(url, environment, workers=2):
        wait_for(url, 2, tmp_path)
        assert not folder.exists(), "the folder of a server that is gone"
        assert refused(asked(url, 1)) == 1
