"""Test connection, against real servers: what it says, writes and never shows."""

import json
import socket
import time
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import transaction
from django.utils import timezone
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse

from connections import events, probes, secrets
from connections.methods.base import AuthMethod, Consent, ConsentRequired, Credential, CredentialUnavailable
from connections.models import Connection, Health, Secret
from connections.questions import verdict
from portal.audit import changes, log
from portal.audit.models import LogRow
from portal.vault import Secret as Plaintext
from tests.factories import make_connection
from tests.fakes import hostile_tcp
from tests.fakes.a2a_server import SPELLINGS
from tests.fakes.server import serve
from tests.outbound.raw_server import answering, raw_server, reply

pytest_plugins = ["tests.fakes.fixtures"]
pytestmark = pytest.mark.django_db

KEY = ("x-api-key", "s3cret-ledger-value")
CARD = {"name": "Ledger", "url": "http://127.0.0.1:9/"}
TASK_NOT_FOUND = {"jsonrpc": "2.0", "id": "1", "error": {"code": -32001, "message": "Task not found"}}


@pytest.fixture(autouse=True)
def _fresh_limits():
    cache.clear()


@pytest.fixture
def endpoint():
    """An endpoint that answers every call with one answer, and every question for a card with another."""
    running = []

    def start(answer, card=None):
        asked = []

        async def app(scope, receive, send):
            request = Request(scope, receive)
            asked.append((request.method, request.url.path, dict(request.headers), await request.body()))
            is_card = request.url.path.endswith("agent-card.json")
            page = (JSONResponse(card) if card else PlainTextResponse("", 404)) if is_card else answer
            await (JSONResponse(page) if isinstance(page, dict) else page)(scope, receive, send)

        context = serve(app, lifespan="off")
        running.append(context)
        return context.__enter__().url, asked

    yield start
    for context in running:
        context.__exit__(None, None, None)


def rows():
    return list(LogRow.objects.filter(event=events.CONNECTION_CHECKED.tag).order_by("id"))


def states(result):
    return [step.state for step in result.steps]


def connection_to(project, url, spelling=("JSONRPC", "1.0"), **fields):
    binding, version = spelling
    interface = {"url": url, "binding": binding, "version": version} | fields.pop("interface", {})
    return make_connection(project, url, **{"credential": KEY, "interfaces": [interface], **fields})


