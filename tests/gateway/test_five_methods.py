"""Each of the five methods of the A2A authentication page passes the same contract, and acts as whom it says.

The endpoints accept nothing but what the method must bring: a stored header, a token of the portal's own issuer that
a library verifies by the JWKS, a living token of an authorization server, or nothing at all.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.utils import timezone
from joserfc import jws

from connections import agent_card
from connections.methods import methods
from demo.roles import Principal
from portal.agents import publishing, speaking
from portal.audit import changes, log
from portal.audit.changes import FRESH_SECONDS
from portal.audit.models import LogRow
from portal.identities import audiences, roster, setting_up, signing_keys, tokens
from portal.identities import issuer as own_issuer
from portal.identities.models import Audience, Identity, IdentityToken, SigningKey
from tests import factories
from tests.consent import making
from tests.consent.given import give
from tests.fakes.a2a_server import SPELLINGS, A2AServer
from tests.fakes.stock_client import send
from tests.fakes.verifying import Verifying
from tests.gateway.conftest import Line, line_to, message, new_line, rows_of, rpc
from tests.gateway.refusing import code_of
from tests.gateway.test_streams import streaming

AGENT, PROJECT = "microsoft-entra-agent-identity", "microsoft-entra-project-managed-identity"
HR = "api://contoso-hr"
V1 = {"a2a-version": "1.0"}
every_spelling = pytest.mark.parametrize("spelling", SPELLINGS, ids="-".join)
both_ways = pytest.mark.parametrize("streaming", [False, True], ids=["plain", "stream"])


@dataclass
class Kind:
    """A line through one method, the server behind it, and what that server must not see."""

    line: Line
    server: A2AServer


@pytest.fixture
def verifier(shared_gateway, verifying_agent, published) -> Callable[..., Verifying]:
    """An endpoint that verifies tokens of this portal's issuer."""
    return lambda **options: verifying_agent(own_issuer.issuer(), HR, discovery=published, **options)


@pytest.fixture
def published(issuer, shared_gateway) -> str:
    """The portal's own documents as they are now, served: a gateway's tests run no pages."""
    keys, document = signing_keys.jwks(), own_issuer.metadata() | {"jwks_uri": f"{issuer.url}/jwks.json"}
    issuer.jwks, issuer.document = lambda: keys, lambda: document
    return f"{issuer.url}/.well-known/openid-configuration"


@pytest.fixture
def entra_line(verifier) -> Callable[..., tuple[Line, Verifying]]:
    def make(method: str = AGENT, **options) -> tuple[Line, Verifying]:
        endpoint = verifier(**options)
        owner = factories.make_user("Olga Ek")
        at = audiences.origin_of(endpoint.url)
        listed = Audience.objects.filter(name=HR).first()
        if listed:
            audiences.change(listed, [*listed.origins, at], "", owner)
        else:
            audiences.enter(HR, [at], "", owner)
        line = line_to(endpoint.agent, credential=None, auth_method=method, settings={"audience": HR})
        return line, endpoint

    return make


def _key_based(request) -> Kind:
    server = request.getfixturevalue("fake_agent")(required_header=("x-api-key", "ledger-secret-value"))
    return Kind(line_to(server), server)


def _unauthenticated(request) -> Kind:
    server = request.getfixturevalue("fake_agent")()
    return Kind(line_to(server, credential=None), server)


def _entra(method: str) -> Callable:
    def make(request) -> Kind:
        line, endpoint = request.getfixturevalue("entra_line")(method)
        return Kind(line, endpoint.agent)

    return make


def _oauth(request) -> Kind:
    octo = request.getfixturevalue("provider")(grace_seconds=0)
    endpoint = request.getfixturevalue("resource_of")(octo)
    fetched = agent_card.fetch([f"{endpoint.url}/.well-known/agent-card.json"])
    project = factories.make_project()
    agent = factories.make_agent(project)
    interfaces = agent_card.Card.of(fetched.card).interfaces(endpoint.url)
    connection = making.connection_to(
        octo, project, agent, endpoint=endpoint.url, card=fetched.card, interfaces=interfaces
    )
    ben = factories.make_member(project, "azure-ai-user")
    speaking.allow(agent, ben, people=[ben], until=None)
    give(connection, agent, ben)
    key = factories.make_key(agent)
    headers = {"authorization": f"Bearer {key}", "x-ms-user-identity": ben.email}
    return Kind(Line(agent, key, connection, headers=headers), endpoint.agent)


KINDS = {
    "key-based": _key_based,
    AGENT: _entra(AGENT),
    PROJECT: _entra(PROJECT),
    "oauth-identity-passthrough": _oauth,
    "unauthenticated": _unauthenticated,
}


@pytest.fixture(params=KINDS)
def kind(request, shared_gateway) -> Kind:
    return KINDS[request.param](request)


