"""Log lines: one object or one line each, with the request's id, and without anything that looks like a secret (T36).

Most is looked at where it matters, in the output of real processes: a web server, a worker, a command.
"""

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import httpx
import pytest
from honcho.environ import parse_procfile

from connections.gateway.threads import Threads
from portal.audit.context import current_request
from portal.log_lines import JsonObject, Line
from portal.redaction import MASK, redacted
from tests.fakes.canaries import CANARIES, PLAIN, WORD
from tests.gateway.second import second_gateway
from tests.journeys.conftest import _await, _environment, _free_url

ROOT = Path(__file__).resolve().parent.parent
each_format = pytest.mark.parametrize("log_format", ["line", "json"])

LOUD = """
import django, logging
django.setup()
from connections.gateway.threads import Threads
from portal.audit.context import current_request
from tests.fakes.canaries import CANARIES, PLAIN
current_request.set("req_of_this_test")
logger = logging.getLogger("portal.somewhere")
for name, line in CANARIES.items():
    logger.warning("%s: %s", name, line)
    logger.error(f"formatted: {line}")
logger.debug("not shown at INFO")
logger.info("two lines\\nFAKE ERROR \\x1b[2J of somebody")
def opens(held):
    try:
        {}[held]
    except KeyError as error:
        raise ValueError(f"refused {held}") from error
for line in [PLAIN, *CANARIES.values()]:
    try:
        opens(line)
    except ValueError:
        logger.exception("it failed")
"""


