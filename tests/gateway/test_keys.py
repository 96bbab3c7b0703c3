"""The agent key: what is wrong with it is said, and to a stranger nothing more (T13)."""

import time
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from portal.agents import keys, registering
from portal.agents.models import AgentKey
from portal.audit.models import LastUse, LogRow
from tests import factories
from tests.fakes.stock_client import TLS
from tests.gateway.callers import SPELLINGS, Caller, everything_in, message, spelled
from tests.gateway.conftest import new_line, rows_of, rpc

every_spelling = pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


def sentence_of(answer) -> str:
    error = answer.json()["error"]
    return error["message"].split(" (request ")[0]


def refused(line, headers: dict) -> str:
    """Asks with these headers, makes sure that it is a 401 that reached nothing, and returns the sentence."""
    before = len(line.endpoint.received)
    answer = line.post(rpc(), headers={"a2a-version": "1.0", "authorization": "", **headers})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["x-request-id"].startswith("req_")
    assert len(line.endpoint.received) == before
    return sentence_of(answer)


def test_each_thing_wrong_with_a_key_has_its_own_sentence(shared_line):
    line = shared_line
    agent, by = line.agent, factories.make_user()
    expired = factories.make_key(agent, expires_at=timezone.now() + timedelta(seconds=0.2))
    sentences = {
        refused(line, {}),
        refused(line, bearer("hunter2")),
        refused(line, bearer(f"ghk_{'a' * 12}_{'b' * 43}")),
    }
    keys.revoke(AgentKey.objects.get(prefix=line.key[4:16]), by)
    time.sleep(1)
    sentences.add(refused(line, bearer(line.key)))
    sentences.add(refused(line, bearer(expired)))
    fresh = factories.make_key(agent)
    registering.disable(agent, by)
    time.sleep(1)
    sentences.add(refused(line, bearer(fresh)))

    beginnings = sorted(sentence.split(".")[0] for sentence in sentences)
    assert beginnings == [
        "The agent is disabled",
        "The agent key has expired",
        "The agent key is malformed",
        "The agent key is missing",
        "The agent key is not known",
        "The agent key was revoked",
    ]


def test_an_unknown_id_and_a_wrong_secret_get_the_same_answer(shared_line):
    line_key = shared_line.key
    wrong_secret = line_key[:-1] + ("A" if line_key[-1] != "A" else "B")
    unknown = f"ghk_{'Z' * 12}_{line_key[17:]}"

    answers = [shared_line.post(rpc(), headers=bearer(key)) for key in (wrong_secret, unknown)]

    assert everything_in(answers[0]) == everything_in(answers[1])
    assert answers[0].status_code == 401


@pytest.mark.parametrize("state", ["expired", "revoked", "disabled"])
def test_a_wrong_secret_learns_nothing_of_the_keys_state(shared_line, state):
    row = AgentKey.objects.get(prefix=shared_line.key[4:16])
    if state == "expired":
        AgentKey.objects.filter(pk=row.pk).update(expires_at=timezone.now() - timedelta(1))
    elif state == "revoked":
        AgentKey.objects.filter(pk=row.pk).update(revoked_at=timezone.now())
    else:
        registering.disable(shared_line.agent, factories.make_user())

    assert "not known" in refused(shared_line, bearer(shared_line.key[:-2] + "xx"))


@pytest.mark.parametrize(
    "value",
    [
        "Basic Z2hrOnNlY3JldA==",
        "Bearer",
        "ghk_alone",
        "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZ2VudCJ9.",
        "Bearer ledger-secret-value",
        "Bearer gho_16C7e42F292c6912E7710c838347Ae178B4a",
        "Bearer 'ghk_quoted'",
        f"Bearer ghk_{'ä' * 12}_{'b' * 43}",
        f"Bearer ghk_{'a' * 12}_{'b' * 43}_more",
        f"Bearer ghk_{'a' * 5000}_{'b' * 43}",
    ],
)
def test_nothing_else_is_a_key(shared_line, value):
    """Neither another scheme, nor a token that is meant for somebody else, the endpoint's own credential included."""
    refused(shared_line, {"authorization": value.encode("latin-1", "replace")})


