"""What Entra can say or do wrong, and the code under which it arrives: strict, in time, and never in Entra's words."""

import time
import uuid

import pytest
from django.utils import timezone

from portal.identities import entra, failures, tokens
from portal.identities.models import IdentityToken, Proof
from portal.identities.obtaining import TokenUnavailable
from tests.fakes.client_assertions import key_pair
from tests.fakes.entra import Federated, says
from tests.fakes.misbehaviour import answers, changed, drop, edited, fails, literal, raw, slow, too_many, without
from tests.identities.giving import AT, HR, SECRET, seal

ACCOUNT = "system:serviceaccount:gatehouse:portal"


def refusal_of(identity) -> TokenUnavailable:
    with pytest.raises(TokenUnavailable) as refused:
        tokens.access_token(identity, HR, AT)
    assert IdentityToken.objects.get().failure == refused.value.code
    return refused.value


def test_each_number_of_the_catalogue_arrives_as_its_own_code(agent, microsoft):
    for number, code in failures.AADSTS.items():
        microsoft.next(says(number), at="step 1")
        with pytest.raises(TokenUnavailable) as refused:
            entra.obtain(agent, HR)
        assert refused.value.code == code, number


@pytest.mark.parametrize("step", ["step 1", "step 2", "metadata"])
def test_a_refusal_at_any_step_arrives(agent, microsoft, step):
    microsoft.next(says(53003, "access_denied"), at=step)
    assert refusal_of(agent).code == "entra_policy_blocked"


def test_a_number_that_nobody_knows_is_a_refusal(agent, microsoft):
    microsoft.next(says(123456789))
    assert refusal_of(agent).code == "entra_refused"


@pytest.mark.parametrize(
    "codes", [[], ["7000215"], [True], None, {"a": 1}, [None, 7000215.0], "7000215", [10**30]], ids=repr
)
def test_error_codes_of_another_kind_are_no_numbers(agent, microsoft, codes):
    microsoft.next(answers({"error": "invalid_client", "error_codes": codes}, 401))
    assert refusal_of(agent).code == "entra_refused"


def test_the_number_in_the_first_word_counts_where_there_is_no_list(agent, microsoft):
    microsoft.next(answers({"error": "invalid_client", "error_description": "AADSTS7000222: expired"}, 401))
    assert refusal_of(agent).code == "entra_secret_expired"


def test_a_wrong_secret(agent, blueprint):
    blueprint.secrets = {"another": False}
    assert refusal_of(agent).code == "entra_secret_invalid"


def test_an_expired_secret(agent, blueprint):
    blueprint.secrets = {SECRET: True}
    assert refusal_of(agent).code == "entra_secret_expired"


def test_a_certificate_that_the_blueprint_does_not_have(agent, source, blueprint):
    blueprint.certificates.append(key_pair().certificate)
    seal(source, Proof.CERTIFICATE, key_pair().pem)
    assert refusal_of(agent).code == "entra_certificate_refused"


@pytest.mark.parametrize("value", ["", "no PEM", "key", "certificate", "mixed", "encrypted"])
def test_a_certificate_that_can_t_be_used_is_said_before_anything_is_asked(agent, source, microsoft, value):
    pair, other = key_pair(), key_pair()
    alone = pair.pem.replace(pair.key_pem, "")
    encrypted = pair.key_pem.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY")
    values = {"key": pair.key_pem, "certificate": alone, "mixed": other.key_pem + alone, "encrypted": encrypted + alone}
    source.proof_value = ""
    seal(source, Proof.CERTIFICATE, values.get(value, value))
    assert refusal_of(agent).code == ("blueprint_certificate_unusable" if value else "blueprint_proof_missing")
    assert microsoft.requests() == []


def test_a_certificate_that_has_expired_is_said_before_anything_is_asked(agent, source, microsoft):
    seal(source, Proof.CERTIFICATE, key_pair(days=-1).pem)
    assert refusal_of(agent).code == "blueprint_certificate_expired"
    assert microsoft.requests() == []


def test_a_blueprint_that_the_tenant_does_not_have(agent, source):
    source.blueprint = str(uuid.uuid4())
    seal(source, Proof.CLIENT_SECRET, SECRET)
    assert refusal_of(agent).code == "entra_application_unknown"


