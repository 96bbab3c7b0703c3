"""`/readyz`: what a web process lacks, in words, within three seconds whatever hangs (F04, F06, F10, F18)."""

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta

import httpx
import pytest
from cryptography.fernet import Fernet
from django.db.models.functions import Now
from django.test import Client

from portal import heartbeats, installation, readiness
from portal.heartbeats import Heartbeat, Kind
from portal.installation import Installation
from portal.looks import Look, NoAnswerYet
from tests.gateway.second import second_gateway

LONGEST = 3.0


@pytest.fixture
def here(transactional_db) -> None:
    """An installation where everybody was seen just now."""
    installation.verify()
    heartbeats.note(Kind.WORKER, "celery@one")
    heartbeats.note(Kind.BEAT, "beat")


@pytest.fixture(autouse=True)
def ask_afresh(monkeypatch) -> None:
    monkeypatch.setattr(readiness, "queue", Look(lambda: True))
    monkeypatch.setattr(readiness, "database", Look(readiness._ask_database))


def ready() -> tuple[int, str, dict]:
    answer = Client().get("/readyz")
    body = json.loads(answer.content)
    return answer.status_code, body["status"], body["parts"]


def long_ago(kind: Kind) -> None:
    Heartbeat.objects.filter(kind=kind).update(at=Now() - heartbeats.LATELY - timedelta(seconds=1))


def test_a_whole_installation_is_ready_and_names_each_part(here):
    status, word, parts = ready()
    assert (status, word) == (200, "ready")
    assert list(parts) == ["database", "key_ring", "installation", "workers", "beat", "broker"]
    assert {part["state"] for part in parts.values()} == {"ok"}


@pytest.mark.parametrize(("kind", "part"), [(Kind.WORKER, "workers"), (Kind.BEAT, "beat")])
def test_without_worker_or_beat_it_is_degraded_and_calls_still_pass(kind, part, here):
    long_ago(kind)
    status, word, parts = ready()
    assert (status, word, parts[part]["state"]) == (200, "degraded", "degraded")
    assert "91 seconds" in parts[part]["why"] or "92 seconds" in parts[part]["why"]
    Heartbeat.objects.filter(kind=kind).delete()
    assert "has been seen yet" in ready()[2][part]["why"]


def test_one_worker_of_several_is_enough(here):
    long_ago(Kind.WORKER)
    heartbeats.note(Kind.WORKER, "celery@two")
    assert ready()[1] == "ready"


def test_without_a_key_ring_it_is_not_ready(here, settings):
    settings.GATEHOUSE_KEYS = ""
    status, word, parts = ready()
    assert (status, word, parts["key_ring"]["state"]) == (503, "not ready", "failed")
    assert parts["installation"]["state"] == "not checked"


@pytest.mark.parametrize("change", ["another ring", "another database", "the demo"])
def test_a_database_that_is_not_ours_is_not_ready_and_the_answer_names_no_key(change, here, settings):
    if change == "another ring":
        settings.GATEHOUSE_KEYS = f"k9:{Fernet.generate_key().decode()}"
    elif change == "another database":
        Installation.objects.all().delete()
    else:
        Installation.objects.update(is_demo=True)
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert json.loads(answer.content)["parts"]["installation"]["state"] == "failed"
    assert b"k9" not in answer.content
    assert Installation.objects.exists() == (change != "another database"), "a look must not make one"


@contextlib.contextmanager
def silent_server() -> Iterator[int]:
    """Takes connections and never says a word."""
    kept = []
    with socket.create_server(("127.0.0.1", 0), backlog=16) as listener:

        def accept() -> None:
            with contextlib.suppress(OSError):
                while True:
                    kept.append(listener.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        for each in kept:
            each.close()


def timed(url: str) -> tuple[float, httpx.Response]:
    began = time.monotonic()
    answer = httpx.get(f"{url}/readyz", timeout=20)
    return time.monotonic() - began, answer


@pytest.mark.parametrize("broker", ["amqp://guest:canary@127.0.0.1:{}//", "redis://:canary@127.0.0.1:{}/0"])
def test_a_broker_that_takes_the_connection_and_says_nothing_only_degrades(broker, here, tmp_path):
    with silent_server() as port, second_gateway(tmp_path / "output", CELERY_BROKER_URL=broker.format(port)) as second:
        for _ in range(3):
            seconds, answer = timed(second.url)
            assert seconds < LONGEST and answer.status_code == 200
            assert answer.json()["status"] == "degraded"
            assert answer.json()["parts"]["broker"]["state"] == "degraded"
            assert "canary" not in answer.text and "127.0.0.1" not in answer.text


def test_a_database_that_hangs_is_told_in_time_and_so_is_its_return(here, tmp_path):
    with second_gateway(tmp_path / "output") as second:
        assert timed(second.url)[1].json()["parts"]["database"]["state"] == "ok"
        with second.door.frozen():
            for _ in range(3):
                seconds, answer = timed(second.url)
                assert seconds < LONGEST and answer.status_code == 503
                assert answer.json()["parts"]["database"]["state"] == "failed"
                assert "127.0.0.1" not in answer.text and str(second.door.port) not in answer.text
            assert httpx.get(f"{second.url}/healthz", timeout=3).status_code == 200
        until = time.monotonic() + 10
        while (answer := timed(second.url)[1]).status_code != 200 and time.monotonic() < until:
            time.sleep(0.1)
        assert answer.status_code == 200


def hanging(until: threading.Event) -> Callable[[], str]:
    def ask() -> str:
        until.wait(20)
        return "answered"

    return ask


def test_however_many_ask_one_thread_hangs():
    let_go = threading.Event()
    look = Look(hanging(let_go))
    before = threading.active_count()
    for _ in range(20):
        with pytest.raises(NoAnswerYet):
            look.begin().result(0.001)
    assert threading.active_count() == before + 1
    let_go.set()
    assert look.begin().result(5) == "answered"


def test_an_answer_serves_for_as_long_as_it_is_kept():
    asked = []
    look = Look(lambda: asked.append(1), kept=0.2)
    look.begin().result(5)
    look.begin().result(5)
    assert len(asked) == 1
    time.sleep(0.25)
    look.begin().result(5)
    assert len(asked) == 2
