import json

import pytest

from connections.first_look import look_again
from portal.audit.models import LogRow
from tests.connections.test_probes import CARD, KEY, connection_to
from tests.outbound.raw_server import answering, raw_server, reply


@pytest.mark.parametrize("chosen", [True, False], ids=["with the credential", "without"])
def test_reading_a_card_with_the_stored_credential_is_a_use_that_the_log_knows(project, ana, authority, chosen):
    with raw_server(answering(reply(json.dumps(CARD).encode())), tls=authority.server("127.0.0.1")) as server:
        connection = connection_to(project, server.url("/a2a"), send_credentials_for_card=chosen)
        look_again(connection, ana)

    [asked] = server.requests
    rows = LogRow.objects.filter(event="connection.card_read").order_by("id")
    assert (KEY[1].encode() in asked) == chosen
    assert [(row.kind, row.outcome, row.actor_name) for row in rows] == (
        [("attempt", "in_progress", "Ana Ruiz"), ("outcome", "succeeded", "Ana Ruiz")] if chosen else []
    )