def output_of(code: str, log_format: str) -> str:
    environment = os.environ | {
        "LOG_FORMAT": log_format,
        "PYTHONPATH": str(ROOT),
        "DJANGO_SETTINGS_MODULE": "portal.settings",
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def objects(output: str) -> list[dict]:
    """Every line as an object: one that is none fails here."""
    return [json.loads(line) for line in output.splitlines()]


def without_plain(output: str) -> str:
    return output.replace(PLAIN, "")


@each_format
def test_no_secret_of_any_shape_reaches_the_output(log_format):
    output = output_of(LOUD, log_format)
    assert output.count(MASK) > 2 * len(CANARIES)
    assert WORD not in without_plain(output).lower()


def test_json_has_one_object_in_each_line_and_no_text_of_an_exception():
    written = objects(output_of(LOUD, "json"))
    assert {"time", "level", "logger", "message", "request_id", "process"} <= set(written[0])
    assert {each["request_id"] for each in written} == {"req_of_this_test"}
    assert datetime.fromisoformat(written[0]["time"]).utcoffset().total_seconds() == 0
    failed = [each["exception"] for each in written if each["message"] == "it failed"]
    assert len(failed) == 1 + len(CANARIES)
    assert failed[0]["type"] == "builtins.ValueError" and failed[0]["causes"][0]["type"] == "builtins.KeyError"
    assert failed[0]["frames"][-1].endswith(" opens")
    assert PLAIN not in json.dumps(written)


def test_nobody_writes_lines_of_their_own():
    for log_format in ("line", "json"):
        output = output_of(LOUD, log_format)
        assert "\nFAKE" not in output and "\x1b" not in output and "FAKE" in output


@pytest.mark.parametrize("text", [
    "Task portal.tasks.note_beat[a05e2ec8-63d1-4d1b-b2f1-c573ae6461aa] succeeded in 0.2s: None",
    "req_1234567890abcdef1234: the gateway failed: ValueError at read:12",
    "state: active, code: 404, status_code=500, exit_code=1, tokens=3",
    "https://gatehouse.example.com/projects/contoso-support/tools/ledger-agent/",
    "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "Not Found: /consent/callback/7",
])  # fmt: skip
def test_what_is_no_secret_stays_readable(text):
    assert redacted(text) == text


@pytest.mark.parametrize("name", CANARIES)
def test_each_shape_is_cut_out_and_its_name_stays(name):
    assert WORD not in redacted(CANARIES[name]).lower() and MASK in redacted(CANARIES[name])


def test_a_long_line_is_read_in_linear_time():
    began = time.monotonic()
    for text in ("eyJ" + "a" * 200_000, "a." * 100_000, "token" * 40_000, "code=" + "'" * 200_000, "Bearer " * 30_000):
        redacted(text)
    assert time.monotonic() - began < 2


def record(message: str = "said", *arguments, **extra) -> logging.LogRecord:
    made = logging.LogRecord("portal.x", logging.INFO, __file__, 1, message, arguments, None)
    vars(made).update(extra)
    return made


@pytest.mark.parametrize("formatter", [Line(), JsonObject()])
def test_a_record_carries_the_id_of_its_request(formatter):
    assert "req_" not in formatter.format(record())
    token = current_request.set("req_here")
    try:
        assert "req_here" in formatter.format(record())
    finally:
        current_request.reset(token)


@pytest.mark.parametrize("formatter", [Line(), JsonObject()])
def test_a_message_that_does_not_fit_its_arguments_is_still_written(formatter):
    assert "%d" in formatter.format(record("%d of %d", "canary"))


@each_format
@pytest.mark.django_db(transaction=True)
def test_a_web_process_writes_no_secret_and_the_id_of_each_request(log_format, tmp_path):
    with second_gateway(tmp_path / "output", LOG_FORMAT=log_format, LOG_LEVEL="DEBUG") as second:
        key = CANARIES["agent key"]
        httpx.post(f"{second.url}/a2a/any/thing", headers={"authorization": f"Bearer {key}"}, json={"token": "canary"})
        missing = httpx.get(f"{second.url}/consent/nothing/?code=canary-code&state=canary-state&token=canary")
        httpx.post(f"{second.url}/accounts/login/", data={"login": "x", "password": "canary-password"})
    output = (tmp_path / "output").read_text()
    assert missing.status_code == 404 and missing.headers["x-request-id"] in output
    assert WORD not in output.lower()
    if log_format == "json":
        # What the server says before it has loaded the portal is its own; make run's Procfile covers that too.
        written = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
        assert any(each.get("request_id") == missing.headers["x-request-id"] for each in written)
        assert any(each["logger"] == "uvicorn.error" for each in written)


@each_format
@pytest.mark.django_db(transaction=True)
def test_a_worker_writes_no_secret(log_format, tmp_path):
    environment = _environment("http://127.0.0.1:8000", "http://127.0.0.1:1", tmp_path)
    environment |= {"GATEHOUSE_DEMO": "0", "LOG_FORMAT": log_format, "PYTHONPATH": str(ROOT)}
    # Python itself says this to standard error, before there is a log.
    environment["PYTHONWARNINGS"] = "ignore:You're running the worker with superuser privileges"
    celery = [sys.executable, "-m", "celery", "-A", "portal.celery", "-q"]
    output = tmp_path / "output"
    with output.open("w") as sink:
        worker = subprocess.Popen(
            [*celery, "worker", "-P", "solo", "-l", "DEBUG", "-I", "tests.fakes.loud_tasks"],
            env=environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=sink,
        )  # fmt: skip
        try:
            for task in ("shout", "fail"):
                call = [*celery, "call", f"tests.fakes.loud_tasks.{task}"]
                subprocess.run(call, env=environment, cwd=ROOT, check=True, timeout=60, capture_output=True)
            until = time.monotonic() + 40
            while "ValueError" not in output.read_text() and time.monotonic() < until:
                time.sleep(0.1)
        finally:
            worker.terminate()
            worker.wait(20)
    said = output.read_text()
    assert said.count("worker says") == len(CANARIES) and "tests.fakes.loud_tasks.fail" in said
    assert WORD not in without_plain(said).lower().replace("tests.fakes.canaries", "")
    if log_format == "json":
        assert PLAIN not in said
        failure = next(each for each in objects(said) if each["logger"] == "celery.app.trace" and "exception" in each)
        assert failure["exception"]["type"] == "builtins.ValueError"


def test_every_line_of_the_procfiles_web_process_is_an_object(transactional_db, tmp_path):
    """Those of the server that starts several processes, and has not loaded the portal, as well."""
    url = _free_url()
    environment = _environment(url, "http://127.0.0.1:1", tmp_path)
    environment |= {"LOG_FORMAT": "json", "WEB_CONCURRENCY": "2", "PORT": url.rpartition(":")[2], "GATEHOUSE_DEMO": "0"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    command = parse_procfile((ROOT / "Procfile").read_text()).processes["web"]
    output = tmp_path / "output"
    with output.open("w") as sink:
        server = subprocess.Popen(["sh", "-c", f"exec {command}"], env=environment, cwd=ROOT, stdout=sink, stderr=sink)
        try:
            _await(f"{url}/readyz")
        finally:
            server.terminate()
            server.wait(20)
    written = objects(output.read_text())
    assert len({each["process"] for each in written}) >= 2
    assert any("parent process" in each["message"] for each in written)


def test_work_in_a_thread_of_the_gateway_knows_its_request():
    async def ask() -> str:
        current_request.set("req_of_the_call")
        return await threads.run(current_request.get)

    threads = Threads(1)
    try:
        assert asyncio.run(ask()) == "req_of_the_call"
    finally:
        threads.close()
