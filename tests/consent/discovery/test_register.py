""" "Register this portal" (RFC 7591): at the saved issuer only, with what it gives sealed to the saved addresses."""

from datetime import UTC, datetime

import pytest
from starlette.responses import JSONResponse

from connections import secrets
from connections.methods import method_of
from connections.models import Connection
from consent import clients
from consent.discovery import registering
from consent.terms import redirect_uri
from portal.audit import changes
from portal.audit.models import LogRow
from tests.connections.pages import text_of
from tests.consent import making
from tests.consent.test_oauth_form import edit
from tests.fakes.misbehaviour import answers, fails
from tests.fakes.well_known import OAUTH

pytestmark = pytest.mark.django_db


@pytest.fixture
def anas(browse, ana):
    return browse(ana)


def unregistered(project, at: str, **settings) -> Connection:
    """Saved after "Find settings", before there is a client."""
    usual = {
        "client_id": "",
        "authorization_url": f"{at}/authorize",
        "token_url": f"{at}/token",
        "issuer": at,
        "scopes": ["profile"],
        "scope_words": {},
    }
    return making.make_connection(project, secret="", name="review-agent", settings=usual | settings)


def press(client, connection: Connection, **changes_):
    sent = {"action": "register-portal", "settings__scope_words": "", **changes_}
    answer = edit(client, connection, **sent)
    connection.refresh_from_db()
    return answer


def told(client, connection: Connection, **changes_) -> str:
    answer = press(client, connection, **changes_)
    assert answer.status_code == 302
    return text_of(client.get(answer.url))


@pytest.fixture
def server(documents):
    """A server whose answer to a registration a test chooses."""
    documents.pages[OAUTH] = documents.metadata(registration_endpoint=f"{documents.origin}/register")
    return documents


def given(server, **members) -> dict:
    answer = {"client_id": "new-client", "client_secret": "canary-registered-7e21", **members}
    server.pages["/register"] = JSONResponse({k: v for k, v in answer.items() if v is not None}, 201)
    return answer


def test_the_portal_registers_at_the_demos_provider_and_is_finished(anas, ana, project, provider):
    octo = provider(path="/octo")
    connection = unregistered(project, octo.at.issuer)
    counted = changes.read()
    shown = told(anas, connection)
    assert "This portal is registered at" in shown and "Its client ID and secret are stored." in shown
    [call] = octo.calls("register")
    asked = call.received.json()
    assert asked["redirect_uris"] == [redirect_uri(connection.id)] and asked["scope"] == "profile"
    assert asked["grant_types"] == ["authorization_code", "refresh_token"] and asked["response_types"] == ["code"]
    assert connection.settings["client_id"].startswith("octo_client_") and clients.is_complete(connection)
    assert changes.read() == counted + 1
    row = LogRow.objects.get(event="connection.registered")
    assert (row.actor_name, row.connection_id, row.outcome) == ("Ana Ruiz", connection.id, "succeeded")


def test_the_secret_is_sealed_to_the_saved_addresses_and_shown_nowhere(anas, project, server):
    given(server)
    connection = unregistered(project, server.origin)
    shown = told(anas, connection)
    addresses = method_of(connection).addresses(connection, "client_secret")
    [(_, secret)] = secrets.opened(connection, "client_secret", addresses)
    assert secret.reveal() == "canary-registered-7e21" and f"{server.origin}/token" in addresses
    assert "canary-registered" not in shown
    assert not [row for row in LogRow.objects.all() if "canary-registered" in f"{row.details}{row.reason}"]
    assert connection.settings["client_auth"] == "post"  # what the server's metadata accepts


def test_a_date_of_expiry_is_kept_and_a_management_token_is_not(anas, project, server):
    until = int(datetime(2030, 5, 6, 12, tzinfo=UTC).timestamp())
    given(server, client_secret_expires_at=until, registration_access_token="canary-rat", registration_client_uri="x")
    connection = unregistered(project, server.origin)
    shown = told(anas, connection)
    assert "the portal does not keep it" in shown and "canary-rat" not in shown
    assert str(connection.secrets.get().expires_on) == "2030-05-06"


def test_a_public_client_is_registered_without_a_secret(anas, project, server):
    given(server, client_secret=None, token_endpoint_auth_method="none")
    connection = unregistered(project, server.origin)
    assert "it needs no secret" in told(anas, connection)
    assert connection.settings["client_auth"] == "none" and not connection.secrets.exists()
    assert clients.is_complete(connection)