def test_two_keys_at_once_are_refused(shared_line):
    other = factories.make_key(shared_line.agent)

    pairs = [*bearer(shared_line.key).items(), *bearer(other).items()]
    answer = httpx.post(shared_line.url, json=rpc(), headers=pairs, verify=TLS)

    assert answer.json()["error"]["code"] in (-32600, -32052)
    assert not shared_line.endpoint.calls()


def test_a_key_in_the_query_or_a_cookie_does_not_count(shared_line):
    for headers, path in (({"cookie": f"authorization=Bearer {shared_line.key}"}, ""), ({}, f"?key={shared_line.key}")):
        answer = shared_line.post(rpc(), path=path, headers={"authorization": "", **headers})
        assert answer.status_code == 401
    assert not shared_line.endpoint.calls()


@every_spelling
def test_a_bad_key_is_a_401_in_every_spelling(shared_line, spelling):
    nobody = Caller(shared_line.agent, "no-key", None, shared_line.connection)
    for request in (message(spelling), message(spelling, streams=True), spelled(spelling, "GetTask", {"id": "t"})):
        answer = nobody.ask(request)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_the_card_and_the_consent_status_want_a_key_too(shared_line):
    for path in ("/.well-known/agent-card.json", "/consent-status", "/extendedAgentCard", "/nonsense"):
        answer = shared_line.get(path, headers={"authorization": ""})
        assert answer.status_code == 401
        assert "Fake agent" not in answer.text


def test_a_stranger_does_not_learn_which_projects_and_connections_exist(shared_line):
    here = shared_line.post(rpc(), headers=bearer("ghk_wrong"))
    shared_line.connection.name = "no-such-connection"
    nowhere = shared_line.post(rpc(), headers=bearer("ghk_wrong"))

    assert everything_in(here) == everything_in(nowhere)


def test_a_key_of_another_project_does_not_work_here(shared_line):
    elsewhere = new_line("http://127.0.0.1:9/agent")

    answer = shared_line.post(rpc(), headers=elsewhere.headers)

    assert answer.json()["error"]["code"] == -32052
    assert not shared_line.endpoint.calls()


def test_the_last_use_of_key_and_connection_is_written(shared_line):
    shared_line.post(rpc(), headers={"a2a-version": "1.0"})

    key = AgentKey.objects.get(prefix=shared_line.key[4:16])
    used = {row.subject: row.at for row in LastUse.objects.filter(subject__in=[key.id, shared_line.connection.id])}
    assert set(used) == {key.id, shared_line.connection.id}
    assert all(abs((timezone.now() - at).total_seconds()) < 5 for at in used.values())


def test_a_refused_key_does_not_count_as_used(shared_line):
    registering.disable(shared_line.agent, factories.make_user())

    refused(shared_line, bearer(shared_line.key))

    assert not LastUse.objects.filter(subject=AgentKey.objects.get(prefix=shared_line.key[4:16]).id).exists()


def test_the_refusal_of_a_key_is_in_the_log_with_its_agent_and_without_the_key(line):
    registering.disable(line.agent, factories.make_user())

    answer = line.post(rpc())

    [row] = rows_of(answer.headers["x-request-id"], count=1)
    assert (row.outcome, row.reason, row.agent_id) == ("not_permitted", "agent_disabled", line.agent.id)
    assert row.project_id == line.agent.project_id
    assert line.key not in str(LogRow.objects.filter(pk=row.pk).values())


def test_nobody_fills_the_log_with_a_key_that_does_not_count(line):
    registering.disable(line.agent, factories.make_user())

    for _ in range(60):
        line.post(rpc())

    time.sleep(0.5)
    assert 25 < LogRow.objects.filter(reason="agent_disabled").count() < 45


def test_a_key_that_is_revoked_while_its_body_comes_in_is_refused(shared_line, fake_agent):
    """Who holds many half-sent requests ready can't use them once the key is gone (T11)."""

    def slow_body():
        yield b'{"jsonrpc":"2.0","id":7,"method":"SendMessage",'
        time.sleep(0.3)
        keys.revoke(AgentKey.objects.get(prefix=shared_line.key[4:16]), factories.make_user())
        time.sleep(1)
        yield b'"params":{"message":{"messageId":"m","role":"ROLE_USER","parts":[{"text":"task x"}]}}}'

    answer = httpx.post(shared_line.url, content=slow_body(), headers=shared_line.headers, timeout=10, verify=TLS)

    assert answer.status_code == 401
    assert not shared_line.endpoint.calls()
