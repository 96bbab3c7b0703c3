"""`manage.py doctor`: what an operator can get wrong, one after the other, each made wrong (F16, F18, T34, T36)."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from django.db import connection
from django.db.models.functions import Now
from django.utils import timezone

from portal import heartbeats, installation, vault
from portal.audit import log
from portal.doctor import database, files, keys, queue, surroundings, ways_out
from portal.doctor.findings import Finding, Verdict
from portal.heartbeats import Heartbeat, Kind
from tests.fakes.server import listening_socket
from tests.journeys.conftest import _environment
from tests.test_health import silent_server

ROOT = Path(__file__).resolve().parents[2]
SECRETS = {
    "SECRET_KEY": "canary-of-the-secret-key-0123456789-0123456789-0123456789",
    "METRICS_TOKEN": "canary-of-the-metrics-token-0123456789",
}


def found(section: Iterator[Finding], about: str) -> Finding:
    return next(finding for finding in section if finding.about == about)


def is_told(finding: Finding, verdict: Verdict, words: str) -> None:
    """The verdict, the reason and, unless all is well, what to do."""
    assert finding.verdict is verdict, finding
    assert words in finding.why
    assert bool(finding.remedy) == (verdict is not Verdict.OK)


def run(var: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    environment = _environment("http://127.0.0.1:8000", "http://127.0.0.1:1", var) | {"GATEHOUSE_DEMO": "0"}
    environment |= SECRETS | variables
    command = [sys.executable, "manage.py", "doctor", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    output = done.stdout + done.stderr
    assert "canary" not in output and "Traceback" not in output
    for key in re.findall(r":([\w-]{43}=)", environment["GATEHOUSE_KEYS"]):
        assert key not in output
    # Without the breaks of long lines.
    return done.returncode, re.sub(r"\n {14}", " ", output)


@pytest.mark.services
def test_a_whole_installation_is_found_so_with_a_worker_that_answers(transactional_db, project, tmp_path):
    tmp_path.chmod(0o700)
    installation.verify()
    vault.seal("value", vault.Binding("t", project.id, "f", project.id))
    log.record(log.CALL, log.SYSTEM)
    heartbeats.note(Kind.BEAT, "beat")
    environment = _environment("http://127.0.0.1:8000", "http://127.0.0.1:1", tmp_path) | {"GATEHOUSE_DEMO": "0"}
    worker = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "portal.celery", "-q", "worker", "-P", "solo", "-l", "ERROR"],
        env=environment | SECRETS,
    )
    try:
        code, output = run(tmp_path, "--seconds", "40")
        while "worker: It was seen" not in output:
            code, output = run(tmp_path, "--seconds", "40")
    finally:
        worker.terminate()
        worker.wait(20)
    assert code == 0, output
    assert "broken  " not in output and "0 broken." in output
    assert re.search(r"ok +round trip: A worker answered a task after", output)
    assert re.search(r"ok +data keys: All 1 can be unwrapped", output)


def test_without_a_worker_the_exit_code_is_one_and_says_why(transactional_db, tmp_path):
    installation.verify()
    code, output = run(tmp_path, "--seconds", "0.5")
    assert code == 1
    assert re.search(r"broken +worker: It has never been seen", output)
    assert re.search(r"broken +round trip: No worker answered a task within 0.5 seconds", output)


def test_a_database_that_is_not_there_is_told_and_the_rest_still_examined(transactional_db, tmp_path):
    code, output = run(tmp_path, DATABASE_URL="postgresql://gatehouse:canary-password@127.0.0.1:1/gatehouse")
    assert code == 1
    assert re.search(r"broken +database: It does not answer", output) and "were not checked" in output
    assert "certificate authorities" in output and "gatehouse@" not in output


def test_a_setting_that_is_missing_is_named_before_anything_else(tmp_path, transactional_db):
    environment = _environment("http://127.0.0.1:8000", "http://127.0.0.1:1", tmp_path)
    del environment["DATABASE_URL"]
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0 and "Set DATABASE_URL in the environment" in done.stderr


# Settings.


def test_plain_http_for_others_is_broken(settings):
    settings.ALLOWED_HOSTS, settings.HTTPS = ["gatehouse.example.com"], False
    is_told(surroundings._public_url(), Verdict.BROKEN, "not https")
    settings.HTTPS = True
    is_told(surroundings._public_url(), Verdict.OK, "https")


@pytest.mark.parametrize(
    ("https", "trusts", "count", "verdict", "words"),
    [
        (True, True, 1, Verdict.OK, "are trusted"),
        (True, False, 0, Verdict.LOOK, "redirect never ends"),
        (True, True, 0, Verdict.LOOK, "count only the proxy"),
        (False, False, 1, Verdict.LOOK, "choose its own address"),
        (False, False, 0, Verdict.OK, "No header"),
    ],
)
def test_the_headers_of_a_proxy(https, trusts, count, verdict, words, settings):
    settings.HTTPS, settings.ALLAUTH_TRUSTED_PROXY_COUNT = https, count
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if trusts else None
    is_told(surroundings._proxy(), verdict, words)


def test_headers_that_the_server_itself_would_believe(monkeypatch):
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "*")
    is_told(surroundings._proxy(), Verdict.LOOK, "anybody can send")


def test_a_short_secret_key_and_a_malformed_network_are_broken(settings):
    settings.SECRET_KEY, settings.ALLOWED_OUTBOUND_NETWORKS = "canary", ["10.0.0.0/99"]
    told = [f for f in surroundings.examine() if f.about == "settings" and f.verdict is Verdict.BROKEN]
    assert [code for code in ("E002", "E005") if not any(code in f.why for f in told)] == []
    assert "canary" not in repr(told)


@pytest.mark.parametrize(
    ("demo", "host", "verdict"),
    [
        (False, "localhost", Verdict.OK),
        (True, "localhost", Verdict.LOOK),
        (True, "gatehouse.example.com", Verdict.BROKEN),
    ],
)
def test_the_mark_of_the_demo(demo, host, verdict, settings):
    settings.DEMO, settings.ALLOWED_HOSTS = demo, [host]
    assert surroundings._demo().verdict is verdict


def test_a_log_format_that_is_none_and_a_token_that_is_short(settings):
    settings.LOG_FORMAT, settings.METRICS_TOKEN = "xml", "canary"
    is_told(surroundings._log_format(), Verdict.LOOK, "neither line nor json")
    is_told(surroundings._metrics_token(), Verdict.LOOK, "short")


# Keys.


@pytest.mark.django_db
@pytest.mark.parametrize("about", ["data keys", "log keys"])
def test_every_key_that_can_not_be_unwrapped_is_counted_by_the_key_it_needs(about, project, settings):
    vault.seal("value", vault.Binding("t", project.id, "f", project.id))
    log.record(log.CALL, log.SYSTEM)
    is_told(found(keys.examine(), about), Verdict.OK, "All 1")
    settings.GATEHOUSE_KEYS = f"k9:{Fernet.generate_key().decode()}"
    is_told(found(keys.examine(), about), Verdict.BROKEN, "1 of 1 can't be unwrapped: 1 wrapped by k1")
    settings.GATEHOUSE_KEYS = f"k1:{Fernet.generate_key().decode()}"
    is_told(found(keys.examine(), about), Verdict.BROKEN, "1 wrapped by k1")


@pytest.mark.parametrize("ring", ["", "k1:not-a-key"])
def test_a_ring_that_is_missing_or_malformed(ring, settings):
    settings.GATEHOUSE_KEYS = ring
    assert keys.ring().verdict is Verdict.BROKEN and "not-a-key" not in repr(keys.ring())


@pytest.mark.django_db
def test_another_installations_ring_and_a_new_database(settings):
    is_told(found(keys.examine(), "installation"), Verdict.LOOK, "No process has started")
    installation.verify()
    is_told(found(keys.examine(), "installation"), Verdict.OK, "belong together")
    settings.GATEHOUSE_KEYS = f"k9:{Fernet.generate_key().decode()}"
    is_told(found(keys.examine(), "installation"), Verdict.BROKEN, "does not fit")


# The database.


@pytest.mark.django_db
def test_a_database_as_migrations_leave_it():
    told = {finding.about: finding.verdict for finding in database.examine()}
    # The tests' role owns everything, and the doctor says so.
    assert told.pop("database role") is Verdict.LOOK
    assert set(told.values()) == {Verdict.OK} and len(told) == 5


@pytest.mark.django_db
@pytest.mark.parametrize("change", ["DROP TRIGGER {} ON portal_logrow", "ALTER TABLE portal_logrow DISABLE TRIGGER {}"])
def test_a_log_without_its_trigger(change):
    with connection.cursor() as cursor:
        cursor.execute(change.format(database.TRIGGER))
    is_told(database._trigger(), Verdict.BROKEN, "missing or switched off")


@pytest.mark.django_db
def test_a_migration_that_is_not_applied():
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'portal' AND name = '0006_heartbeats'")
    is_told(database._migrations(), Verdict.BROKEN, "1 of them")


@pytest.mark.django_db
def test_the_role_of_operations_md_is_right_and_one_that_may_not_write_is_not():
    with connection.cursor() as cursor:
        cursor.execute("CREATE ROLE doctor_test_app")
        cursor.execute("GRANT USAGE ON SCHEMA public TO doctor_test_app")
        cursor.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO doctor_test_app")
        cursor.execute("SET LOCAL ROLE doctor_test_app")
        is_told(database._role(), Verdict.LOOK, "may delete")
        cursor.execute("RESET ROLE")
        cursor.execute("REVOKE UPDATE, DELETE ON portal_logrow FROM doctor_test_app")
        cursor.execute("SET LOCAL ROLE doctor_test_app")
        is_told(database._role(), Verdict.OK, "owns nothing")
        is_told(database._rights(), Verdict.OK, "every table")
        cursor.execute("RESET ROLE")
        cursor.execute("REVOKE INSERT ON portal_heartbeat FROM doctor_test_app")
        cursor.execute("SET LOCAL ROLE doctor_test_app")
        is_told(database._rights(), Verdict.BROKEN, "portal_heartbeat")


@pytest.mark.django_db
@pytest.mark.parametrize(("seconds", "verdict"), [(1, Verdict.OK), (30, Verdict.LOOK), (600, Verdict.BROKEN)])
def test_a_clock_that_is_wrong(seconds, verdict, monkeypatch):
    right = timezone.now
    monkeypatch.setattr(database.timezone, "now", lambda: right() + timedelta(seconds=seconds))
    assert database._clock().verdict is verdict


# The queue.


@pytest.mark.django_db
def test_whoever_was_not_seen_lately(monkeypatch):
    for kind, name in ((Kind.WORKER, "celery@one"), (Kind.BEAT, "beat")):
        heartbeats.note(kind, name)
    Heartbeat.objects.filter(kind=Kind.BEAT).update(at=Now() - timedelta(seconds=200))
    told = {finding.about: finding for finding in queue.examine(0.1)}
    is_told(told["worker"], Verdict.OK, "seen")
    is_told(told["beat"], Verdict.BROKEN, "200 seconds ago")


@pytest.mark.django_db
def test_a_broker_that_says_nothing_ends_the_examination_in_time(tmp_path, transactional_db):
    installation.verify()
    with silent_server() as port:
        code, output = run(tmp_path, CELERY_BROKER_URL=f"amqp://guest:canary@127.0.0.1:{port}//")
    assert code == 1 and re.search(r"broken +broker: It does not answer", output)
    assert "Not tried" in output and str(port) not in output


def test_a_queue_without_its_folder(transactional_db, tmp_path):
    installation.verify()
    (tmp_path / "var").write_text("a file is in the way")
    code, output = run(tmp_path / "var")
    assert code == 1 and re.search(r"broken +broker: It does not answer", output)


# Ways out, and files.


def test_authorities_that_can_not_be_read(settings, tmp_path):
    is_told(ways_out._authorities(), Verdict.OK, "public ones")
    settings.OUTBOUND_CA_FILE = str(tmp_path / "gone.pem")
    is_told(ways_out._authorities(), Verdict.BROKEN, "can't be read")
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    settings.OUTBOUND_CA_FILE = str(nonsense)
    is_told(ways_out._authorities(), Verdict.BROKEN, "not PEM")


def test_names():
    assert ways_out._names("localhost").verdict is Verdict.OK
    is_told(ways_out._names("nobody-has-this-name.invalid"), Verdict.LOOK, "not found")


def test_a_relay_that_does_not_answer(settings):
    settings.EMAIL_BACKEND, settings.EMAIL_HOST = ways_out.SMTP, ""
    is_told(ways_out._mail(), Verdict.OK, "No relay")
    with listening_socket() as sock:
        port = sock.getsockname()[1]
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    is_told(ways_out._mail(), Verdict.BROKEN, "does not answer")


def test_files_that_others_can_read(monkeypatch, settings, tmp_path):
    secret = tmp_path / "keys"
    secret.write_text("canary")
    monkeypatch.setenv("GATEHOUSE_KEYS_FILE", str(secret))
    settings.VAR_DIR = tmp_path
    for mode, verdict in ((0o644, Verdict.LOOK), (0o600, Verdict.OK)):
        secret.chmod(mode)
        tmp_path.chmod(mode | 0o100)
        assert found(files.examine(), "GATEHOUSE_KEYS_FILE").verdict is verdict
        assert found(files.examine(), "var").verdict is verdict
    secret.unlink()
    assert found(files.examine(), "GATEHOUSE_KEYS_FILE").verdict is Verdict.BROKEN


def test_root_is_told_to_be_somebody_else(monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert files._user().verdict is Verdict.LOOK
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert files._user().verdict is Verdict.OK