class TestAHealthyEndpoint:
    @pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
    def test_the_credential_is_accepted_in_every_spelling(self, project, ana, fake_agent, spelling):
        agent = fake_agent(required_header=KEY)
        result = probes.test(connection_to(project, agent.url, spelling), ana)
        assert result.ok and result.problem is None
        assert states(result) == ["done", "done", "done"]
        assert result.steps[-1].detail == "The endpoint accepted the credential."
        assert result.card.name == "Fake agent"
        [call] = agent.calls()
        assert [value for name, value in call.headers if name.lower() == "x-api-key"] == [KEY[1]]

    @pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
    def test_a_wrong_key_is_refused_in_every_spelling(self, project, ana, fake_agent, spelling):
        agent = fake_agent(required_header=("x-api-key", "another"))
        result = probes.test(connection_to(project, agent.url, spelling), ana)
        assert not result.ok and result.status == 401
        assert result.problem.code == "endpoint_refused_401"
        assert states(result) == ["done", "done", "failed"]

    def test_without_credential_too(self, project, ana, fake_agent):
        result = probes.test(connection_to(project, fake_agent().url, credential=None), ana)
        assert result.ok
        assert result.steps[-1].detail == "The endpoint answered without a credential."

    def test_an_endpoint_that_wants_a_key_and_gets_none_is_told(self, project, ana, fake_agent):
        agent = fake_agent(required_header=KEY)
        result = probes.test(connection_to(project, agent.url, credential=None), ana)
        assert result.problem.code == "endpoint_refused_401"

    def test_a_card_behind_sign_in_keeps_nobody_from_calling(self, project, ana, fake_agent):
        agent = fake_agent(required_header=KEY, card_is_public=False)
        result = probes.test(connection_to(project, agent.url), ana)
        assert result.ok and states(result) == ["done", "open", "done"]
        assert result.steps[1].detail == "The agent card needs sign-in."
        assert result.problem is None and result.card is None

    def test_a_card_that_was_there_once_is_missed(self, project, ana, fake_agent):
        agent = fake_agent(required_header=KEY, card_is_public=False)
        result = probes.test(connection_to(project, agent.url, card=CARD), ana)
        assert result.ok and result.problem.code == "card_needs_sign_in"

    def test_the_card_is_asked_for_without_the_credential(self, project, ana, fake_agent):
        agent = fake_agent(required_header=KEY)
        probes.test(connection_to(project, agent.url, send_credentials_for_card=True), ana)
        [card, *_] = agent.received
        # Chosen, but the endpoint is plain http: the choice is ignored (foundry.md 1.1).
        assert card.path.endswith("agent-card.json")
        assert "x-api-key" not in {name.lower() for name, _ in card.headers}

    def test_a_tenant_goes_where_its_binding_has_it(self, project, ana, endpoint):
        url, asked = endpoint(TASK_NOT_FOUND)
        probes.test(connection_to(project, url, interface={"tenant": "t1"}), ana)
        probes.test(connection_to(project, url, ("HTTP+JSON", "1.0"), interface={"tenant": "t1"}), ana)
        calls = [(method, path, body) for method, path, _, body in asked if "well-known" not in path]
        assert json.loads(calls[0][2])["params"]["tenant"] == "t1"
        assert calls[1][:2] == ("GET", calls[1][1]) and calls[1][1].startswith("/t1/tasks/")


