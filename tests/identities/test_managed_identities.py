"""The host's managed identities: by client id or not at all, and within the deadline whatever the endpoint does."""

import asyncio
import time
import uuid

import pytest
from azure.identity import ManagedIdentityCredential

from portal.identities import azure, entra, tokens
from portal.identities.models import Identity, Proof
from portal.identities.obtaining import TokenUnavailable
from tests.fakes.managed_identity import APP_SERVICE, IMDS
from tests.fakes.misbehaviour import answers, changed, drop, fails, literal, raw, slow, too_many, without
from tests.fakes.server import listening_socket, serve_raw, url_of
from tests.identities.giving import AT, HR, seal


def refusal_of(identity) -> TokenUnavailable:
    with pytest.raises(TokenUnavailable) as refused:
        tokens.access_token(identity, HR, AT)
    return refused.value


ODD_IDS = [
    " ",
    "system",
    "/subscriptions/0/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/portal",
    "11111111-aaaa-4bbb-8ccc-22222222222",
    "{11111111-aaaa-4bbb-8ccc-222222222222}",
    "11111111-aaaa-4bbb-8ccc-222222222222\n",
    "11111111-aaaa-4bbb-8ccc-222222222222&resource=x",
]


@pytest.mark.parametrize("client_id", ODD_IDS)
def test_only_a_client_id_reaches_the_host(managed, host, client_id):
    assert refusal_of(managed(client_id)).code == "host_identity_missing"
    assert host.received == []


@pytest.mark.parametrize("client_id", ["", *ODD_IDS])
def test_only_a_client_id_proves_a_blueprint(agent, source, host, client_id):
    source.host_identity = client_id
    seal(source, Proof.MANAGED_IDENTITY)
    assert refusal_of(agent).code == "host_identity_missing"
    assert host.received == []


@pytest.mark.parametrize("proof", ["", Proof.CLIENT_SECRET, Proof.CERTIFICATE])
def test_nothing_speaks_for_the_project_unless_the_owner_has_said_how(managed, host, proof):
    assert refusal_of(managed(host.assign(), proof)).code == "host_identity_missing"
    assert host.received == []


@pytest.mark.parametrize(
    "environment",
    [
        {"IDENTITY_ENDPOINT": "https://localhost:9/", "IDENTITY_HEADER": "x", "IDENTITY_SERVER_THUMBPRINT": "ab"},
        {"IDENTITY_ENDPOINT": "http://localhost:9/", "IDENTITY_HEADER": "x", "IDENTITY_SERVER_THUMBPRINT": ""},
        {"IDENTITY_ENDPOINT": "http://localhost:9/", "IMDS_ENDPOINT": "http://localhost:9/"},
        {"IDENTITY_ENDPOINT": "http://localhost:9/"},
        {"MSI_ENDPOINT": "http://localhost:9/", "MSI_SECRET": "x"},
        {"MSI_ENDPOINT": "http://localhost:9/"},
    ],
    ids=["service fabric", "empty thumbprint", "arc", "half an app service", "azure ml", "cloud shell"],
)
def test_hosts_that_know_only_their_own_identity_are_refused(managed, monkeypatch, microsoft, environment):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert refusal_of(managed(str(uuid.uuid4()))).code == "managed_identity_unsupported"


def test_the_variables_of_a_workload_identity_lead_nowhere_else(managed, host, monkeypatch, mounted, microsoft):
    mounted("canary.of.workload")
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", microsoft.authority)
    for name in ("AZURE_TENANT_ID", "AZURE_CLIENT_ID"):
        monkeypatch.setenv(name, str(uuid.uuid4()))
    tokens.access_token(managed(host.assign()), HR, AT)
    assert len(host.received) == 1 and microsoft.requests() == []


def test_no_proxy_of_the_environment_sees_the_header(managed, host, monkeypatch):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    tokens.access_token(managed(host.assign()), HR, AT)


def test_an_identity_that_the_host_does_not_have(managed, host):
    assert refusal_of(managed(str(uuid.uuid4()))).code == "managed_identity_not_found"


def test_an_audience_that_entra_does_not_know(managed, host, microsoft):
    microsoft.audiences.remove(HR)
    code = refusal_of(managed(host.assign())).code
    # App Service says no more than that it was a bad request.
    assert code == ("entra_audience_unknown" if host.kind == IMDS else "managed_identity_not_found")


def test_a_wrong_identity_header(managed, host):
    host.header = "another"
    if host.kind == APP_SERVICE:
        assert refusal_of(managed(host.assign())).code == "managed_identity_refused"


@pytest.mark.parametrize("status", [404, 410, 429, 500, 503])
def test_what_passes_by_itself_is_tried_again(managed, host, status):
    host.next(fails(status))
    tokens.access_token(managed(host.assign()), HR, AT)
    assert len(host.received) == 2


