"""One line opened: the call or act, its rows, what its reason means, and whether it is what was written."""

import json
import uuid

import pytest
from django.core.cache import cache
from django.db import connection

from portal.audit import events, log
from portal.audit.events import Outcome
from portal.audit.models import LogKey, LogRow
from tests import factories
from tests.access_log.test_list import LOG, act, call
from tests.agents.test_pages import text_of


@pytest.fixture(autouse=True)
def forget_readings(db):
    cache.clear()


def tamper(sql: str, *values) -> None:
    """As somebody with the database's own password can (T34)."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE portal_logrow DISABLE TRIGGER log_rows_are_only_inserted")
        cursor.execute(sql, values)
        cursor.execute("ALTER TABLE portal_logrow ENABLE TRIGGER log_rows_are_only_inserted")


def test_a_call_is_told_whole_from_either_of_its_rows(browse, dev, ben, project):
    bot, hr = factories.make_agent(project, "support-bot"), factories.make_connection(project, name="hr-agent")
    attempt = call(
        project,
        Outcome.REFUSED_BY_ENDPOINT,
        agent=bot,
        connection=hr,
        on_behalf_of=ben,
        reason="endpoint_refused_403",
        status=403,
        duration=88,
        binding="JSONRPC",
        protocol="1.0",
        target="https://hr.contoso.example/a2a",
        request_id="req_01993d6f20b4",
    )
    outcome = LogRow.objects.get(call_id=attempt.call_id, kind="outcome")
    for row in (attempt, outcome):
        text = text_of(browse(dev).get(f"{LOG}{row.uid}/"))
        assert "support-bot called hr-agent Refused by endpoint" in text
        assert "On behalf of Ben Okafor" in text
        assert "The endpoint answered 403 after 88 ms." in text
        assert "Method SendMessage , A2A 1.0, JSON-RPC Sent to https://hr.contoso.example/a2a" in text
        assert "Request id req_01993d6f20b4" in text
        assert "Written before the credential was opened" in text
        assert "Written 88 ms later" in text
        assert f"Row {attempt.id:,} Attempt" in text
        assert "These rows are what was written." in text
        assert "No secret, message text or token is stored in the log." in text


def test_the_answer_of_the_endpoint_and_what_the_agent_was_sent_are_told_apart(browse, dev, project):
    row = call(project, Outcome.REFUSED_BY_ENDPOINT, status=403, bytes_in=310, bytes_out=1179)
    text = text_of(browse(dev).get(f"{LOG}{row.uid}/"))
    assert "Endpoint's answer 403 Sent to the agent 1,179 bytes" in text


def test_the_method_has_its_name_and_a_row_says_as_which_identity_a_call_was_made(browse, dev, project):
    acted_as = "support-bot-AgentIdentity, principal 5f3c"
    slug = "microsoft-entra-agent-identity"
    row = call(project, auth_method=slug, details={"acted_as": acted_as})
    text = text_of(browse(dev).get(f"{LOG}{row.uid}/"))
    assert "Authentication Microsoft Entra - agent identity" in text and slug not in text
    assert f"Acted as {acted_as}" in text
    changed = act(project, details={"method": slug})
    assert "Method Microsoft Entra - agent identity" in text_of(browse(dev).get(f"{LOG}{changed.uid}/"))
    gone = call(project, auth_method="of-an-older-version")
    assert "Authentication of-an-older-version" in text_of(browse(dev).get(f"{LOG}{gone.uid}/"))


def test_a_known_reason_is_explained_with_who_must_act(browse, dev, project):
    row = call(project, Outcome.REFUSED_BY_ENDPOINT, reason="endpoint_refused_403", status=403)
    text = text_of(browse(dev).get(f"{LOG}{row.uid}/"))
    assert "The endpoint knows the credential and does not permit the call." in text
    assert "Cause: " in text
    assert "Who must act: an administrator of the project." in text


def test_a_reason_that_nobody_knows_any_more_still_reads(browse, dev, project):
    row = call(project, Outcome.FAILED, reason="of_an_older_version")
    text = text_of(browse(dev).get(f"{LOG}{row.uid}/"))
    assert "Reason of_an_older_version" in text
    assert "Cause:" not in text


def test_a_call_that_the_sweep_ended_says_so(browse, dev, project):
    row = call(project, Outcome.UNKNOWN, reason="no_outcome")
    text = text_of(browse(dev).get(f"{LOG}{row.uid}/"))
    assert "How this call ended is not known." in text
    assert "because none had come" in text


def test_a_call_in_progress_has_one_row_so_far(browse, dev, project):
    row = call(project, None)
    text = text_of(browse(dev).get(f"{LOG}{row.uid}/"))
    assert "Outcome Not there yet" in text
    assert "This row is what was written." in text


def test_an_act_is_told_in_a_sentence_with_its_details(browse, dev, project):
    details = {"person": "Ben Okafor", "role": "Azure AI User", "for": ["a", "b"], "until": None}
    row = act(project, event=events.ROLE_GIVEN, details=details)
    text = text_of(browse(dev).get(f"{LOG}{row.uid}/"))
    assert "Ana Ruiz gave Ben Okafor the role Azure AI User" in text
    assert "For a, b" in text
    assert "Until —" in text
    assert "Two rows" not in text


def test_details_can_neither_bring_markup_nor_fill_in_other_words(browse, dev, project):
    row = act(project, event=events.SIGN_IN_FAILED, details={"email": "{who.__class__} <b>x</b> \u202e"})
    page = browse(dev).get(f"{LOG}{row.uid}/").content.decode()
    assert "A sign-in as {who.__class__} &lt;b&gt;x&lt;/b&gt; failed" in page
    assert "\u202e" not in page


@pytest.mark.parametrize("details", ["", "[1, 2]", "no json", "null"])
def test_details_of_any_shape_read(browse, dev, project, details):
    row = act(project, event=events.KEY_MADE)
    tamper("UPDATE portal_logrow SET details = %s WHERE id = %s", details, row.id)
    assert browse(dev).get(f"{LOG}{row.uid}/").status_code == 200


@pytest.mark.parametrize("kind", ["attempt", "outcome"])
def test_a_changed_row_is_named(browse, dev, project, kind):
    attempt = call(project, duration=88)
    tamper("UPDATE portal_logrow SET duration = 1 WHERE call_id = %s AND kind = %s", attempt.call_id, kind)
    answer = browse(dev).get(f"{LOG}{attempt.uid}/")
    text = text_of(answer)
    assert "This row is not what was written." in text
    assert answer.context["opened"].verdict == "changed"
    assert [state for row, state in answer.context["opened"].checks if row.kind == kind] == ["changed"]
    assert [state for row, state in answer.context["opened"].checks if row.kind != kind] == ["intact"]


def test_a_row_whose_key_is_gone_is_not_called_intact(browse, dev, project):
    row = act(project)
    LogKey.objects.filter(id=row.log_key).delete()
    log._keys.clear()
    text = text_of(browse(dev).get(f"{LOG}{row.uid}/"))
    assert "Not checked" in text
    assert "so nobody can tell" in text


def test_a_call_id_copied_into_another_project_opens_nothing_of_it(browse, dev, project):
    other = factories.make_project("other")
    foreign = call(other, target="https://secret.other.example/")
    row = act(project)
    tamper("UPDATE portal_logrow SET call_id = %s WHERE id = %s", foreign.call_id, row.id)
    assert "secret.other.example" not in browse(dev).get(f"{LOG}{row.uid}/").content.decode()


def test_opening_a_row_is_in_the_log_too(browse, dev, project):
    row = act(project)
    client = browse(dev)
    client.get(f"{LOG}{row.uid}/")
    client.get(f"{LOG}{row.uid}/")
    read = LogRow.objects.get(event="log.read")
    assert json.loads(read.details) == {"row": str(row.uid)}


def test_a_row_that_is_not_there_is_404(browse, dev, project):
    assert browse(dev).get(f"{LOG}{uuid.uuid4()}/").status_code == 404
