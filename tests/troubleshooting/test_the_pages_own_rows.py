"""The table of the A2A page: each of its four situations is produced, and answered in the table's own meaning."""

from functools import partial

import pytest
from django.urls import reverse

from connections.models import Given
from connections.troubleshooting import CATALOGUE
from portal.agents import speaking
from tests import factories
from tests.consent import making
from tests.gateway.conftest import line_to
from tests.troubleshooting.endpoints import answers_with, call, wants_another_key, wants_another_name
from tests.troubleshooting.identities import lacks_a_role
from tests.troubleshooting.passthrough import lets_the_user_in_nowhere, names_no_user
from tests.troubleshooting.telling import Failure, assert_agent_is_told, assert_log_and_search_explain, read

# The page's row, how it is produced, the entry that answers, and the words of the page's cause and resolution that
# this entry has in the same meaning.
ROWS = [
    (
        "key_based_failed",
        {"an invalid token": wants_another_key, "another header name": wants_another_name},
        "endpoint_refused_401",
        ["invalid or expired", "header name", "format"],
        ["Regenerate or rotate the credential and update the connection", "Confirm the header name and value format"],
    ),
    (
        "key_based_failed",
        {"another value format": partial(answers_with, "html-400")},
        "endpoint_bad_request",
        ["header name", "format"],
        ["credential name and the form of its value", "documentation"],
    ),
    (
        "entra_role_missing",
        {"no role assignment": lacks_a_role},
        "entra_endpoint_403",
        ["the identity has no role there"],
        ["Assign the role to the identity"],
    ),
    (
        "user_without_access",
        {"no access after consent": partial(lets_the_user_in_nowhere, 403)},
        "user_without_access",
        ["The user doesn't have access in the underlying service"],
        ["Confirm the user has access", "Azure AI User role (or higher) on the project"],
    ),
]
CASES = [
    pytest.param(produce, code, cause, resolution, id=f"{row}: {name}")
    for row, ways, code, cause, resolution in ROWS
    for name, produce in ways.items()
]


@pytest.mark.parametrize(("produce", "code", "cause", "resolution"), CASES)
def test_a_situation_of_the_page_is_answered_in_its_meaning(request, auditor, produce, code, cause, resolution):
    failure, entry = Failure.of(produce(request.getfixturevalue)), CATALOGUE[code]

    assert_agent_is_told(failure, code)
    assert_log_and_search_explain(auditor, failure.request_id, code)
    assert [words for words in cause if words not in entry.cause] == []
    assert [words for words in resolution if words not in entry.resolution] == []


# "You don't get a consent link when you expect one": nothing fails, so it is told where somebody looks for it.


def test_a_connection_without_passthrough_says_to_agent_and_administrator_that_it_has_no_link(
    shared_gateway, fake_agent, ana, browse
):
    line = line_to(fake_agent())

    status = line.get("/consent-status").json()
    shown = read(browse(ana), place_of(line.connection))

    assert status == {"state": "not_needed", "consent_link": None, "expires_at": None}
    assert "error" not in call(line).json()
    assert "Consent not needed" in shown
    assert "People get a consent link only through OAuth identity passthrough" in shown


def test_an_agent_that_did_not_call_is_named_on_the_page(project, ana, browse):
    silent, mute = (factories.make_agent(project, name) for name in ("release-bot", "mute-bot"))
    speaking.allow(silent, ana, people=None, until=None)
    connection = making.make_connection(project, silent)
    Given.objects.create(connection=connection, agent=mute)
    shown = read(browse(ana), place_of(connection))

    assert "No consent link when you expect one?" in shown
    assert "release-bot has never called this connection." in shown
    assert "mute-bot may not speak for users." in shown


def test_a_call_that_names_nobody_says_that_a_user_is_missing(request, auditor):
    failure = Failure.of(names_no_user(request.getfixturevalue))

    assert_agent_is_told(failure, "user_missing")
    assert_log_and_search_explain(auditor, failure.request_id, "user_missing")


def test_the_code_of_each_row_leads_to_it_in_the_search(auditor):
    for code in list(CATALOGUE)[:4]:
        shown = read(auditor, reverse("search"), q=code)
        assert CATALOGUE[code].title in shown and CATALOGUE[code].resolution in shown


def place_of(connection) -> str:
    return reverse("connection", args=[connection.project.name, connection.name])