@pytest.mark.parametrize(
    ("misbehaviour", "code", "attempts"),
    [
        (fails(410), "managed_identity_busy", 3),
        (fails(500), "managed_identity_busy", 3),
        (fails(404), "no_managed_identity", 3),
        (fails(403), "managed_identity_refused", 1),
        (answers({"error": "unreachable"}, 403), "managed_identity_refused", 1),
        (fails(302), "managed_identity_unreadable", 1),
        (fails(200), "managed_identity_unreadable", 1),
        (drop(), "no_managed_identity", 1),
        (raw(b"[]"), "managed_identity_unreadable", 1),
        (raw(b'{"access_token": "' + b"x" * 70_000 + b'"}'), "managed_identity_unreadable", 1),
        (without("access_token"), "managed_identity_unreadable", 1),
        (changed(access_token="two\r\nlines"), "managed_identity_unreadable", 1),
    ],
)
def test_each_failure_has_its_code(managed, host, misbehaviour, code, attempts):
    host.always(misbehaviour)
    assert refusal_of(managed(host.assign())).code == code
    assert len(host.received) == attempts


@pytest.mark.parametrize("written", ["-5", '"soon"', '"-5"', "null", '"0"', "99999999999999", "[]", "1e309"])
def test_an_end_that_is_none(managed, host, written):
    host.next(literal("expires_in" if host.kind == IMDS else "expires_on", written))
    assert refusal_of(managed(host.assign())).code == "managed_identity_unreadable"


def test_retry_after_is_honoured(managed, host):
    host.next(too_many("1"))
    started = time.monotonic()
    tokens.access_token(managed(host.assign()), HR, AT)
    assert time.monotonic() - started >= 1

    tokens.forget(Identity.objects.all())
    host.next(too_many("600"))
    refused = refusal_of(managed(host.assign()))
    assert (refused.code, refused.again_after) == ("managed_identity_busy", 600)
    assert len(host.received) == 3


@pytest.fixture
def short(monkeypatch) -> float:
    monkeypatch.setattr(entra, "DEADLINE", 1.0)
    return time.monotonic()


def test_an_endpoint_that_hangs_does_not_outlive_the_deadline(managed, host, short):
    host.always(slow(20))
    assert refusal_of(managed(host.assign())).code == "managed_identity_busy"
    assert time.monotonic() - short < 2


def test_attempts_and_pauses_do_not_outlive_the_deadline(managed, host, monkeypatch):
    monkeypatch.setattr(entra, "DEADLINE", 3.0)
    host.always(fails(410))
    started = time.monotonic()
    assert refusal_of(managed(host.assign())).code == "managed_identity_busy"
    assert time.monotonic() - started < 3


def test_an_endpoint_that_takes_the_connection_and_says_nothing(managed, monkeypatch, microsoft, short):
    with listening_socket() as deaf:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", url_of(deaf))
        assert refusal_of(managed(str(uuid.uuid4()))).code == "managed_identity_busy"
    assert time.monotonic() - short < 2


@pytest.mark.parametrize("beginning", [b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n"])
def test_an_endpoint_that_gives_a_byte_now_and_then(managed, monkeypatch, microsoft, short, beginning):
    async def drip(reader, writer) -> None:
        writer.write(beginning)
        while True:
            writer.write(b"2")
            await writer.drain()
            await asyncio.sleep(0.1)

    with serve_raw(drip) as slow_one:
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", slow_one.url)
        assert refusal_of(managed(str(uuid.uuid4()))).code == "managed_identity_busy"
        assert time.monotonic() - short < 2


def test_a_machine_without_a_managed_identity(managed, monkeypatch, microsoft, short):
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
    assert refusal_of(managed(str(uuid.uuid4()))).code == "no_managed_identity"


def test_the_blueprints_proof_and_both_steps_share_one_deadline(agent, source, host, microsoft, short):
    source.host_identity = host.assign()
    seal(source, Proof.MANAGED_IDENTITY)
    host.always(slow(0.7))
    microsoft.always(slow(0.7))
    with pytest.raises(TokenUnavailable):
        tokens.access_token(agent, HR, AT)
    assert time.monotonic() - short < 2


def test_a_request_that_names_no_client_id_does_not_leave(host):
    """Whatever azure-identity would make of the host, now or in a later version."""
    way = azure._ToTheHost(host.assign(), time.monotonic() + 5)
    credential = ManagedIdentityCredential(transport=way, retry_total=0)
    with pytest.raises(Exception), credential:  # noqa: B017, PT011 -- azure-identity's own, of several kinds
        credential.get_token(f"{HR}/.default")
    assert way.refusal.code == "managed_identity_unsupported"
    assert host.received == [] and not host.own_identity_used