@pytest.mark.parametrize(
    ("members", "sentence"),
    [
        ({"client_id": None}, "no usable client ID"),
        ({"client_id": ["a"]}, "no usable client ID"),
        ({"client_id": "a\nb"}, "no usable client ID"),
        ({"client_id": "x" * 600}, "no usable client ID"),
        ({"client_secret": None}, "no usable client secret"),
        ({"client_secret": "ü"}, "no usable client secret"),
        ({"redirect_uris": ["https://evil.example/cb"]}, "registered another redirect URL"),
        ({"redirect_uris": 7}, "registered another redirect URL"),
        ({"token_endpoint_auth_method": "private_key_jwt"}, "no client authentication that this portal has"),
        ({"token_endpoint_auth_method": ["none"]}, "no client authentication that this portal has"),
    ],
    ids=str,
)
def test_an_answer_that_does_not_hold_is_refused_and_nothing_is_saved(anas, project, server, members, sentence):
    given(server, **members)
    connection = unregistered(project, server.origin)
    assert sentence in told(anas, connection)
    assert connection.settings["client_id"] == "" and not connection.secrets.exists()
    assert LogRow.objects.get(event="connection.registered").outcome == "failed"


@pytest.mark.parametrize("status", [302, 400, 401, 403, 429, 500])
def test_a_refusal_is_told_in_our_own_words(anas, project, server, status):
    server.pages["/register"] = JSONResponse({"error_description": "<b>their words</b>"}, status)
    connection = unregistered(project, server.origin)
    shown = told(anas, connection)
    assert "their words" not in shown and connection.settings["client_id"] == ""
    assert f"refused the registration: {status}." in shown or "Redirects are not followed" in shown


def test_a_provider_that_fails_in_between_changes_nothing(anas, project, provider):
    octo = provider()
    octo.next(fails(502), answers({"client_id": 1}, 201), at="register")
    connection = unregistered(project, octo.at.issuer)
    assert "refused the registration: 502." in told(anas, connection)
    assert "no usable client ID" in told(anas, connection)
    assert "Its client ID and secret are stored." in told(anas, connection)


def test_a_server_whose_addresses_are_not_the_saved_ones_gets_no_registration(anas, project, server):
    """The secret would be sealed to addresses of somebody else (T16)."""
    given(server)
    connection = unregistered(project, server.origin, token_url=f"{making.NOWHERE}/token")
    assert "now names other addresses than the saved ones" in told(anas, connection)
    assert "/register" not in server.paths()


def test_a_registration_address_at_an_unseen_host_is_not_used(anas, project, server, other_documents):
    server.pages[OAUTH]["registration_endpoint"] = f"{other_documents.origin}/register"
    connection = unregistered(project, server.origin)
    assert "at a host that none of the saved addresses names" in told(anas, connection)
    assert not other_documents.received


def test_another_issuer_in_the_metadata_is_refused(anas, project, server):
    server.pages[OAUTH]["issuer"] = "https://bank.example"
    connection = unregistered(project, server.origin)
    shown = told(anas, connection)
    assert "metadata can't be read" in shown and "/register" not in server.paths()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"issuer": ""}, registering.NO_ISSUER),
        ({"client_id": "there-is-one"}, registering.HAS_CLIENT),
    ],
    ids=["no issuer", "a client"],
)
def test_without_an_issuer_or_with_a_client_nobody_is_asked(anas, project, server, settings, sentence):
    connection = unregistered(project, server.origin, **settings)
    assert sentence in told(anas, connection) and not server.received


def test_a_server_without_registration_is_told(anas, project, server):
    del server.pages[OAUTH]["registration_endpoint"]
    assert registering.NOT_OFFERED in told(anas, unregistered(project, server.origin))


def test_what_was_typed_and_not_saved_stops_it(anas, project, server):
    """Else the button would register for addresses that the page no longer shows."""
    given(server)
    connection = unregistered(project, server.origin)
    answer = press(anas, connection, settings__token_url=f"{making.NOWHERE}/token")
    assert answer.status_code == 422 and "not saved yet" in text_of(answer) and not server.received


def test_presses_are_limited(anas, project, server):
    server.pages["/register"] = 400
    connection = unregistered(project, server.origin)
    for _ in range(6):
        press(anas, connection)
    asked = len(server.received)
    assert "You have asked often" in told(anas, connection) and len(server.received) == asked


def test_a_person_without_the_right_can_not_register(browse, ben, project, server):
    connection = unregistered(project, server.origin)
    assert press(browse(ben), connection).status_code == 403 and not server.received
