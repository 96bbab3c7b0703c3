"""The whole suite in two processes: what stays together, what comes first, and what has the machine for itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import distribution

ROOT = Path(__file__).resolve().parents[1]

CONFTEST = """
import json, os, time
import pytest
from tests import distribution

os.sched_getaffinity = lambda process: {0, 1}
distribution.LONGEST = ("test_z.py",)
distribution.ALONE = __ALONE__
distribution.ONE_QUEUE = ("test_d.py", "test_e.py")

@pytest.fixture(autouse=True)
def noted(request):
    began = time.time()
    yield
    process = os.environ.get("PYTEST_XDIST_WORKER", "")
    with open("noted", "a") as file:
        file.write(json.dumps([request.node.nodeid, process, began, time.time()]) + "\\n")
"""
TESTS = """
import time
def test_one(): time.sleep(0.05)
def test_two(): time.sleep(0.05)
def test_three(): time.sleep(0.05)
"""
FILES = [f"test_{letter}.py" for letter in "abcdez"]
ALONE = ("test_a.py", "test_c.py::test_two")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run a suite of six files as ours is run: what it prints, and file, process, begin and end of each test."""

    def start(*arguments: str, **more: str) -> tuple[str, list]:
        place = tmp_path_factory.mktemp("suite")
        (place / "pytest.ini").write_text("[pytest]\ntestpaths = .\n")
        (place / "conftest.py").write_text(CONFTEST.replace("__ALONE__", repr(ALONE)))
        for name in FILES:
            (place / name).write_text(TESTS)
        for name, text in more.items():
            (place / f"{name}.py").write_text(text)
        ours = ["-n", "auto", "--no-loadscope-reorder", "--max-worker-restart=0", "-p", "tests.distribution"]
        command = [sys.executable, "-B", "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:django", *ours, *arguments]
        unnested = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")} | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, cwd=place, env=unnested, capture_output=True, text=True, timeout=60)
        return done.stdout, [json.loads(line) for line in (place / "noted").read_text().splitlines()]

    return start


def file_of(name: str) -> str:
    return name.partition("::")[0]


def is_alone(name: str) -> bool:
    return file_of(name) in ALONE or name in ALONE


@pytest.fixture(scope="module")
def whole(run) -> tuple[str, list]:
    return run()


def test_everything_is_run_once_in_two_processes_and_counted_in_one_line(whole):
    said, noted = whole
    assert "18 passed" in said.splitlines()[-1]
    assert len({test for test, *_ in noted}) == len(noted) == 18
    assert {process for _, process, _, _ in noted} == {"gw0", "gw1"}


def test_a_file_stays_in_one_process_and_the_longest_begins(whole):
    _, noted = whole
    others = [test for test in noted if not is_alone(test[0])]
    assert len({(file_of(name), process) for name, process, _, _ in others}) == 5
    begun = dict.fromkeys(file_of(name) for name, *_ in sorted(others, key=lambda test: test[2]))
    assert "test_z.py" in list(begun)[:2]


def test_files_with_one_queue_between_them_are_in_one_process(whole):
    _, noted = whole
    assert len({process for name, process, _, _ in noted if file_of(name) in ("test_d.py", "test_e.py")}) == 1


def test_what_needs_the_machine_for_itself_begins_when_everything_else_has_ended(whole):
    _, noted = whole
    alone = [test for test in noted if is_alone(test[0])]
    assert [name for name, *_ in alone] == [f"test_a.py::test_{n}" for n in ("one", "two", "three")] + [ALONE[1]]
    assert len({process for _, process, _, _ in alone}) == 1
    assert min(began for _, _, began, _ in alone) > max(end for name, _, _, end in noted if not is_alone(name))


@pytest.mark.parametrize("chosen", ["test_a", "test_a or test_b"])
def test_a_choice_with_little_beside_what_runs_alone_ends_too(run, chosen):
    said, noted = run("-k", chosen)
    assert f"{len(noted)} passed" in said.splitlines()[-1]


def test_a_process_that_dies_ends_the_run_and_its_test_is_named(run):
    said, _ = run(test_dies="import os\ndef test_last_words(): os._exit(1)\n")
    assert "crashed while running 'test_dies.py::test_last_words'" in said
    assert "1 failed" in said.splitlines()[-1]


def test_a_part_that_is_named_is_run_in_this_process(run):
    _, noted = run("test_a.py", "test_b.py")
    assert {process for _, process, _, _ in noted} == {""}


@pytest.mark.parametrize("place", distribution.LONGEST + distribution.ONE_QUEUE + distribution.ALONE)
def test_what_is_named_is_there(place):
    file, _, test = place.partition("::")
    assert f"def {test}" in (ROOT / file).read_text()
