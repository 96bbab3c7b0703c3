"""Scheduled probes through a real broker and real workers, also such as are killed."""

import os
import signal
import subprocess
import sys
import time

import pytest
from django.db import connection as database

from connections.models import Health, Probe, Watch
from connections.watching import plan, rounds
from tests.connections.scheduled import Answering, connected, pass_time
from tests.fakes.server import serve
from tests.journeys.conftest import _environment

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
ROUND = "import django; django.setup(); from connections.watching import rounds; print(rounds.probe_what_is_due())"


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    made = _environment("http://127.0.0.1:8000", "http://127.0.0.1:1", tmp_path) | {"GATEHOUSE_DEMO": "0"}
    given = {name: os.environ[name] for name in ("CELERY_BROKER_URL",) if name in os.environ}
    return made | given


def eventually(condition, seconds: float = 40) -> bool:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.1)
    return condition()


def test_a_worker_takes_the_wake_up_from_its_queue_and_probes(project, environment):
    celery = [sys.executable, "-m", "celery", "-A", "portal.celery"]
    with serve(Answering(), lifespan="off") as at:
        connection = connected(project, f"{at.url}/a2a")
        plan.begin_watching()
        pass_time(3600)
        worker = subprocess.Popen([*celery, "worker", "-Q", "probe", "-P", "solo", "-l", "ERROR"], env=environment)
        try:
            call = [*celery, "call", "connections.tasks.probe_due"]
            subprocess.run(call, env=environment, check=True, timeout=60, stdout=subprocess.DEVNULL)
            assert eventually(Health.objects.filter(connection=connection, state="healthy").exists)
        finally:
            worker.terminate()
            worker.wait(20)


def test_a_worker_killed_in_the_middle_loses_nothing(project, environment):
    app = Answering(waits=20)
    with serve(app, lifespan="off") as at:
        connected(project, f"{at.url}/a2a")
        plan.begin_watching()
        pass_time(3600)
        process = subprocess.Popen([sys.executable, "-c", ROUND], env=environment)
        assert eventually(lambda: app.at_once == 1)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        app.waits = 0
        assert rounds.probe_what_is_due() == 0 and not Probe.objects.exists()
        pass_time(plan.LEASE.total_seconds())
        assert rounds.probe_what_is_due() == 1
    assert Health.objects.get().state == "healthy" and Watch.objects.get().claimed_by is None


def test_two_workers_at_once_probe_each_connection_once(project, environment):
    app = Answering(waits=0.05)
    with serve(app, lifespan="off") as at:
        for _ in range(40):
            connected(project, f"{at.url}/a2a")
        plan.begin_watching()
        pass_time(3600)
        workers = [subprocess.Popen([sys.executable, "-c", ROUND], env=environment) for _ in range(2)]
        assert [worker.wait(60) for worker in workers] == [0, 0]
    assert app.calls == 40 == Probe.objects.count() and app.most_at_once <= plan.AT_ONCE_PER_HOST
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM portal_logrow WHERE event = 'connection.watched'")
        assert cursor.fetchone()[0] == 40
