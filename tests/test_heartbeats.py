"""Who was seen lately: rows that workers write, and beat through a worker."""

import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.db.models.functions import Now

from portal import heartbeats, tasks
from portal.heartbeats import Heartbeat, Kind
from tests.journeys.conftest import _environment

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.django_db
def test_two_beats_leave_one_row():
    for _ in range(2):
        tasks.note_beat()
    assert [(row.kind, row.name) for row in Heartbeat.objects.all()] == [("beat", "beat")]


@pytest.mark.django_db
def test_the_age_is_that_of_whoever_was_seen_last():
    for name, ago in (("celery@one", 300), ("celery@two", 20)):
        heartbeats.note(Kind.WORKER, name)
        Heartbeat.objects.filter(name=name).update(at=Now() - timedelta(seconds=ago))
    assert set(heartbeats.ages()) == {"worker"}
    assert 20 <= heartbeats.ages()["worker"].total_seconds() < 25


@pytest.mark.django_db
def test_a_worker_that_was_taken_away_is_forgotten_after_a_day():
    for name, ago in (("celery@gone", heartbeats.FORGOTTEN_AFTER), ("celery@here", timedelta(hours=1))):
        heartbeats.note(Kind.WORKER, name)
        Heartbeat.objects.filter(name=name).update(at=Now() - ago)
    tasks.note_beat()
    assert set(Heartbeat.objects.values_list("name", flat=True)) == {"celery@here", "beat"}


def test_beat_wakes_the_task_as_often_as_is_taken_for_alive():
    schedule = settings.CELERY_BEAT_SCHEDULE["note-beat"]
    assert schedule["task"] == tasks.note_beat.name
    assert 3 * schedule["schedule"] <= heartbeats.LATELY.total_seconds()


@pytest.mark.services
def test_a_worker_and_the_task_of_beat_are_seen(transactional_db, tmp_path):
    environment = _environment("http://127.0.0.1:8000", "http://127.0.0.1:1", tmp_path) | {"GATEHOUSE_DEMO": "0"}
    celery = [sys.executable, "-m", "celery", "-A", "portal.celery", "-q"]
    worker = subprocess.Popen([*celery, "worker", "-P", "solo", "-l", "ERROR", "-n", "one@here"], env=environment)
    try:
        subprocess.run([*celery, "call", tasks.note_beat.name], env=environment, check=True, capture_output=True)
        until = time.monotonic() + 40
        while len(heartbeats.ages()) < 2 and time.monotonic() < until:
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.wait(20)
    assert set(Heartbeat.objects.values_list("kind", "name")) == {("worker", "one@here"), ("beat", "beat")}
