"""Every code that an identity's failure can have is a text of its own, on the pages and in the log."""

import re
from pathlib import Path

import pytest

from connections.troubleshooting import Who, entry
from portal.audit import reasons
from portal.identities import failures

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r'"((?:entra|identity|audience|blueprint|host_identity|managed_identity|no)_\w+)"')
SOURCES = [path.read_text() for path in (ROOT / "portal" / "identities").glob("*.py") if path.name != "models.py"]
RAISED = {code for source in SOURCES for code in NAMED.findall(source)}
CODES = sorted({*failures.AADSTS.values(), *failures.HOST_STATUSES.values()} | RAISED)


def test_the_codes_are_found():
    assert {"identity_disabled", "audience_not_listed", "no_token_file", "entra_busy", "managed_identity_busy"} <= {
        *CODES
    }
    assert len(CODES) > 30


@pytest.mark.parametrize("code", [*CODES, "entra_endpoint_403", "entra_token_refused", "entra_role_missing"])
def test_each_code_has_its_entry_and_the_log_shows_it(code):
    assert entry(code).code == code
    explained = reasons.explain(code)
    assert explained.title == f"{entry(code).title}."
    assert explained.who == entry(code).who.label


def test_whoever_administers_the_tenant_is_named():
    assert entry("entra_consent_missing").who == Who.TENANT_ADMINISTRATOR
    assert Who.TENANT_ADMINISTRATOR.label == "An administrator of the Microsoft Entra tenant"


def test_a_missing_role_says_how_long_an_assignment_takes():
    assert "up to 10 minutes" in entry("entra_endpoint_403").cause


def test_whoever_can_do_what_is_told_is_named():
    assert entry("entra_endpoint_403").who == entry("entra_role_missing").who == Who.ENDPOINT_OWNER
    assert entry("user_missing").who == Who.AGENT_OWNER
