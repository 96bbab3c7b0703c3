"""No proof, no token and no word of Entra leaves: not in a line, an error, a traceback or a table."""

import logging
import traceback

import pytest
from django.apps import apps
from django.core import serializers

from portal.identities import entra, tokens
from portal.identities.models import Proof
from portal.identities.obtaining import TokenUnavailable
from tests.fakes.client_assertions import key_pair
from tests.fakes.entra import TOLD_IN_ERRORS, Federated, says
from tests.fakes.misbehaviour import answers, drop, fails, raw, without
from tests.identities.giving import AT, HR, SECRET, seal

ACCOUNT = "system:serviceaccount:gatehouse:portal"
LIBRARIES = ["", "msal", "azure", "azure.identity", "azure.core", "urllib3", "requests", "portal"]


@pytest.fixture
def talkative(caplog):
    """Every library writes all that it ever would, whatever the settings hold it at."""
    for name in LIBRARIES:
        caplog.set_level(logging.DEBUG, logger=name)
    return caplog


def said(talkative, capfd) -> str:
    """All lines, with what their formatter would add, and whatever was printed."""
    written = [logging.Formatter("%(name)s %(message)s").format(record) for record in talkative.records]
    parameters = [repr(record.args) for record in talkative.records]
    return "\n".join([*written, *parameters, *capfd.readouterr()])


def stored() -> str:
    rows = (each for model in apps.get_models() for each in model._default_manager.all())
    return serializers.serialize("json", rows)


def test_the_canaries_would_be_seen(talkative, capfd):
    logging.getLogger("azure.identity.x").debug("token %s", "canary")
    print("printed")
    assert "canary" in (found := said(talkative, capfd)) and "printed" in found


@pytest.mark.parametrize("proof", list(Proof))
def test_a_token_leaves_no_trace_but_its_sealed_row(
    proof, agent, source, blueprint, microsoft, cluster, mounted, host, talkative, capfd
):
    pair, value = key_pair(), cluster.token(ACCOUNT)
    blueprint.certificates.append(pair.certificate)
    blueprint.federated.append(Federated(cluster.issuer, ACCOUNT, cluster.jwks))
    source.host_identity = host.assign()
    blueprint.federated.append(Federated(microsoft.issuer, host.identities[source.host_identity], microsoft.jwks))
    mounted(value)
    seal(source, proof, {Proof.CLIENT_SECRET: SECRET, Proof.CERTIFICATE: pair.pem}.get(proof, ""))

    tokens.access_token(agent, HR, AT)
    canaries = [SECRET, value, *parts(pair.key_pem), *microsoft.issued, host.header, *assertions(microsoft)]
    assert len(microsoft.issued) >= 2
    hold_none(canaries, said(talkative, capfd), stored())


@pytest.mark.parametrize("proof", [Proof.MANAGED_IDENTITY, Proof.TOKEN_FILE])
def test_nor_does_one_of_the_project(proof, managed, microsoft, cluster, mounted, host, talkative, capfd):
    application = microsoft.register(
        client_id=host.assign(), federated=[Federated(cluster.issuer, ACCOUNT, cluster.jwks)]
    )
    mounted(value := cluster.token(ACCOUNT))
    tokens.access_token(managed(application.client_id, proof), HR, AT)
    hold_none([value, host.header, *microsoft.issued], said(talkative, capfd), stored())


FAULTS = [
    says(7000222, "invalid_client", 401),
    says(123456789),
    answers({"error": "invalid_client", "error_description": TOLD_IN_ERRORS, "error_codes": [7000215]}, 401),
    answers({"error": TOLD_IN_ERRORS}, 200),
    answers([TOLD_IN_ERRORS], 200),
    answers({"access_token": {"canary": TOLD_IN_ERRORS}, "expires_in": TOLD_IN_ERRORS}, 200),
    raw(TOLD_IN_ERRORS.encode(), content_type="text/html"),
    raw(TOLD_IN_ERRORS.encode(), content_type="text/html", status=400),
    raw(f'{{"error": "{TOLD_IN_ERRORS}'.encode(), status=500),
    without("access_token"),
    fails(503),
    drop(),
]


every_fault = pytest.mark.parametrize("fault", FAULTS, ids=range(len(FAULTS)))


@every_fault
@pytest.mark.parametrize("step", ["step 1", "step 2"])
def test_a_failure_says_its_code_and_nothing_else(step, fault, agent, microsoft, talkative, capfd):
    microsoft.always(fault, at=step)
    told = refusal_of(agent)
    hold_none([TOLD_IN_ERRORS, SECRET, *microsoft.issued], told, said(talkative, capfd), stored())


@every_fault
def test_nor_does_one_of_the_workload_identity(fault, managed, microsoft, cluster, mounted, talkative, capfd):
    application = microsoft.register(federated=[Federated(cluster.issuer, ACCOUNT, cluster.jwks)])
    mounted(value := cluster.token(ACCOUNT))
    microsoft.always(fault)
    told = refusal_of(managed(application.client_id, Proof.TOKEN_FILE))
    hold_none([TOLD_IN_ERRORS, value, *microsoft.issued], told, said(talkative, capfd), stored())


@every_fault
def test_nor_does_one_of_the_host(fault, managed, microsoft, host, talkative, capfd, monkeypatch):
    monkeypatch.setattr(entra, "DEADLINE", 2.4)
    host.always(fault)
    told = refusal_of(managed(host.assign()))
    hold_none([TOLD_IN_ERRORS, host.header, *microsoft.issued], told, said(talkative, capfd), stored())


def refusal_of(identity) -> str:
    """What would be printed of the refusal: a code, and no frame or error of a library."""
    with pytest.raises(TokenUnavailable) as refused:
        tokens.access_token(identity, HR, AT)
    error = refused.value
    assert str(error) == error.code
    assert chain_of(error) == [error]
    files = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    assert not [name for name in files if "/site-packages/msal/" in name or "/site-packages/azure/" in name]
    return "".join(traceback.format_exception(error))


def test_a_certificate_that_can_t_be_used_leaves_no_trace(agent, source, talkative, capfd):
    pair = key_pair()
    seal(source, Proof.CERTIFICATE, pair.key_pem + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(TokenUnavailable) as refused:
        tokens.access_token(agent, HR, AT)
    assert chain_of(refused.value) == [refused.value]
    hold_none(parts(pair.key_pem), str(refused.value), said(talkative, capfd), stored())


def test_the_settings_keep_both_libraries_silent(settings):
    for name in ("msal", "azure"):
        assert settings.LOGGING["loggers"][name]["level"] == "CRITICAL"


def parts(pem: str) -> list[str]:
    """Lines of a key, but its first and last."""
    return pem.strip().splitlines()[2:-2]


def assertions(microsoft) -> list[str]:
    return [each.form["client_assertion"] for each in microsoft.requests() if "client_assertion" in each.form]


def chain_of(error: BaseException | None) -> list[BaseException]:
    """With everything that would be printed above it."""
    chain = []
    while error is not None:
        chain.append(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return chain


def hold_none(canaries: list[str], *texts: str) -> None:
    for canary in canaries:
        assert canary
        # A token's signature alone would be of use to nobody, its claims are.
        for text in texts:
            assert canary not in text
            assert canary.count(".") != 2 or canary.split(".")[1] not in text
