"""Whatever fails has an entry, and each entry is fit for a person."""

import pytest

from connections import troubleshooting
from connections.troubleshooting import CATALOGUE, Who, entry, of_status
from portal.outbound import errors

GATEWAY_REFUSALS = """
agent_key_missing agent_key_malformed agent_key_unknown agent_key_expired agent_disabled connection_unknown
connection_disabled may_not_speak user_unknown not_json duplicate_member batch not_utf8 unknown_method unknown_path
undeclared_tenant too_large binding_not_offered task_not_found limit_rate limit_concurrency push_not_supported
endpoint_refused_401 endpoint_refused_403 endpoint_unavailable endpoint_redirects endpoint_timeout
endpoint_answer_too_large endpoint_broke_off log_unavailable consent_required internal
""".split()
CREDENTIAL_CODES = ["secret_missing", "secret_unreadable", "key_unavailable"]


def outbound_codes(kind=errors.OutboundError):
    yield kind.code
    for narrower in kind.__subclasses__():
        yield from outbound_codes(narrower)


@pytest.mark.parametrize("code", [*GATEWAY_REFUSALS, *CREDENTIAL_CODES, *sorted(set(outbound_codes()))])
def test_each_failure_has_its_own_entry(code):
    assert entry(code).code == code


def test_no_code_is_used_twice():
    assert len(troubleshooting._ALL) == len(CATALOGUE)


@pytest.mark.parametrize("item", CATALOGUE.values(), ids=CATALOGUE)
def test_an_entry_is_written_for_a_person(item):
    words = [item.title, item.cause, item.resolution]
    assert all(text.isascii() and "!" not in text and "  " not in text for text in words)
    assert item.title[0].isupper() and not item.title.endswith(".")
    assert item.cause.endswith(".") and item.resolution.endswith(".")
    assert item.who in Who and item.who.label


@pytest.mark.parametrize("item", CATALOGUE.values(), ids=CATALOGUE)
def test_an_entry_has_no_place_where_a_value_could_be_filled_in(item):
    assert not set("{}%<>") & set(item.title + item.cause + item.resolution)


@pytest.mark.parametrize("item", CATALOGUE.values(), ids=CATALOGUE)
def test_a_code_fits_the_column_that_keeps_it(item):
    assert len(item.code) <= 60


def test_the_rows_of_the_a2a_page_come_first():
    assert [item.title for item in list(CATALOGUE.values())[:4]] == [
        "Key-based authentication fails",
        "Microsoft Entra authentication fails",
        "Consent completes but tool calls still fail",
        "You don't get a consent link when you expect one",
    ]


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "invalid or expired"), (400, "header name"), (403, "role or permission")],
)
def test_a_status_leads_to_the_meaning_of_the_page(status, words):
    assert words in entry(of_status(status)).cause


@pytest.mark.parametrize("status", range(300, 600))
def test_every_failing_status_has_an_entry(status):
    assert of_status(status) in CATALOGUE


def test_success_is_no_failure():
    assert of_status(200) is None
    assert of_status(204) is None


def test_an_unknown_code_reads_as_an_internal_failure():
    assert entry("from_a_later_method").code == "internal"


def test_an_unknown_person_and_one_without_the_role_read_the_same():
    assert "Azure AI User role" in entry("user_unknown").cause
    assert "no such person" in entry("user_unknown").cause
