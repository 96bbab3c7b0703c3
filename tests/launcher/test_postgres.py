"""The embedded PostgreSQL lives exactly as long as the launcher, and only its owner can reach it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from launcher.lock import Lock
from launcher.postgres import Cluster
from launcher.refusal import Refusal
from tests.launcher.conftest import CHECKOUT, eventually, processes_naming


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """One cluster directory for the tests that need not see it made."""
    directory = tmp_path_factory.mktemp("kept")
    with started(Cluster(directory, durable=False)):
        pass
    return directory


def started(cluster):
    assert cluster.lock()
    return cluster


def ask(cluster, question):
    with psycopg.connect(cluster.url) as connection:
        return connection.execute(question).fetchone()[0]


def mode(path):
    return oct(path.stat().st_mode & 0o777)


def test_a_new_cluster_answers_and_stops_without_a_trace(tmp_path):
    directory = tmp_path / "new"
    with started(Cluster(directory)) as cluster:
        assert ask(cluster, "SELECT current_database()") == "gatehouse"
        assert processes_naming(directory)
    assert not processes_naming(directory)
    assert not cluster.answers()


def test_only_its_owner_can_open_the_cluster(tmp_path):
    directory = tmp_path / "wide"
    directory.mkdir(mode=0o755)
    with started(Cluster(directory)):
        assert mode(directory) == "0o700"
        assert mode(directory / "data") == "0o700"
        assert mode(directory / "socket") == "0o700"
        assert mode(directory / "socket" / ".s.PGSQL.5432") == "0o700"
        assert mode(directory / "log") == mode(directory / "lock") == "0o600"
        assert (directory / "data").stat().st_uid == os.geteuid()


def test_it_listens_on_no_network(kept):
    with started(Cluster(kept, durable=False)) as cluster:
        assert ask(cluster, "SHOW listen_addresses") == ""


def test_a_committed_row_is_durable_outside_tests(tmp_path):
    with started(Cluster(tmp_path / "demo")) as cluster:
        settings = [ask(cluster, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "full_page_writes")]
    assert settings == ["on", "on", "on"]


def test_rows_outlive_a_restart(kept):
    with started(Cluster(kept, durable=False)) as cluster, psycopg.connect(cluster.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    with started(Cluster(kept, durable=False)) as cluster:
        assert ask(cluster, "SELECT number FROM kept") == 7


def test_a_path_too_long_for_a_socket_works_too_and_leaves_nothing_in_the_temporary_directory(tmp_path):
    directory = tmp_path / ("long-" + "x" * 100)
    with started(Cluster(directory, durable=False)) as cluster:
        assert ask(cluster, "SELECT 1") == 1
        place = (directory / "socket-directory").read_text()
        assert mode(Path(place)) == "0o700"
    assert not Path(place).exists()


@pytest.mark.parametrize("name", ["with, comma", 'with "quote"', "with space", "with%percent", "Grüße"])
def test_an_unusual_directory_name_works(tmp_path, name):
    with started(Cluster(tmp_path / name, durable=False)) as cluster:
        assert ask(cluster, "SELECT 1") == 1


HOLD = """
import sys, time
from pathlib import Path
from launcher.lock import Lock
from launcher.postgres import Cluster
cluster = Cluster(Path(sys.argv[1]), durable=False)
assert cluster.lock()
with cluster:
    print("ready", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(kept):
    process = subprocess.Popen([sys.executable, "-c", HOLD, kept], cwd=CHECKOUT, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    yield process
    process.kill()
    process.communicate()


def test_a_killed_launcher_leaves_no_server_behind(kept, holder):
    assert processes_naming(kept / "data")
    holder.send_signal(signal.SIGKILL)
    assert eventually(lambda: not processes_naming(kept / "data"))


def test_the_start_after_a_kill_needs_no_care(kept, holder):
    holder.send_signal(signal.SIGKILL)
    with started(Cluster(kept, durable=False)) as cluster:
        assert ask(cluster, "SELECT 1") == 1


def test_the_start_after_a_kill_of_everything_recovers(kept, holder):
    postmaster = int((kept / "data" / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGKILL)
    holder.send_signal(signal.SIGKILL)
    with started(Cluster(kept, durable=False)) as cluster:
        assert ask(cluster, "SELECT 1") == 1


def test_a_stale_pid_file_that_names_a_living_stranger_is_no_obstacle(kept):
    pid_file = kept / "data" / "postmaster.pid"
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        pid_file.write_text(f"{stranger.pid}\n{kept / 'data'}\n0\n5432\n\n\n0 0\n")
        with started(Cluster(kept, durable=False)) as cluster:
            assert ask(cluster, "SELECT 1") == 1
    finally:
        stranger.kill()
        stranger.wait()


def test_a_second_launcher_is_told_that_the_cluster_is_served(kept, holder):
    second = Cluster(kept, durable=False)
    assert not second.lock()
    assert second.answers()
    assert second.holder() == str(holder.pid)


def test_a_cluster_that_does_not_start_says_why(tmp_path):
    cluster = Cluster(tmp_path / "broken")
    (cluster.directory / "data").mkdir(mode=0o700)
    (cluster.directory / "data" / "PG_VERSION").write_text("9\n")
    assert cluster.lock()
    with pytest.raises(Refusal, match="did not start(.|\n)*postgresql.conf"), cluster:
        pass
    lock = Lock(tmp_path / "broken" / "lock")
    assert lock.take()
    lock.release()


def test_a_broken_cluster_of_the_tests_is_replaced(tmp_path):
    cluster = Cluster(tmp_path / "broken", durable=False)
    (cluster.directory / "data").mkdir(mode=0o700)
    with started(cluster):
        assert ask(cluster, "SELECT 1") == 1


def test_variables_of_the_caller_do_not_reach_it(kept, monkeypatch):
    monkeypatch.setenv("PGDATA", "/nowhere")
    monkeypatch.setenv("LC_ALL", "xx_YY.nothing")
    with started(Cluster(kept, durable=False)) as cluster:
        assert ask(cluster, "SELECT 1") == 1