def test_these_are_the_five_methods_of_the_page():
    assert list(KINDS) == [method.slug for method in methods()]
    assert [method.label for method in methods()] == [
        "Key-based",
        "Microsoft Entra - agent identity",
        "Microsoft Entra - project managed identity",
        "OAuth identity passthrough",
        "Unauthenticated access",
    ]
    persists = {method.slug for method in methods() if method.user_context_persists}
    assert persists == {"oauth-identity-passthrough"}


@every_spelling
@both_ways
def test_a_stock_client_is_answered_by_the_endpoint(kind, spelling, streaming):
    events = send(kind.line.url, spelling, "stream 3", streaming=streaming, headers=kind.line.headers)

    [call] = kind.server.calls()
    assert kind.line.key not in str(call.headers) + call.body.decode()
    assert len(call.header("authorization")) <= 1 and call.header("x-ms-user-identity") == []
    assert events and (len(events) > 1 or not streaming)


def test_a_call_leaves_its_two_rows_and_no_credential_in_them(kind):
    answer = kind.line.post(rpc(), headers=V1)

    attempt, outcome = rows_of(answer.headers["x-request-id"])
    assert (attempt.kind, outcome.outcome, outcome.status) == ("attempt", "succeeded", 200)
    assert attempt.auth_method == kind.line.connection.auth_method
    sent = [value for name in ("authorization", "x-api-key") for value in kind.server.calls()[0].header(name)]
    written = str([list(row.values()) for row in LogRow.objects.values()])
    assert not any(value.removeprefix("Bearer ") in written for value in sent)


@pytest.mark.parametrize("method", [AGENT, PROJECT, "unauthenticated"])
def test_an_endpoint_that_refuses_is_told_apart_from_one_that_fails(shared_gateway, fake_agent, method):
    """Those whose credential is not sealed to one address; the others: test_endpoint_faults and consent's tests."""
    endpoint = fake_agent(required_header=("x-other", "never"))
    audiences.enter("api://other-hr", [audiences.origin_of(endpoint.url)], "", factories.make_user())
    line = new_line(endpoint.url, credential=None, auth_method=method, settings={"audience": "api://other-hr"})

    answer = line.post(rpc(), headers=V1)
    assert code_of(answer) == ("endpoint_refused_401" if method == "unauthenticated" else "entra_token_refused")
    assert rows_of(answer.headers["x-request-id"])[1].outcome == "refused_by_endpoint"
    Audience.objects.filter(name="api://other-hr").delete()


# The two of Microsoft Entra, with the portal's own issuer.


def test_calls_carry_the_shared_identity_before_publishing_and_the_agents_own_after(entra_line):
    line, endpoint = entra_line()
    other = new_agent_of(line)
    shared = roster.shared_by_agents(line.agent.project)

    line.post(rpc(), headers=V1)
    other.post(rpc(), headers=V1)
    own = publishing.publish(line.agent, factories.make_user())
    time.sleep(FRESH_SECONDS)
    line.post(rpc(), headers=V1)
    other.post(rpc(), headers=V1)
    publishing.unpublish(line.agent, factories.make_user())
    time.sleep(FRESH_SECONDS)
    line.post(rpc(), headers=V1)

    assert own.principal_id != shared.principal_id
    assert endpoint.subjects() == [
        shared.principal_id,
        shared.principal_id,
        own.principal_id,
        shared.principal_id,
        shared.principal_id,
    ]
    assert {visit.client_id for visit in endpoint.visits} == {shared.client_id, own.client_id}


def test_a_call_after_publishing_does_not_share_a_token_that_was_asked_for_before(entra_line, monkeypatch):
    """The source may take many seconds, and publishing counts from the next call on."""
    line, endpoint = entra_line()
    shared = roster.shared_by_agents(line.agent.project)
    asked, go = threading.Event(), threading.Event()

    def slow(identity, audience):
        if identity.pk == shared.pk:
            asked.set()
            assert go.wait(10)
        return own_issuer.obtain(identity, audience)

    monkeypatch.setitem(tokens.SOURCES, "portal", slow)
    before = threading.Thread(target=line.post, args=(rpc(),), kwargs={"headers": V1})
    before.start()
    try:
        assert asked.wait(10)
        own = publishing.publish(line.agent, factories.make_user())
        time.sleep(FRESH_SECONDS)
        threading.Timer(2, go.set).start()
        assert code_of(line.post(rpc(), headers=V1)) is None
    finally:
        go.set()
        before.join()
    assert sorted(endpoint.subjects()) == sorted([own.principal_id, shared.principal_id])


def test_every_agent_of_the_project_acts_as_the_project_managed_identity(entra_line):
    line, endpoint = entra_line(PROJECT)
    other = new_agent_of(line)
    publishing.publish(other.agent, factories.make_user())
    line.post(rpc(), headers=V1)
    other.post(rpc(), headers=V1)
    assert set(endpoint.subjects()) == {roster.managed_of(line.agent.project).principal_id}


