"""The sweep through a real broker and a real worker: whichever broker CELERY_BROKER_URL names."""

import os
import subprocess
import sys
import time

import pytest

from portal.audit import events, log
from portal.audit.models import LogRow
from tests.journeys.conftest import _environment

pytestmark = pytest.mark.services


def test_a_worker_takes_the_sweep_from_the_broker_and_closes_an_open_attempt(transactional_db, tmp_path):
    environment = _environment("http://127.0.0.1:8000", "http://127.0.0.1:1", tmp_path)
    environment |= {"GATEHOUSE_DEMO": "0", "GATEWAY_STREAM_SECONDS": "-61"}
    if "CELERY_BROKER_URL" in os.environ:
        environment["CELERY_BROKER_URL"] = os.environ["CELERY_BROKER_URL"]
    log.begin(events.CALL, log.SYSTEM)
    celery = [sys.executable, "-m", "celery", "-A", "portal.celery"]
    worker = subprocess.Popen([*celery, "worker", "-P", "solo", "-l", "ERROR"], env=environment)
    try:
        subprocess.run([*celery, "call", "portal.tasks.close_open_attempts"], env=environment, check=True, timeout=60)
        until = time.monotonic() + 40
        while not LogRow.objects.filter(kind="outcome").exists() and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.wait(20)

    assert [row.outcome for row in LogRow.objects.filter(kind="outcome")] == ["unknown"]
