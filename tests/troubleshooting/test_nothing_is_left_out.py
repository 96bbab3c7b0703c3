"""No code without a test that produces it, and none in the catalogue that nothing can lead to."""

import ast
import re
from pathlib import Path

import pytest
from django.conf import settings

from connections import troubleshooting
from connections.methods import methods
from connections.troubleshooting import CATALOGUE
from portal.identities import failures
from tests.gateway.test_refusals import of_outbound, raised_in
from tests.troubleshooting.managed import ENDED_BY_OWNER
from tests.troubleshooting.passthrough import ENDED
from tests.troubleshooting.telling import assert_docs_have
from tests.troubleshooting.test_connections import CARDS, FAILING, WORTH_A_LOOK
from tests.troubleshooting.test_consents import CONSENTS, NOT_LOGGED
from tests.troubleshooting.test_every_failure import TOLD_TO_AGENTS

HERE = {
    *TOLD_TO_AGENTS,
    *ENDED,
    *ENDED_BY_OWNER,
    *FAILING,
    *WORTH_A_LOOK,
    *CARDS,
    *CONSENTS,
    *NOT_LOGGED,
    "endpoint_error",
    "tested_too_often",
    "more_access_wanted",
}
# Produced by other tests, which need a stream that is open, a moment that only a race has, or no call at all.
ELSEWHERE = {
    "credential_withdrawn": (
        "tests/consent/test_gateway_oauth.py",
        "test_an_open_stream_ends_within_five_seconds_after_it_was_taken_away",
    ),
    "client_left": (
        "tests/gateway/test_streams.py",
        "test_when_the_client_leaves_the_endpoint_is_hung_up_on_within_a_second",
    ),
    "client_stalled": (
        "tests/gateway/test_streams.py",
        "test_a_client_that_stops_reading_is_let_go_at_the_total_limit",
    ),
    "credential_unavailable": (
        "tests/gateway/test_endpoint_faults.py",
        "test_without_a_better_credential_the_endpoint_is_asked_once",
    ),
    "agent_deleted": ("tests/consent/test_endings.py", "test_its_consents_end_and_the_provider_is_told"),
    "connection_deleted": ("tests/consent/test_endings.py", "test_of_a_disabled_provider_nothing_is_lost"),
    "erased": ("tests/consent/test_endings.py", "test_it_ends_deletes_and_is_logged"),
    "cancellation_unconfirmed": (
        "tests/consent/test_revocation.py",
        "test_after_some_days_it_is_given_up_and_the_tokens_are_destroyed",
    ),
    "connected_again": ("tests/consent/test_revocation.py", "test_late_news_does_not_end_what_was_just_given"),
}
# Produced by none, and why.
BY_NONE = {
    "outbound": "the base of the outbound errors; each of them that is raised has a code of its own",
    "key_based_failed": "a row of the A2A page, answered with a narrower code: test_the_pages_own_rows",
    "entra_role_missing": "a row of the A2A page, answered with a narrower code: test_the_pages_own_rows",
    "consent_link_missing": "a row of the A2A page about something that does not happen: test_the_pages_own_rows",
}
RAISING = ("Refused", "Unreadable", "NoCredential", "CredentialUnavailable", "TokenUnavailable", "FlowRefused")
RAISING += ("NeedsConsent", "CardUnreadable", "_refuse", "_ended_by_us", "_ended_by_provider", "_ended")


def test_every_code_of_the_catalogue_is_produced_by_a_test():
    left_out = set(CATALOGUE) - HERE - set(ELSEWHERE) - set(BY_NONE)
    assert left_out == set(), "Produce it in tests/troubleshooting, or say above where it is or why not."
    assert HERE.isdisjoint(BY_NONE) and HERE.isdisjoint(ELSEWHERE)
    assert {*HERE, *ELSEWHERE, *BY_NONE} <= set(CATALOGUE)


def test_every_code_that_the_source_raises_is_in_the_catalogue():
    raised = set().union(*(raised_in(folder, *RAISING) for folder in ("connections", "consent", "portal/identities")))
    raised |= {method.refused(status) for method in methods() for status in (401, 403)}
    raised |= {code for method in methods() for code in method.may_lack}
    raised |= {*failures.AADSTS.values(), *failures.HOST_STATUSES.values()} | of_outbound()
    raised |= {troubleshooting.of_status(status) for status in range(300, 600)}
    assert {"consent_flow_ended", "host_identity_missing", "card_none_there", "user_token_refused"} <= raised
    assert raised - set(CATALOGUE) == set()


@pytest.mark.parametrize("code", ELSEWHERE)
def test_what_is_produced_elsewhere_is_so(code):
    path, name = ELSEWHERE[code]
    source = Path(settings.BASE_DIR, path).read_text()
    [test] = [node for node in ast.walk(ast.parse(source)) if getattr(node, "name", "") == name]
    # Also what decorates it: a code may be a parameter.
    first = min([test.lineno, *(decorator.lineno for decorator in test.decorator_list)])
    body = "\n".join(source.splitlines()[first - 1 : test.end_lineno])
    assert re.search(rf"\b{code}\b", body, re.IGNORECASE)


@pytest.mark.parametrize("code", [code for code in BY_NONE if code != "outbound"])
def test_the_pages_rows_stand_in_the_docs(code):
    assert_docs_have(code)
