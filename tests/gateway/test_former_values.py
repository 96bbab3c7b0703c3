"""While a former value is kept, an endpoint that does not know the new one yet is called with it: once, after a 401."""

import json
import time
from datetime import timedelta

import pytest

from connections import keeping, secrets
from connections.methods.base import CredentialUnavailable
from connections.models import Connection, Secret
from connections.secrets import NewSecret
from tests import factories
from tests.fakes.server import serve
from tests.gateway.conftest import line_to, new_line, rows_of, rpc

OLD, NEW = "ledger-secret-value", "new-canary-value-71c2"
DAY = timedelta(days=1)


def replaced(line, keep: timedelta | None = DAY, name: str = "x-api-key"):
    """The line after an administrator replaced the value, which its endpoint has not learnt of."""
    by = factories.make_user()
    line.connection.refresh_from_db()
    keeping.replace(line.connection, [NewSecret("credential", 0, name, NEW)], {}, by, keep)
    return by


def sent(line) -> list[list[str]]:
    return [call.header("x-api-key") for call in line.endpoint.calls()]


def test_after_a_401_the_former_value_is_tried_once_and_the_log_says_so(shared_line):
    replaced(shared_line)
    answer = shared_line.post(rpc())
    assert "result" in answer.json()
    assert sent(shared_line) == [[NEW], [OLD]]
    [_, outcome] = rows_of(answer.headers["x-request-id"])
    assert outcome.outcome == "succeeded"
    assert json.loads(outcome.details) == {"credential": "x-api-key, the former value"}
    assert OLD not in str(vars(outcome))


def test_where_the_new_value_is_accepted_the_former_one_is_not_sent(shared_gateway, fake_agent):
    line = line_to(fake_agent(required_header=("x-api-key", NEW)))
    replaced(line)
    answer = line.post(rpc())
    assert "result" in answer.json() and sent(line) == [[NEW]]
    assert rows_of(answer.headers["x-request-id"])[1].details == ""


def reason_of(answer) -> str:
    return answer.json()["error"]["data"][1]["reason"]


def test_where_both_are_refused_each_is_sent_once_and_the_agent_is_told(shared_gateway, fake_agent):
    line = line_to(fake_agent(required_header=("x-api-key", "a-third-value")))
    replaced(line)
    assert reason_of(line.post(rpc())) == "ENDPOINT_REFUSED_401" and sent(line) == [[NEW], [OLD]]


def test_without_a_choice_to_keep_it_the_old_value_is_gone(shared_line):
    replaced(shared_line, keep=None)
    answer = shared_line.post(rpc())
    assert reason_of(answer) == "ENDPOINT_REFUSED_401" and sent(shared_line) == [[NEW]]
    assert Secret.objects.get(connection=shared_line.connection).former_value == ""


def test_after_its_time_it_is_not_sent_although_nobody_has_removed_it(shared_line):
    """By the clock alone: the gateway has the row in memory, and nothing announces a moment."""
    replaced(shared_line, keep=timedelta(seconds=2))
    assert "result" in shared_line.post(rpc()).json()
    time.sleep(2)
    assert Secret.objects.get(connection=shared_line.connection).former_value
    before = len(sent(shared_line))
    answer = shared_line.post(rpc())
    assert reason_of(answer) == "ENDPOINT_REFUSED_401" and sent(shared_line)[before:] == [[NEW]]


def test_ended_by_a_person_it_is_not_sent_from_the_next_call_on(shared_line):
    by = replaced(shared_line)
    assert "result" in shared_line.post(rpc()).json()
    assert keeping.end_former(shared_line.connection, by)
    time.sleep(1)
    before = len(sent(shared_line))
    assert reason_of(shared_line.post(rpc())) == "ENDPOINT_REFUSED_401" and sent(shared_line)[before:] == [[NEW]]
    assert not keeping.end_former(shared_line.connection, by)


def test_a_former_value_is_sent_under_its_own_name(shared_line):
    replaced(shared_line, name="x-new-key")
    assert "result" in shared_line.post(rpc()).json()
    [first, second] = shared_line.endpoint.calls()
    assert (first.header("x-new-key"), first.header("x-api-key")) == ([NEW], [])
    assert (second.header("x-new-key"), second.header("x-api-key")) == ([], [OLD])


def test_the_value_that_stays_goes_along_with_the_former_one(shared_line):
    """Two headers, of which one is replaced."""
    connection = shared_line.connection
    secrets.store(connection, NewSecret("credential", 1, "x-user", "ledger-user"), connection.addresses(), None)
    replaced(shared_line)
    assert "result" in shared_line.post(rpc()).json()
    assert [call.header("x-user") for call in shared_line.endpoint.calls()] == [["ledger-user"]] * 2


class Repeats:
    """Refuses the new value, and says in its second answer what it was sent before."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    async def __call__(self, scope, receive, send) -> None:
        asked = json.loads((await receive())["body"])
        self.seen.append(dict(scope["headers"]).get(b"x-api-key", b"").decode())
        status = 401 if len(self.seen) == 1 else 200
        said = {"messageId": "m", "role": "ROLE_AGENT", "parts": [{"text": " ".join(self.seen)}]}
        body = json.dumps({"jsonrpc": "2.0", "id": asked["id"], "result": {"message": said}}).encode()
        kind = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": kind})
        await send({"type": "http.response.body", "body": body})


def test_an_endpoint_that_repeats_either_value_gives_it_to_nobody(shared_gateway):
    """T09."""
    with serve(Repeats()) as endpoint:
        line = new_line(endpoint.url)
        replaced(line)
        said = line.post(rpc()).text
    assert said.count("[REDACTED]") == 2 and NEW not in said and OLD not in said


def test_it_opens_for_no_other_address_and_in_no_other_column(shared_line):
    """T01, T33."""
    replaced(shared_line)
    found = Connection.objects.get(pk=shared_line.connection.pk)
    with pytest.raises(CredentialUnavailable, match="secret_unreadable"):
        secrets.formerly(found, "credential", ("https://evil.example/a2a",))
    secret = found.secrets.get()
    Secret.objects.filter(pk=secret.pk).update(value=secret.former_value)
    with pytest.raises(CredentialUnavailable, match="secret_unreadable"):
        secrets.opened(found, "credential", found.addresses())
