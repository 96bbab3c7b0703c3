import json

import pytest

from connections.first_look import look
from portal.audit.models import LogRow
from portal.identities import audiences
from tests.connections.pages import page
from tests.connections.test_probes import CARD, KEY, connection_to
from tests.outbound.raw_server import answering, raw_server, reply


@pytest.mark.parametrize("chosen", [True, False], ids=["with the credential", "without"])
def test_reading_a_card_with_the_stored_credential_is_a_use_that_the_log_knows(project, ana, authority, chosen):
    with raw_server(answering(reply(json.dumps(CARD).encode())), tls=authority.server("127.0.0.1")) as server:
        connection = connection_to(project, server.url("/a2a"), send_credentials_for_card=chosen)
        look(connection, ana)

    [asked] = server.requests
    rows = LogRow.objects.filter(event="connection.card_read").order_by("id")
    assert (KEY[1].encode() in asked) == chosen
    assert [(row.kind, row.outcome, row.actor_name) for row in rows] == (
        [("attempt", "in_progress", "Ana Ruiz"), ("outcome", "succeeded", "Ana Ruiz")] if chosen else []
    )


@pytest.mark.parametrize(("audience", "sent"), [("api://contoso-hr", True), ("api://other", False), ("", False)])
def test_a_token_that_goes_along_before_anything_is_saved_is_logged_too(
    browse, project, ana, authority, audience, sent
):
    """It is an identity's, not something that the person typed; and the rest of the form may be wrong yet."""
    with raw_server(answering(reply(json.dumps(CARD).encode())), tls=authority.server("127.0.0.1")) as server:
        audiences.enter("api://contoso-hr", [audiences.origin_of(server.url("/"))], "", ana)
        form = {"action": "read-card", "name": "hr-agent", "endpoint": server.url("/a2a"), "card_path": "/card"}
        form |= {"send_credentials_for_card": "on", "auth_method": "microsoft-entra-agent-identity"}
        answer = browse(ana).post(page("connection-new-a2a", project), form | {"settings-audience": audience})

    assert answer.status_code == 200
    assert (b"Bearer ey" in server.requests[0]) == sent
    rows = LogRow.objects.filter(event="connection.card_read", connection_name="hr-agent").order_by("id")
    assert [row.kind for row in rows] == ["attempt", "outcome"] and rows[0].target == server.url("/a2a/card")
