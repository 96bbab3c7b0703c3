"""Known secrets are planted, calls are made and broken, and none of them is found anywhere (T05, T32, T36).

The gateway is a process of its own with LOG_LEVEL=DEBUG; its output is a file, so nothing that it says is missed.
"""

import base64
import json
import logging
import time
import urllib.parse
from pathlib import Path

import httpx
import pytest
from cryptography.fernet import Fernet
from django.conf import settings as deployment
from django.db import connection as database
from django.test import Client, override_settings
from django.views.debug import ExceptionReporter

from connections import secrets
from connections.models import Connection
from connections.secrets import NewSecret
from portal import vault
from portal.agents.models import AgentKey, SpeakingPermission
from portal.projects.roles import Role
from portal.settings import AUTH_METHODS
from tests import factories
from tests.connections.pages import key_form, page
from tests.fakes.stock_client import TLS
from tests.gateway.callers import SPELLINGS, Caller, message, namings
from tests.gateway.conftest import Line, interfaces_at, new_line, rows_of, rpc
from tests.gateway.methods import Breaks
from tests.gateway.second import second_gateway

RPC = SPELLINGS[0]
CREDENTIAL = "planted/Credential+Value==9f1c7d2e"
SECOND = "Basic cGxhbnRlZDpwYXNzd29yZC1vZi10aGUtZW5kcG9pbnQ="
BEHAVIOURS = (
    "redirect-302", "html-401", "html-403", "html-500", "huge", "not-json", "json-list", "rpc-error", "gzipped",
    "browser-headers", "echo-headers", "zoneless", "same-ids", "latin1", "sse-bytes", "sse-huge-event",
)  # fmt: skip


def forms_of(secret: str) -> set[bytes]:
    """How a secret may lie about: as it is, quoted for JSON, percent-encoded, in base64 of both alphabets, in hex."""
    raw = secret.encode()
    encoded = {urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret), json.dumps(secret)[1:-1]}
    encoded |= {form.decode().rstrip("=") for form in (base64.b64encode(raw), base64.urlsafe_b64encode(raw))}
    return {raw, raw.hex().encode(), *(form.encode() for form in encoded)}


def found_in(text: bytes, planted: dict[str, str]) -> set[str]:
    """The names, never the values: a failing test must not print a secret either."""
    return {name for name, secret in planted.items() if any(form in text for form in forms_of(secret))}


def dump() -> bytes:
    """Every row of every table, as a stolen backup would hold it."""
    rows = []
    with database.cursor() as cursor:
        for table in database.introspection.table_names(cursor):
            cursor.execute(f'SELECT to_jsonb(t)::text FROM "{table}" t')
            rows += [row[0] for row in cursor.fetchall()]
    return "\n".join(rows).encode()


def queue() -> bytes:
    """What waits in the broker's folder."""
    folder = Path(deployment.VAR_DIR) / "queue"
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def of_the_portal() -> dict[str, str]:
    return {"SECRET_KEY": deployment.SECRET_KEY, "ring key": deployment.GATEHOUSE_KEYS.split(":", 1)[1]}


def planted_in(lines: list[Line]) -> dict[str, str]:
    secret = {"credential": CREDENTIAL, "second": SECOND, "second, its token alone": SECOND.split()[1]}
    for number, line in enumerate(lines):
        _, raw = vault._active_key(line.connection.project_id)
        secret |= {f"agent key {number}": line.key, f"its secret {number}": line.key[17:]}
        secret[f"data key {number}"] = base64.b64encode(raw).decode()
    return secret | of_the_portal()


def planted_line(url: str) -> Line:
    interfaces = interfaces_at(url)
    line = new_line(url, credential=("x-api-key", CREDENTIAL), interfaces=interfaces)
    second = NewSecret("credential", 1, "authorization", SECOND)
    secrets.store(line.connection, second, line.connection.addresses(), by=None)
    SpeakingPermission.objects.create(agent=line.agent, everyone=True)
    return line


class Keeping:
    """Asks, and keeps every byte that was answered."""

    def __init__(self) -> None:
        self.answered = b""

    def __call__(self, line: Line, request, key: str = "") -> httpx.Response:
        user = factories.make_member(line.agent.project, Role.AI_USER)
        return self.keep(Caller(line.agent, key or line.key, user, line.connection).ask(request))

    def keep(self, answer: httpx.Response) -> httpx.Response:
        self.answered += str(answer.headers).encode() + answer.content
        return answer