class TestAFailingEndpoint:
    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (PlainTextResponse("no", 401), "endpoint_refused_401"),
            (PlainTextResponse("no", 403), "endpoint_refused_403"),
            (PlainTextResponse("no", 400), "endpoint_bad_request"),
            (PlainTextResponse("no", 404), "endpoint_not_found"),
            (PlainTextResponse("no", 405), "endpoint_not_a2a"),
            (PlainTextResponse("no", 429), "endpoint_busy"),
            (PlainTextResponse("no", 500), "endpoint_unavailable"),
            (PlainTextResponse("no", 503), "endpoint_unavailable"),
            (PlainTextResponse("no", 504), "endpoint_timeout"),
            (PlainTextResponse("<html>welcome"), "endpoint_not_a2a"),
            (PlainTextResponse("[" * 100_000), "endpoint_not_a2a"),
            (JSONResponse([1]), "endpoint_not_a2a"),
            (JSONResponse({"hello": "world"}), "endpoint_not_a2a"),
            (PlainTextResponse("x" * 300_000), "answer_too_large"),
            (RedirectResponse("http://127.0.0.1:9/"), "redirect"),
            ({**TASK_NOT_FOUND, "error": {"code": -32601, "message": "no"}}, "endpoint_other_dialect"),
            ({**TASK_NOT_FOUND, "error": {"code": -32009, "message": "no"}}, "endpoint_other_dialect"),
        ],
        ids=range(17),
    )
    def test_each_failure_has_its_entry(self, project, ana, endpoint, answer, code):
        url, _ = endpoint(answer, CARD)
        connection = connection_to(project, url)
        result = probes.test(connection, ana)
        assert not result.ok and result.problem.code == code
        assert states(result) == ["done", "done", "failed"]
        assert result.steps[-1].detail == f"{result.problem.title}."
        assert rows()[-1].reason == code
        assert Health.objects.get(connection=connection).state == "failing"

    @pytest.mark.parametrize(
        "answer", [{**TASK_NOT_FOUND, "error": {"code": -32004}}, {**TASK_NOT_FOUND, "error": "x"}]
    )
    def test_an_answer_that_proves_nothing_is_not_called_healthy(self, project, ana, endpoint, answer):
        url, _ = endpoint(answer)
        connection = connection_to(project, url)
        result = probes.test(connection, ana)
        assert result.ok and result.problem.code == "credential_not_proven"
        assert states(result)[-1] == "open"
        assert Health.objects.get(connection=connection).state == "not_checked"

    def test_nobody_listens(self, project, ana):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            result = probes.test(connection_to(project, f"http://127.0.0.1:{closed.getsockname()[1]}"), ana)
        assert result.problem.code == "not_reachable"
        assert states(result) == ["done", "failed", "open"]
        assert [step.took_ms for step in result.steps] == [None, None, None] and result.took_ms is None
        assert rows()[-1].duration is None

    @pytest.mark.parametrize(
        ("url", "code"),
        [
            ("https://no-such-host.invalid/a2a", "name_not_found"),
            ("https://169.254.169.254/a2a", "address_blocked"),
            ("https://10.1.2.3/a2a", "address_blocked"),
            ("https://8.8.8.8:8443/a2a", "port_blocked"),
        ],
    )
    def test_an_address_that_may_not_be_called(self, project, ana, url, code):
        result = probes.test(connection_to(project, url), ana)
        assert result.problem.code == code and states(result) == ["done", "failed", "open"]

    def test_an_http_server_asked_for_https(self, project, ana, hostile):
        result = probes.test(connection_to(project, hostile.url("x").replace("http:", "https:")), ana)
        assert result.problem.code == "tls_failed"

    @pytest.mark.parametrize(
        ("handler", "code"),
        [
            (hostile_tcp.no_http, "bad_answer"),
            (hostile_tcp.drops_at_once, "disconnected"),
            (hostile_tcp.drops_in_body, "bad_answer"),
        ],
    )
    def test_what_is_no_http(self, project, ana, raw_endpoint, handler, code):
        result = probes.test(connection_to(project, raw_endpoint(handler).url), ana)
        assert not result.ok and result.problem.code == code

    @pytest.mark.parametrize("handler", [hostile_tcp.silent, hostile_tcp.slow_headers, hostile_tcp.slow_body])
    def test_a_slow_endpoint_holds_nobody_up(self, project, ana, raw_endpoint, handler, monkeypatch):
        monkeypatch.setattr("connections.trial.CARD_SECONDS", 0.4)
        monkeypatch.setattr("connections.trial.CALL_SECONDS", 0.4)
        started = time.monotonic()
        result = probes.test(connection_to(project, raw_endpoint(handler).url), ana)
        assert result.problem.code == "timeout" and time.monotonic() - started < 3

    def test_the_whole_test_is_bounded(self):
        from connections import trial

        assert trial.CARD_SECONDS + trial.CALL_SECONDS <= 20

    def test_a_hostile_endpoints_words_are_nowhere(self, project, ana, hostile, caplog):
        caplog.set_level("DEBUG")
        for behaviour in ("html-503", "echo-headers", "rpc-error", "plain-page"):
            result = probes.test(connection_to(project, hostile.url(behaviour)), ana)
            shown = repr(result) + repr([row.__dict__ for row in rows()]) + caplog.text
            assert not [word for word in (KEY[1], "nginx", "own words", "You sent", "shop") if word in shown]