def test_an_agent_identity_of_another_blueprint(agent, blueprint):
    blueprint.agents = {str(uuid.uuid4())}
    assert refusal_of(agent).code == "entra_application_unknown"


def test_a_tenant_that_there_is_not(agent, source):
    source.tenant = str(uuid.uuid4())
    seal(source, Proof.CLIENT_SECRET, SECRET)
    assert refusal_of(agent).code == "entra_tenant_unknown"


def test_an_audience_that_the_tenant_does_not_know(agent, microsoft):
    microsoft.audiences.remove(HR)
    assert refusal_of(agent).code == "entra_audience_unknown"


@pytest.mark.parametrize(
    ("registered", "presented", "code"),
    [
        ({"issuer": "https://another.example/"}, {}, "entra_tenant_wrong"),
        ({"subject": "system:serviceaccount:other:portal"}, {}, "entra_federation_mismatch"),
        ({}, {"audience": "api://another"}, "entra_federation_mismatch"),
        ({}, {"seconds": -5}, "entra_assertion_expired"),
    ],
    ids=["issuer", "subject", "audience", "time"],
)
def test_a_federated_token_that_does_not_fit(agent, source, blueprint, cluster, mounted, registered, presented, code):
    fitting = {"issuer": cluster.issuer, "subject": ACCOUNT, "keys": cluster.jwks}
    blueprint.federated.append(Federated(**fitting | registered))
    mounted(cluster.token(ACCOUNT, **presented))
    seal(source, Proof.TOKEN_FILE)
    assert refusal_of(agent).code == code


def test_the_same_failures_reach_the_workload_identity(managed, microsoft, cluster, mounted):
    mounted(cluster.token(ACCOUNT))
    identity = managed(str(uuid.uuid4()), Proof.TOKEN_FILE)
    for misbehaviour, code in [
        (says(700213), "entra_federation_mismatch"),
        (fails(503), "entra_busy"),
        (fails(200), "entra_answer_unreadable"),
        (drop(), "entra_unreachable"),
    ]:
        microsoft.next(misbehaviour)
        with pytest.raises(TokenUnavailable, match=code):
            entra.obtain(identity, HR)


@pytest.mark.parametrize("content", ["", " \n", "two words", "a\x00b", None, "x" * 20_000])
def test_no_usable_token_file(agent, source, microsoft, mounted, monkeypatch, tmp_path, content):
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(tmp_path))
    if content is not None:
        mounted(content)
    seal(source, Proof.TOKEN_FILE)
    assert refusal_of(agent).code == "no_token_file"
    assert microsoft.requests() == []


NO_TOKEN = [
    fails(200),
    fails(400),
    raw(b"[1]"),
    raw(b'{"access_token": "cut'),
    raw(b"\xff\xfe"),
    raw(b"[" * 60_000),
    raw(b'{"access_token": "' + b"x" * 70_000 + b'"}'),
    raw(b"", status=302),
    without("access_token"),
    without("token_type"),
    without("expires_in"),
    changed(access_token=5),
    changed(access_token=""),
    changed(access_token="two\r\nlines"),
    changed(token_type="pop"),
    changed(token_type=None),
    edited(lambda token: {**token, "error": "odd"}),
]
NO_LIFETIME = ["-5", '"-5"', "0", '"soon"', "1e309", "NaN", "1000000000000", "true", "null", "3599.5", "[]", '"١٢"']


@pytest.mark.parametrize("misbehaviour", NO_TOKEN, ids=range(len(NO_TOKEN)))
@pytest.mark.parametrize("step", ["step 1", "step 2"])
def test_an_answer_that_is_none(agent, microsoft, misbehaviour, step):
    microsoft.next(misbehaviour, at=step)
    assert refusal_of(agent).code in ("entra_answer_unreadable", "entra_refused")


@pytest.mark.parametrize("written", NO_LIFETIME)
def test_a_lifetime_that_is_none(agent, microsoft, written):
    microsoft.next(literal("expires_in", written), at="step 2")
    assert refusal_of(agent).code == "entra_answer_unreadable"


def test_a_lifetime_in_digits_is_one(agent, microsoft):
    microsoft.next(changed(expires_in="600"), at="step 2")
    left = tokens.access_token(agent, HR, AT).expires_at - timezone.now()
    assert 590 < left.total_seconds() <= 600