def test_no_secret_leaves_a_gateway_that_logs_everything(transactional_db, hostile, tmp_path):
    """Good calls, hostile endpoints, refusals of all kinds and a broken seal."""
    ask, output = Keeping(), tmp_path / "output"
    environment = {"LOG_LEVEL": "DEBUG", "DJANGO_SETTINGS_MODULE": "tests.gateway.second_settings"}
    with second_gateway(output, **environment) as second, override_settings(PUBLIC_URL=second.url):
        lines = [planted_line(hostile.url(behaviour)) for behaviour in BEHAVIOURS]
        for line in lines:
            ask(line, message(RPC))
            ask(line, message(RPC, streams=True))
        lines.append(planted_line("http://127.0.0.1:9/nobody-listens"))
        for spelling in SPELLINGS:
            for make in (*namings(spelling).values(), lambda _, spelling=spelling: message(spelling)):
                ask(lines[-1], make("no-such-task"))
        ask(lines[-1], message(RPC), key=lines[-1].key[:-3] + "xxx")
        for body in (b"{", b'{"a":1,"a":2}', lines[-1].key.encode(), b"\xff"):
            ask.keep(httpx.post(lines[-1].url, content=body, headers=lines[-1].headers, verify=TLS))
        lines.append(planted_line(hostile.url("zoneless")))
        break_the_seal(lines[-1].connection)
        broken = ask(lines[-1], message(RPC))
        rows_of(broken.headers["x-request-id"])
        failing = new_line("http://127.0.0.1:9/x", credential=None, auth_method="breaks")
        SpeakingPermission.objects.create(agent=failing.agent, everyone=True)
        ask(failing, message(RPC))

    secret = planted_in(lines) | {"an exception's text": Breaks.says}
    assert "SECRET_UNREADABLE" in broken.text
    assert any(CREDENTIAL in call.header("x-api-key") for call in hostile.received), "the secret was never used"
    assert b"LookupError" in output.read_bytes(), "what it says is not in the file"
    assert found_in(output.read_bytes(), secret) == set()
    assert found_in(ask.answered, secret) == set()
    assert found_in(dump(), secret) == set()
    assert found_in(queue(), secret) == set()


def break_the_seal(connection: Connection) -> None:
    """The value of one row copied into another."""
    connection.secrets.filter(position=0).update(value=connection.secrets.get(position=1).value)


def test_the_search_would_find_them():
    """In each form, and also in the middle of something."""
    for form in forms_of(CREDENTIAL):
        assert found_in(b'{"a": "' + form + b'"}', {"credential": CREDENTIAL}) == {"credential"}
    assert found_in(b"nothing", {"credential": CREDENTIAL}) == set()


@pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
def test_an_error_that_nobody_expected_says_only_what_kind_it_was(shared_gateway, caplog, spelling):
    caplog.set_level(logging.DEBUG)
    with override_settings(AUTH_METHODS=[*AUTH_METHODS, "tests.gateway.methods.Breaks"]):
        line = new_line(
            "http://127.0.0.1:9/x",
            credential=None,
            auth_method="breaks",
            interfaces=interfaces_at("http://127.0.0.1:9/x"),
        )
        answers = [
            Caller(line.agent, line.key, None, line.connection).ask(message(spelling, streams=streams))
            for streams in (False, True)
        ]

    for answer in answers:
        assert Breaks.says not in answer.text
        assert spelling[0] != "JSONRPC" or '"id":7' in answer.text
        outcome = rows_of(answer.headers["x-request-id"])[1]
        assert (outcome.outcome, outcome.reason) == ("failed", "internal")
    assert "LookupError" in caplog.text
    assert Breaks.says not in caplog.text


def test_an_agent_key_is_in_no_row_and_its_digest_is_not_the_key(shared_line):
    shared_line.post(rpc(), headers={"a2a-version": "1.0"})

    row = AgentKey.objects.get(prefix=shared_line.key[4:16])
    assert shared_line.key[17:].encode() not in bytes(row.digest)
    assert found_in(dump(), {"key": shared_line.key, "secret": shared_line.key[17:]}) == set()


def test_a_page_that_fails_while_it_holds_a_secret_shows_and_logs_none(project, ana, caplog, monkeypatch):
    """The form was posted, the value is being sealed, and sealing breaks: into page, log, traceback and report.

    A report is what an error mail would hold: all local variables of every frame, were they not cleansed.
    """
    caplog.set_level(logging.DEBUG)
    client = Client(raise_request_exception=False)
    client.force_login(ana)
    monkeypatch.setattr(Fernet, "encrypt", _breaks)

    with override_settings(DEBUG=False):
        answer = client.post(page("connection-new-a2a", project), key_form("http://127.0.0.1:9/x") | VALUE)

    secret = {"credential": CREDENTIAL, "session": client.session.session_key} | of_the_portal()
    assert answer.status_code == 500
    assert found_in(answer.content, secret) == set()
    [record] = [record for record in caplog.records if record.exc_info]
    formatted = logging.Formatter().format(record)
    assert "RuntimeError" in formatted
    assert found_in(formatted.encode() + caplog.text.encode(), secret) == set()
    reporter = ExceptionReporter(record.request, *record.exc_info)
    report = reporter.get_traceback_text() + reporter.get_traceback_html()
    assert found_in(report.encode(), secret) == set()


VALUE = {"credential-0-value": CREDENTIAL}


def _breaks(*_: object) -> bytes:
    raise RuntimeError("broken for a test")


def test_a_secret_does_not_show_itself():
    plain = vault.Secret(CREDENTIAL)
    shown = f"{plain} {plain!r} {plain!s} {[plain]} { ({'x': plain}) }"
    shown += str(NewSecret("credential", 0, "x-api-key", CREDENTIAL))

    assert found_in(shown.encode(), {"credential": CREDENTIAL}) == set()
    with pytest.raises(TypeError):
        json.dumps(plain)


def test_the_queue_of_a_worker_holds_no_secret(shared_line, tmp_path):
    """Whatever was put into the broker's folder meanwhile, by any process that shares it."""
    shared_line.post(rpc(), headers={"a2a-version": "1.0"})
    time.sleep(0.1)

    assert found_in(queue(), {"credential": "ledger-secret-value", "key": shared_line.key}) == set()