class TestRest:
    HTTP = {"binding": "HTTP+JSON", "version": "1.0", "url": "https://x.example"}

    @pytest.mark.parametrize(
        ("status", "answer", "code"),
        [
            (404, {"error": {"code": 404, "status": "NOT_FOUND", "message": "x"}}, None),
            (404, {"type": "https://a2a-protocol.org/errors/task-not-found", "status": 404}, None),
            (404, {"message": "Task not found"}, None),
            (404, {"error": {"code": -32001, "details": [{"reason": "TASK_NOT_FOUND"}]}}, None),
            (200, {"id": "t", "status": {}}, None),
            (404, {"detail": "Not Found"}, "endpoint_not_found"),
            (404, {"status": 404, "error": "Not Found", "path": "/v1/tasks/1"}, "endpoint_not_found"),
            (404, {"error": {"status": ["NOT_FOUND"]}}, "endpoint_not_found"),
            (
                400,
                {"error": {"status": "X", "details": [{"reason": "VERSION_NOT_SUPPORTED"}]}},
                "endpoint_other_dialect",
            ),
            (400, {"error": {"status": "FAILED_PRECONDITION"}}, "credential_not_proven"),
            (503, {"error": {"status": "UNAVAILABLE"}}, "endpoint_unavailable"),
            (401, {"message": "Task not found"}, "endpoint_refused_401"),
            (200, {"ok": True}, "endpoint_not_a2a"),
        ],
    )
    def test_an_answer_is_understood(self, status, answer, code):
        assert verdict(self.HTTP, status, json.dumps(answer).encode()) == code

    def test_a_refusal_counts_whatever_the_body_says(self):
        rpc = {"binding": "JSONRPC", "version": "1.0", "url": "https://x.example"}
        assert verdict(rpc, 401, json.dumps(TASK_NOT_FOUND).encode()) == "endpoint_refused_401"
        assert verdict(rpc, 500, json.dumps(TASK_NOT_FOUND).encode()) is None


class TestTheCredential:
    def test_a_missing_secret_is_told_and_nothing_is_sent(self, project, ana, endpoint):
        url, asked = endpoint(TASK_NOT_FOUND, CARD)
        connection = connection_to(project, url)
        connection.secrets.all().delete()
        result = probes.test(connection, ana)
        assert result.problem.code == "secret_missing"
        assert states(result) == ["failed", "done", "open"]
        assert [path for _, path, _, _ in asked] == ["/.well-known/agent-card.json"]

    def test_a_secret_sealed_for_another_address_does_not_open(self, project, ana, endpoint):
        url, asked = endpoint(TASK_NOT_FOUND, CARD)
        connection = connection_to(project, "https://ledger.contoso.example/a2a")
        connection.endpoint, connection.interfaces[0]["url"] = url, url
        connection.save()
        result = probes.test(connection, ana)
        assert result.problem.code == "secret_unreadable"
        assert KEY[1] not in repr(asked)

    def test_a_key_that_the_ring_lacks(self, project, ana, endpoint):
        connection = connection_to(project, endpoint(TASK_NOT_FOUND, CARD)[0])
        secret = connection.secrets.get()
        version, _, token = secret.value.split(":")
        Secret.objects.filter(pk=secret.pk).update(value=f"{version}:{'0' * 32}:{token}")
        assert probes.test(connection, ana).problem.code == "key_unavailable"

    def test_several_pairs_go_each_once(self, project, ana, endpoint):
        url, asked = endpoint(TASK_NOT_FOUND, CARD)
        connection = connection_to(project, url, credential=("Authorization", "Bearer one-two-three"))
        second = secrets.NewSecret("credential", 1, "x-tenant-key", "four-five-six")
        secrets.store(connection, second, connection.addresses(), by=ana)
        assert probes.test(connection, ana).steps[0].detail == "Authorization, x-tenant-key"
        [headers] = [headers for _, path, headers, _ in asked if "well-known" not in path]
        assert (headers["authorization"], headers["x-tenant-key"]) == ("Bearer one-two-three", "four-five-six")

    @pytest.mark.parametrize("chosen", [True, False], ids=["chosen", "not chosen"])
    def test_it_goes_with_the_card_over_https_only_where_that_was_chosen(self, project, ana, authority, chosen):
        with raw_server(answering(reply(json.dumps(CARD).encode())), tls=authority.server("127.0.0.1")) as server:
            connection = connection_to(project, server.url("/a2a"), send_credentials_for_card=chosen)
            result = probes.test(connection, ana)
        card, call = [request.partition(b"\r\n\r\n")[0] for request in server.requests]
        assert card.startswith(b"GET /a2a/.well-known/agent-card.json ") and call.startswith(b"POST /a2a ")
        assert (KEY[1].encode() in card) == chosen and KEY[1].encode() in call
        assert result.steps[1].detail == ("Read with the credential." if chosen else "Read without credentials.")


