"""What "Test connection" and the reading of a card find, produced by real servers and read on the pages."""

import json
from datetime import timedelta
from functools import partial

import pytest
from django.core.cache import cache
from django.urls import reverse
from django.utils import timezone

from connections import secrets
from connections.agent_card.reading import LARGEST
from connections.models import Connection, Health
from connections.troubleshooting import CATALOGUE
from tests.connections.pages import key_form, page
from tests.connections.scheduled import CARD, NOT_FOUND
from tests.consent import making
from tests.factories import make_connection
from tests.fakes import hostile_tcp
from tests.gateway.test_endpoint_faults import answering
from tests.troubleshooting.telling import (
    assert_docs_have,
    assert_explains,
    assert_log_and_search_explain,
    read,
    words_on,
)

OTHER_ERROR = json.dumps(json.loads(NOT_FOUND) | {"error": {"code": -32004, "message": "no"}}).encode()
OTHER_VERSION = json.dumps(json.loads(NOT_FOUND) | {"error": {"code": -32009, "message": "no"}}).encode()


@pytest.fixture(autouse=True)
def fresh_limits(shared_gateway) -> None:
    cache.clear()


def answers(body: bytes, status: int, get) -> Connection:
    """A good card, and then this to the test's question."""
    return at(get("raw_endpoint")(answering(CARD, body, statuses=(200, status))).url, get)


def at(url: str, get, **fields) -> Connection:
    return make_connection(get("project"), url, **fields)


def breaks_http(handler: str, get) -> Connection:
    return at(get("raw_endpoint")(getattr(hostile_tcp, handler)).url, get)


def is_too_slow(get) -> Connection:
    for name in ("CARD_SECONDS", "CALL_SECONDS"):
        get("monkeypatch").setattr(f"connections.trial.{name}", 0.4)
    return breaks_http("silent", get)


def speaks_http(get) -> Connection:
    return at(get("hostile").url("x").replace("http:", "https:"), get)


def has_no_secret(get) -> Connection:
    connection = answers(NOT_FOUND, 200, get)
    connection.secrets.all().delete()
    return connection


FAILING = {
    # The credential broken at the endpoint: within one interval by itself, in tests/connections/test_scheduled_probes.
    "endpoint_refused_401": partial(answers, b"no", 401),
    "endpoint_refused_403": partial(answers, b"no", 403),
    "endpoint_bad_request": partial(answers, b"no", 400),
    "endpoint_not_found": partial(answers, b"no", 404),
    "endpoint_busy": partial(answers, b"no", 429),
    "endpoint_unavailable": partial(answers, b"no", 503),
    "endpoint_not_a2a": partial(answers, b"<html>welcome", 200),
    "endpoint_other_dialect": partial(answers, OTHER_VERSION, 200),
    "answer_too_large": partial(answers, b"x" * 300_000, 200),
    "redirect": partial(answers, b"", 302),
    "bad_answer": partial(breaks_http, "no_http"),
    "disconnected": partial(breaks_http, "drops_at_once"),
    "timeout": is_too_slow,
    "tls_failed": speaks_http,
    "name_not_found": partial(at, "https://no-such-host.invalid/a2a"),
    "not_reachable": partial(at, "http://127.0.0.1:1/a2a"),
    "address_blocked": partial(at, "https://169.254.169.254/a2a"),
    "port_blocked": partial(at, "https://8.8.8.8:8443/a2a"),
    "secret_missing": has_no_secret,
}


@pytest.mark.parametrize("code", FAILING)
def test_a_failed_test_is_explained_on_the_page_and_in_the_log(request, ana, auditor, browse, code):
    connection, entry = FAILING[code](request.getfixturevalue), CATALOGUE[code]
    shown, request_id = after_testing(browse(ana), connection)

    assert "Failing since" in shown
    assert_explains(shown, entry)
    assert Health.objects.get(connection=connection).reason == code
    assert_log_and_search_explain(auditor, request_id, code)


def after_testing(browser, connection: Connection) -> tuple[str, str]:
    """The connection's page after the button was pressed, and the request id of that."""
    place = [connection.project.name, connection.name]
    answer = browser.post(reverse("connection-test", args=place))
    return read(browser, reverse("connection", args=place)), answer.headers["x-request-id"]


def proves_nothing(get) -> Connection:
    return answers(OTHER_ERROR, 200, get)


def belongs_to_users(get) -> Connection:
    return making.make_connection(get("project"), endpoint=get("raw_endpoint")(answering(CARD)).url)


def takes_the_former_value(get) -> Connection:
    connection = at(get("fake_agent")(required_header=("x-api-key", "ledger-secret-value")).url, get)
    new = secrets.NewSecret("credential", 0, "x-api-key", "the-new-value")
    until = timezone.now() + timedelta(days=1)
    secrets.store(connection, new, connection.addresses(), by=None, former_until=until)
    return connection


WORTH_A_LOOK = {
    "credential_not_proven": proves_nothing,
    "test_needs_agent": belongs_to_users,
    "former_value_used": takes_the_former_value,
}


@pytest.mark.parametrize("code", WORTH_A_LOOK)
def test_what_is_no_failure_and_worth_a_look_stands_in_the_checklist(request, ana, browse, code):
    connection = WORTH_A_LOOK[code](request.getfixturevalue)
    shown, _ = after_testing(browse(ana), connection)

    assert CATALOGUE[code].title in shown and "Failing since" not in shown
    assert_docs_have(code)


def test_a_connection_that_is_tested_too_often_says_so(project, ana, browse, monkeypatch):
    monkeypatch.setattr("connections.probes._minute", lambda: 1)
    connection = at("http://127.0.0.1:1/a2a", lambda _: project)
    for _ in range(6):
        after_testing(browse(ana), connection)
    shown, _ = after_testing(browse(ana), connection)

    assert CATALOGUE["tested_too_often"].title in shown
    assert_docs_have("tested_too_often")


# Cards, on the form that connects


def card(*interfaces: dict, **members) -> bytes:
    return json.dumps({"name": "Ledger", "version": "1", "supportedInterfaces": interfaces, **members}).encode()


GRPC = {"url": "https://ledger.contoso.example:50051", "protocolBinding": "GRPC", "protocolVersion": "1.0"}
ELSEWHERE = {"url": "https://evil.example/a2a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}
CARDS = {
    "card_none_there": (b"", 404),
    "card_needs_sign_in": (b"", 401),
    "card_failed": (b"", 500),
    "card_not_json": (b"<html>welcome", 200),
    "card_not_a_card": (b'{"hello": "world"}', 200),
    "card_ambiguous": (b'{"name": "Ledger", "name": "Other", "url": "http://127.0.0.1:9/"}', 200),
    "card_too_large": (b'{"name": "' + b"x" * LARGEST + b'"}', 200),
    "card_foreign": (card(ELSEWHERE), 200),
    "card_not_carried": (card(GRPC), 200),
    "card_without_interface": (card(), 200),
}


@pytest.mark.parametrize("code", CARDS)
def test_a_card_that_cannot_be_used_says_why_on_the_form(project, ana, browse, raw_endpoint, code):
    body, status = CARDS[code]
    url, entry = raw_endpoint(answering(body, statuses=(status,))).url, CATALOGUE[code]
    answer = browse(ana).post(page("connection-new-a2a", project), key_form(f"{url}/a2a", action="read-card"))

    shown = words_on(answer)
    assert entry.title in shown and entry.resolution in shown
    assert answer.status_code == 200
    assert_docs_have(code)
