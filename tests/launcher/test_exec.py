"""Commands in the surroundings of `make run`."""

import json
import signal
import stat

from tests.launcher.conftest import eventually, processes_naming

SHOW = "import json, os; print(json.dumps(dict(os.environ)), flush=True)"


def environment_of(process):
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    return json.loads(text)


def test_a_command_finds_the_demo_s_surroundings(launch, var):
    found = environment_of(launch("exec", "--", "python", "-c", SHOW, PORT="8765"))
    assert found["GATEHOUSE_DEMO"] == "1"
    assert found["PUBLIC_URL"] == "http://127.0.0.1:8765"
    assert found["DATABASE_URL"].startswith("postgresql://gatehouse@/gatehouse?host=")
    assert len(found["SECRET_KEY"]) >= 50
    name, _, key = found["GATEHOUSE_KEYS"].partition(":")
    assert (name, len(key)) == ("k1", 44)
    assert "127.0.0.0/8" in found["ALLOWED_OUTBOUND_NETWORKS"].split()


def test_keys_are_kept_and_only_their_owner_can_read_them(launch, var):
    first = environment_of(launch("exec", "--", "python", "-c", SHOW))
    second = environment_of(launch("exec", "--", "python", "-c", SHOW, SECRET_KEY="another", GATEHOUSE_KEYS="k9:x"))
    for name in ("SECRET_KEY", "GATEHOUSE_KEYS"):
        assert first[name] == second[name]
    assert stat.S_IMODE(var.stat().st_mode) == 0o700
    assert stat.S_IMODE((var / "secrets.json").stat().st_mode) == 0o600


def test_lost_keys_are_said_and_not_replaced(launch, var):
    var.mkdir()
    (var / "secrets.json").write_text('{"SECRET_KEY": ')
    process = launch("exec", "--", "true")
    _, text = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "secrets.json cannot be read" in text
    assert (var / "secrets.json").read_text() == '{"SECRET_KEY": '


def test_the_command_s_exit_code_is_handed_on(launch):
    process = launch("exec", "--", "sh", "-c", "exit 7")
    process.communicate(timeout=60)
    assert process.returncode == 7


def test_a_second_command_uses_the_database_of_the_first(launch, var):
    first = launch("exec", "--", "sh", "-c", "echo up; exec sleep 600")
    assert first.stdout.readline() == "up\n"
    postmaster = (var / "postgres" / "data" / "postmaster.pid").read_text()
    found = environment_of(launch("exec", "--", "python", "-c", SHOW))
    assert (var / "postgres" / "data" / "postmaster.pid").read_text() == postmaster
    assert (var / "postgres" / "lock").read_text() == str(first.pid)
    assert "host=" in found["DATABASE_URL"]


def test_make_run_says_who_uses_its_database(launch, var):
    first = launch("exec", "--", "sh", "-c", "echo up; exec sleep 600")
    assert first.stdout.readline() == "up\n"
    second = launch("run")
    _, text = second.communicate(timeout=60)
    assert second.returncode == 2
    assert f"Process {first.pid} uses this checkout's demo database" in text


def test_a_terminated_launcher_ends_the_command_and_the_database(launch, var):
    process = launch("exec", "--", "sh", "-c", "echo up; exec sleep 123456")
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGTERM
    assert not processes_naming(var)
    assert not processes_naming("sleep 123456")


def test_a_killed_launcher_takes_the_command_and_the_database_with_it(launch, var):
    process = launch("exec", "--", "sh", "-c", "echo up; exec sleep 123457")
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGKILL)
    assert eventually(lambda: not processes_naming(var) and not processes_naming("sleep 123457"))
