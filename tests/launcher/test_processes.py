"""Several processes on one screen, ended together."""

import os
import time

import pytest

from launcher.processes import Ended, Processes
from tests.launcher.conftest import processes_naming


@pytest.fixture
def processes(tmp_path):
    with Processes(tmp_path) as processes:
        yield processes


def start(processes, name, script):
    processes.start(name, ["sh", "-c", script], dict(os.environ))


def test_each_line_stands_after_its_process_name(processes, capsys):
    start(processes, "web", "echo one; echo two; printf unfinished")
    assert processes.watch() == Ended("web", 0)
    processes.watch(seconds=0.3)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["web      | one", "web      | two"]


def test_the_process_that_ended_is_named_with_its_code(processes):
    start(processes, "web", "sleep 600")
    start(processes, "worker", "exit 78")
    assert processes.watch(seconds=10) == Ended("worker", 78)


def test_whoever_can_do_without_it_watches_on(processes, capsys):
    start(processes, "web", "sleep 600")
    start(processes, "endpoint", "seq 20000; exit 3")
    assert processes.watch(seconds=10) == Ended("endpoint", 3)
    assert processes.watch(seconds=0.5) is None
    assert capsys.readouterr().out.splitlines()[-1] == "endpoint | 20000"


def test_watching_ends_when_it_is_enough(processes):
    start(processes, "web", "sleep 600")
    assert processes.watch(lambda: True) is None


def test_one_that_may_end_shows_its_lines_and_ends_nothing(processes, capsys):
    start(processes, "web", "sleep 600")
    tests = processes.start("tests", ["sh", "-c", "echo one failed; exit 1"], dict(os.environ), may_end=True)
    assert processes.watch(lambda: tests.poll() is not None, seconds=10) is None
    assert processes.watch(seconds=0.5) is None
    assert capsys.readouterr().out.splitlines() == ["tests    | one failed"]


def test_one_that_may_end_is_ended_with_the_others(tmp_path):
    with Processes(tmp_path) as processes:
        processes.start("tests", ["sh", "-c", "sleep 345678 & wait"], dict(os.environ), may_end=True)
        time.sleep(0.3)
        assert processes_naming("sleep 345678")
    assert not processes_naming("sleep 345678")


def test_what_a_process_started_ends_with_it(tmp_path):
    with Processes(tmp_path) as processes:
        start(processes, "web", "sleep 234567 & sleep 234567 & wait")
        time.sleep(0.3)
        assert len(processes_naming("sleep 234567")) >= 2
    assert not processes_naming("sleep 234567")


def test_a_process_that_will_not_stop_is_killed(tmp_path, monkeypatch):
    monkeypatch.setattr("launcher.processes._STOP_SECONDS", 0.5)
    with Processes(tmp_path) as processes:
        start(processes, "web", "trap '' TERM; echo up; while :; do sleep 0.1; done # stubborn-345")
        processes.watch(seconds=0.3)
    assert not processes_naming("stubborn-345")