def test_roles_do_not_carry_over_and_the_answer_says_so(entra_line):
    line, endpoint = entra_line(role="HR.Read")
    endpoint.role.assign(Principal(roster.shared_by_agents(line.agent.project).principal_id))
    assert code_of(line.post(rpc(), headers=V1)) is None

    own = publishing.publish(line.agent, factories.make_user())
    time.sleep(FRESH_SECONDS)
    answer = line.post(rpc(), headers=V1)
    assert code_of(answer) == "entra_endpoint_403"
    assert "10 minutes" in answer.json()["error"]["message"]
    ended = rows_of(answer.headers["x-request-id"])[1]
    assert ended.outcome == "refused_by_endpoint"
    assert json.loads(ended.details) == {"acted_as": f"{own.name}, principal {own.principal_id}"}

    endpoint.role.assign(Principal(own.principal_id))
    assert code_of(line.post(rpc(), headers=V1)) is None


def test_a_rotated_signing_key_breaks_no_call(entra_line):
    """The endpoint keeps the keys that it read before: the next one was among them already."""
    line, endpoint = entra_line()
    assert code_of(line.post(rpc(), headers=V1)) is None
    SigningKey.objects.update(made_at="2026-01-01T00:00Z")
    last = signing_keys.current().signing.kid
    signing_keys.rotate(log.SYSTEM)
    assert code_of(line.post(rpc(), headers=V1)) is None
    with changes.announced():
        IdentityToken.objects.all().delete()
    time.sleep(FRESH_SECONDS)
    assert code_of(line.post(rpc(), headers=V1)) is None

    used = [jws.extract_compact(visit.token.encode()).headers()["kid"] for visit in endpoint.visits]
    assert used == [last, last, signing_keys.current().signing.kid] and used[2] != last
    assert endpoint.refusals == []


def test_the_next_key_signs_only_after_endpoints_can_know_it(shared_gateway):
    signing_keys.current()
    with pytest.raises(signing_keys.TooSoon):
        signing_keys.rotate(log.SYSTEM)


def test_what_is_taken_away_counts_within_a_second(entra_line):
    line, endpoint = entra_line()
    assert code_of(line.post(rpc(), headers=V1)) is None
    listed = Audience.objects.get(name=HR)
    audiences.change(listed, ["https://elsewhere.example"], "", factories.make_user())
    time.sleep(FRESH_SECONDS)
    assert code_of(line.post(rpc(), headers=V1)) == "audience_not_listed"
    audiences.change(listed, [audiences.origin_of(endpoint.url)], "", factories.make_user())
    time.sleep(FRESH_SECONDS)
    assert code_of(line.post(rpc(), headers=V1)) is None
    setting_up.disable(roster.shared_by_agents(line.agent.project), factories.make_user())
    time.sleep(FRESH_SECONDS)
    assert code_of(line.post(rpc(), headers=V1)) == "identity_disabled"
    assert len(endpoint.visits) == 2


def test_an_open_stream_ends_with_its_own_identity_and_not_with_another(entra_line):
    """One stream began before the agent was published, the other after: the endpoint sees two callers."""
    line, _ = entra_line()
    ended: dict[str, str] = {}

    def listen(name: str) -> None:
        with streaming(line, rpc("SendStreamingMessage", message("forever"))) as answer:
            until = time.monotonic() + 6
            for text in answer.iter_lines():
                if "error" in text or time.monotonic() > until:
                    ended[name] = text
                    return

    streams = [threading.Thread(target=listen, args=(name,)) for name in ("before", "after")]
    streams[0].start()
    time.sleep(0.5)
    publishing.publish(line.agent, factories.make_user())
    time.sleep(FRESH_SECONDS)
    streams[1].start()
    time.sleep(0.5)
    with changes.announced():
        shared = roster.shared_by_agents(line.agent.project)
        Identity.objects.filter(pk=shared.pk).update(disabled_at=timezone.now())
    for stream in streams:
        stream.join()
    assert "CREDENTIAL_WITHDRAWN" in ended["before"] and "error" not in ended["after"]


def test_a_token_for_another_audience_is_refused_by_the_endpoint_and_explained(entra_line):
    line, endpoint = entra_line()
    other = audiences.enter("api://other", Audience.objects.get(name=HR).origins, "", factories.make_user())
    line.connection.settings = {"audience": other.name}
    line.connection.save()
    publishing.publish(line.agent, factories.make_user())  # announces the change as an edit would
    time.sleep(FRESH_SECONDS)
    answer = line.post(rpc(), headers=V1)
    assert code_of(answer) == "entra_token_refused"
    assert endpoint.visits == [] and "audience" in endpoint.refusals[-1].reason


def new_agent_of(line: Line) -> Line:
    """Another agent of the project, with the same connection."""
    agent = factories.make_agent(line.agent.project)
    line.connection.given.create(agent=agent)
    key = factories.make_key(agent)
    return Line(agent, key, line.connection, line.endpoint, {"authorization": f"Bearer {key}"})