class Asking(AuthMethod):
    slug = "asking"
    failure: Exception = RuntimeError("an error of the method's own")

    def credential(self, connection, caller):
        assert caller.agent is None and caller.user is None
        raise self.failure


class Renewing(AuthMethod):
    slug = "renewing"

    def credential(self, connection, caller):
        return Credential((("x-token", Plaintext("old")),), "a token")

    def renew(self, connection, caller, refused):
        return Credential((("x-token", Plaintext("new")),), "a token")


class TestOtherMethods:
    @pytest.fixture(autouse=True)
    def _methods(self, settings):
        here = "tests.connections.test_probes"
        settings.AUTH_METHODS = [*settings.AUTH_METHODS, f"{here}.Asking", f"{here}.Renewing"]

    def test_consent_that_is_missing_is_no_failure(self, project, ana, endpoint, monkeypatch):
        consent = Consent(None, "https://x.example/consent/1", "GitHub", (), None)
        monkeypatch.setattr(Asking, "failure", ConsentRequired(consent))
        connection = connection_to(project, endpoint(TASK_NOT_FOUND, CARD)[0], auth_method="asking")
        result = probes.test(connection, ana)
        assert result.ok and states(result) == ["open", "done", "open"]
        assert rows()[-1].outcome == "consent_needed"
        assert Health.objects.get(connection=connection).state == "not_checked"

    def test_a_method_may_need_an_agent(self, project, ana, endpoint, monkeypatch):
        monkeypatch.setattr(Asking, "failure", CredentialUnavailable("test_needs_agent"))
        result = probes.test(connection_to(project, endpoint(TASK_NOT_FOUND)[0], auth_method="asking"), ana)
        assert result.ok and result.problem.code == "test_needs_agent"

    def test_a_401_lets_the_method_renew_once(self, project, ana, fake_agent):
        agent = fake_agent(required_header=("x-token", "new"))
        assert probes.test(connection_to(project, agent.url, auth_method="renewing"), ana).ok
        assert len(agent.calls()) == 2

    def test_a_second_401_is_final(self, project, ana, fake_agent):
        agent = fake_agent(required_header=("x-token", "newer"))
        assert not probes.test(connection_to(project, agent.url, auth_method="renewing"), ana).ok
        assert len(agent.calls()) == 2

    def test_an_error_of_our_own_leaves_an_outcome(self, project, ana, endpoint):
        connection = connection_to(project, endpoint(TASK_NOT_FOUND)[0], auth_method="asking")
        with pytest.raises(RuntimeError):
            probes.test(connection, ana)
        assert [(row.kind, row.outcome, row.reason) for row in rows()] == [
            ("attempt", "in_progress", ""), ("outcome", "failed", "internal"),
        ]  # fmt: skip

    def test_a_method_that_was_removed(self, project, ana, endpoint, settings):
        connection = connection_to(project, endpoint(TASK_NOT_FOUND)[0], auth_method="gone", credential=None)
        assert probes.test(connection, ana).problem.code == "method_not_installed"