@pytest.mark.parametrize("members", [{"token_endpoint": 5}, {"authorization_endpoint": None}, {"token_endpoint": "x"}])
def test_metadata_that_names_no_endpoints(agent, microsoft, members):
    microsoft.next(changed(**members), at="metadata")
    assert refusal_of(agent).code == "entra_answer_unreadable"


@pytest.mark.parametrize(
    ("misbehaviour", "code", "seconds"),
    [
        (too_many("7"), "entra_busy", 7),
        (too_many("99999"), "entra_busy", 3600),
        (too_many("0"), "entra_busy", 1),
        (too_many("soon"), "entra_busy", 30),
        (too_many("-7"), "entra_busy", 30),
        (too_many("Tue, 24 Nov 2020 15:00:00 GMT"), "entra_busy", 1),
        (too_many(""), "entra_busy", 30),
        (fails(503, retry_after="12"), "entra_busy", 12),
        (fails(500), "entra_busy", 30),
        (fails(502), "entra_busy", 30),
        (answers({"error": "temporarily_unavailable"}, 400), "entra_busy", 30),
        (says(90033, "temporarily_unavailable", 503), "entra_busy", 30),
        (says(50196, "invalid_request"), "entra_busy", 300),
        (says(7000222, "invalid_client", 401), "entra_secret_expired", 30),
        (drop(), "entra_unreachable", 5),
        (drop(after_rotating=False), "entra_unreachable", 5),
    ],
)
def test_when_it_is_asked_again(agent, microsoft, misbehaviour, code, seconds):
    microsoft.next(misbehaviour)
    refused = refusal_of(agent)
    assert (refused.code, refused.again_after) == (code, seconds)
    left = IdentityToken.objects.get().retry_at - timezone.now()
    assert seconds - 5 < left.total_seconds() <= seconds

    asked = len(microsoft.received)
    with pytest.raises(TokenUnavailable, match=code):
        tokens.access_token(agent, HR, AT)
    assert len(microsoft.received) == asked


def test_nobody_at_the_address(agent, settings):
    settings.ENTRA_AUTHORITY = "https://localhost:9"
    refused = refusal_of_moved(agent)
    assert refused.code == "entra_unreachable"


def test_a_server_that_is_not_trusted(agent, settings):
    settings.OUTBOUND_CA_FILE = None
    assert refusal_of_moved(agent).code == "entra_unreachable"


def refusal_of_moved(agent) -> TokenUnavailable:
    """The proof is sealed to the endpoint, so another authority needs it to be entered again."""
    seal(agent.project.identity_source, Proof.CLIENT_SECRET, SECRET)
    return refusal_of(agent)


@pytest.mark.parametrize("step", ["metadata", "step 1", "step 2"])
def test_one_deadline_is_over_everything(agent, microsoft, monkeypatch, step):
    monkeypatch.setattr(entra, "DEADLINE", 0.8)
    microsoft.next(slow(20), at=step)
    started = time.monotonic()
    assert refusal_of(agent).code == "entra_unreachable"
    assert time.monotonic() - started < 2


def test_slow_steps_share_the_deadline(agent, microsoft, monkeypatch):
    monkeypatch.setattr(entra, "DEADLINE", 1.0)
    microsoft.always(slow(0.7))
    started = time.monotonic()
    assert refusal_of(agent).code == "entra_unreachable"
    assert time.monotonic() - started < 2


def test_the_workload_identity_has_the_same_deadline(managed, microsoft, cluster, mounted, monkeypatch):
    monkeypatch.setattr(entra, "DEADLINE", 0.8)
    mounted(cluster.token(ACCOUNT))
    microsoft.next(slow(20))
    started = time.monotonic()
    assert refusal_of(managed(str(uuid.uuid4()), Proof.TOKEN_FILE)).code == "entra_unreachable"
    assert time.monotonic() - started < 2


def test_the_lease_outlasts_the_deadline_by_far():
    assert tokens.LEASE.total_seconds() >= entra.DEADLINE + 5


def test_what_was_asked_for_is_kept_while_entra_is_down(agent, microsoft):
    first = tokens.access_token(agent, HR, AT)
    IdentityToken.objects.update(obtained_at=timezone.now() - timezone.timedelta(seconds=3500))
    IdentityToken.objects.update(expires_at=timezone.now() + timezone.timedelta(seconds=60))
    microsoft.always(fails(503))
    assert tokens.access_token(agent, HR, AT).value.reveal() == first.value.reveal()
