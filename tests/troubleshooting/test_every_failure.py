"""Each failure is really produced, and answered with its own entry: to the agent, in log, search and docs."""

import pytest
from django.urls import reverse

from connections.troubleshooting import CATALOGUE
from tests.consent.test_gateway_oauth import ask, asked
from tests.gateway.test_endpoint_faults import line_to_bad
from tests.troubleshooting.callers import CALLERS
from tests.troubleshooting.endpoints import ENDPOINTS, call
from tests.troubleshooting.identities import IDENTITIES
from tests.troubleshooting.managed import ENDED_BY_OWNER, MANAGED
from tests.troubleshooting.passthrough import ENDED, PASSTHROUGH, wants_more
from tests.troubleshooting.telling import (
    Failure,
    assert_agent_is_told,
    assert_docs_have,
    assert_log_and_search_explain,
    read,
)

TOLD_TO_AGENTS = ENDPOINTS | CALLERS | PASSTHROUGH | MANAGED | IDENTITIES


def test_there_are_more_than_the_forty_that_were_promised():
    assert len(TOLD_TO_AGENTS) > 80
    assert set(TOLD_TO_AGENTS) <= set(CATALOGUE)


@pytest.mark.parametrize("code", TOLD_TO_AGENTS)
def test_a_failed_call_is_explained_everywhere(request, auditor, code):
    failure = Failure.of(TOLD_TO_AGENTS[code](request.getfixturevalue))

    assert_agent_is_told(failure, code)
    assert_log_and_search_explain(auditor, failure.request_id, code)
    assert_docs_have(code, failure.error)


@pytest.mark.parametrize("code", ENDED | ENDED_BY_OWNER)
def test_what_no_longer_serves_is_asked_for_again_and_says_why(request, auditor, browse, code):
    entry = CATALOGUE[code]
    world = request.getfixturevalue("managed_world" if code in ENDED_BY_OWNER else "world")
    (ENDED | ENDED_BY_OWNER)[code](world, world.give(world.ben))
    # The row of Ben's grant that was moved by hand is Chloe's now.
    caller = world.chloe if code == "token_unreadable" else world.ben

    answer = ask(caller)

    data = asked(answer)
    assert f"needs your permission again: {entry.title}." in data["text"]
    # Whoever disconnected the agent themself need not be told so.
    told = entry.title in read(browse(caller.user), reverse("consent", args=[data["id"]]))
    assert told == (code != "disconnected_by_user")
    assert_log_and_search_explain(auditor, answer.headers["x-request-id"], code)
    assert_docs_have(code)


def test_what_the_endpoint_wants_beside_is_asked_for_and_says_why(request, auditor, browse):
    world, code = wants_more(request.getfixturevalue), "more_access_wanted"

    answer = ask(world.ben)

    data, entry = asked(answer), CATALOGUE[code]
    assert f"needs your permission again: {entry.title}." in data["text"]
    assert entry.title in read(browse(world.ben.user), reverse("consent", args=[data["id"]]))
    assert_log_and_search_explain(auditor, answer.headers["x-request-id"], code)
    assert_docs_have(code)


def test_the_endpoints_own_error_passes_to_the_agent_and_is_explained_to_people(shared_gateway, hostile, auditor):
    answer = call(line_to_bad(hostile.url("rpc-error")))

    assert answer.json()["error"]["message"] == "The endpoint's own words"
    assert_log_and_search_explain(auditor, answer.headers["x-request-id"], "endpoint_error")
    assert_docs_have("endpoint_error")