class TestWhatIsKept:
    def test_two_rows_with_who_what_and_how_it_ended(self, project, ana, fake_agent):
        agent = fake_agent(required_header=KEY)
        connection = connection_to(project, agent.url, ("HTTP+JSON", "0.3"))
        probes.test(connection, ana)
        attempt, outcome = rows()
        assert (attempt.kind, attempt.outcome) == ("attempt", "in_progress")
        assert (outcome.kind, outcome.outcome, outcome.status) == ("outcome", "succeeded", 404)
        assert attempt.call_id == outcome.call_id is not None
        for row in (attempt, outcome):
            assert (row.actor_kind, row.actor_id, row.connection_id) == ("user", ana.id, connection.id)
            assert (row.project_id, row.agent_id, row.auth_method) == (project.id, None, "key-based")
            assert (row.binding, row.protocol, row.target) == ("HTTP+JSON", "0.3", agent.url)
            assert log.verify(row)
        assert outcome.duration == Health.objects.get(connection=connection).took_ms

    def test_a_refusal_by_the_endpoint_is_told_apart(self, project, ana, fake_agent):
        probes.test(connection_to(project, fake_agent(required_header=("x-api-key", "other")).url), ana)
        assert rows()[-1].outcome == "refused_by_endpoint"

    def test_the_attempt_is_there_before_the_credential_is_opened(self, project, ana, monkeypatch):
        seen = []

        def opening(*_):
            seen.extend(row.kind for row in rows())
            raise CredentialUnavailable("secret_missing")

        monkeypatch.setattr("connections.secrets.openers", opening)
        probes.test(connection_to(project, "https://10.1.2.3"), ana)
        assert seen == ["attempt"]

    def test_without_a_row_nothing_is_opened_or_sent(self, project, ana, endpoint, monkeypatch):
        url, asked = endpoint(TASK_NOT_FOUND)
        connection = connection_to(project, url)

        def refuse(*_, **__):
            raise log.LogUnavailable

        monkeypatch.setattr(log, "_insert", refuse)
        with pytest.raises(log.LogUnavailable):
            probes.test(connection, ana)
        assert asked == [] and rows() == []

    def test_since_changes_only_with_the_state(self, project, ana, endpoint):
        connection = connection_to(project, endpoint(TASK_NOT_FOUND)[0])
        earlier = timezone.now() - timedelta(hours=3)
        Health.objects.create(connection=connection, state="healthy", since=earlier, checked_at=earlier)
        probes.test(connection, ana)
        health = Health.objects.get(connection=connection)
        assert health.since == earlier and health.checked_at > earlier
        assert (health.status, health.reason) == (200, "") and health.took_ms is not None
        connection.secrets.all().delete()
        probes.test(Connection.objects.get(pk=connection.pk), ana)
        health.refresh_from_db()
        assert (health.state, health.reason, health.status, health.took_ms) == ("failing", "secret_missing", None, None)
        assert health.since > earlier

    def test_no_change_is_announced(self, project, ana, endpoint):
        connection = connection_to(project, endpoint(TASK_NOT_FOUND)[0])
        before = changes.read()
        probes.test(connection, ana)
        assert changes.read() == before

    @pytest.mark.parametrize("meanwhile", ["changed", "deleted"])
    def test_a_connection_that_changed_meanwhile_keeps_no_health(self, project, ana, endpoint, meanwhile):
        connection = connection_to(project, endpoint(TASK_NOT_FOUND)[0])
        stored = Connection.objects.get(pk=connection.pk)
        stored.delete() if meanwhile == "deleted" else Connection.objects.update(changed_at=timezone.now())
        probes.test(connection, ana)
        assert not Health.objects.filter(connection_id=stored.pk or connection.pk).exists()

    def test_more_than_six_a_minute_are_not_made(self, project, ana, endpoint, monkeypatch):
        monkeypatch.setattr(probes, "_minute", lambda: 1)
        url, asked = endpoint(TASK_NOT_FOUND)
        connection = connection_to(project, url)
        results = [probes.test(connection, ana) for _ in range(7)]
        assert [result.ok for result in results] == [True] * 6 + [False]
        assert results[-1].problem.code == "tested_too_often"
        calls = len(asked)
        probes.test(connection, ana)
        assert len(asked) == calls


@pytest.mark.django_db(transaction=True)
def test_a_test_inside_a_transaction_is_refused(project, ana):
    connection = connection_to(project, "https://10.1.2.3")
    with pytest.raises(RuntimeError), transaction.atomic():
        probes.test(connection, ana)


@pytest.mark.django_db(transaction=True)
def test_both_rows_are_numbered_without_a_gap(project, ana, endpoint):
    connection = connection_to(project, endpoint(TASK_NOT_FOUND)[0])
    probes.test(connection, ana)
    probes.test(connection, ana)
    counters = [row.counter for row in rows()]
    assert counters == list(range(counters[0], counters[0] + 4)) and len({row.writer for row in rows()}) == 1
