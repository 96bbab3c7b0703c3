"""Microsoft Entra as a source: every proof, both steps, and whom the token is for at the end."""

import time

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from portal.identities import tokens
from portal.identities.models import IdentitySource, Proof
from portal.identities.obtaining import TokenUnavailable
from portal.identities.token_endpoint import Door
from tests.fakes.client_assertions import EXCHANGE, key_pair, registered_thumbprint
from tests.fakes.entra import JWT_BEARER, Federated
from tests.fakes.misbehaviour import changed
from tests.identities.giving import AGENT_ID, AT, HR, SECRET, seal

ACCOUNT = "system:serviceaccount:gatehouse:portal"


def claims_of(microsoft, token) -> dict:
    return jwt.decode(token.value.reveal(), KeySet.import_key_set(microsoft.jwks())).claims


def test_an_agent_identity_gets_its_token_in_two_steps(agent, blueprint, microsoft):
    token = tokens.access_token(agent, HR, AT)

    first, second = microsoft.requests()
    assert first.form == {
        "client_id": blueprint.client_id,
        "grant_type": "client_credentials",
        "scope": f"{EXCHANGE}/.default",
        "fmi_path": AGENT_ID,
        "client_secret": SECRET,
        "client_info": "1",
    }
    assert second.form == {
        "client_id": AGENT_ID,
        "grant_type": "client_credentials",
        "scope": f"{HR}/.default",
        "client_assertion": microsoft.issued[0],
        "client_assertion_type": JWT_BEARER,
        "client_info": "1",
    }
    claims = claims_of(microsoft, token)
    assert (claims["aud"], claims["sub"], claims["azp"], claims["tid"]) == (HR, AGENT_ID, AGENT_ID, microsoft.tenant)
    assert abs(token.expires_at.timestamp() - claims["exp"]) <= 2


def test_the_metadata_is_read_once_for_both_steps(agent, microsoft):
    tokens.access_token(agent, HR, AT)
    assert [each.path for each in microsoft.received if each.method == "GET"] == [
        f"/{microsoft.tenant}/v2.0/.well-known/openid-configuration"
    ]


def test_msal_keeps_nothing_from_one_token_to_the_next(agent, microsoft):
    tokens.access_token(agent, HR, AT)
    tokens.forget([agent])
    tokens.access_token(agent, HR, AT)
    assert len(microsoft.requests(1)) == len(microsoft.requests(2)) == 2


def test_a_certificate_proves_the_blueprint(agent, source, blueprint, microsoft):
    pair = key_pair()
    blueprint.certificates.append(pair.certificate)
    blueprint.secrets.clear()
    seal(source, Proof.CERTIFICATE, pair.pem)

    tokens.access_token(agent, HR, AT)
    [first] = microsoft.requests(1)
    assert "client_secret" not in first.form
    assert registered_thumbprint(first.form["client_assertion"]) == registered_thumbprint(pair.certificate)


def test_the_order_of_key_and_certificate_does_not_matter(agent, source, blueprint):
    pair = key_pair()
    blueprint.certificates.append(pair.certificate)
    seal(source, Proof.CERTIFICATE, pair.pem.replace(pair.key_pem, "") + pair.key_pem)
    tokens.access_token(agent, HR, AT)


def test_a_managed_identity_of_the_host_proves_the_blueprint(agent, source, blueprint, microsoft, host):
    client_id = host.assign()
    blueprint.federated.append(Federated(microsoft.issuer, host.identities[client_id], microsoft.jwks))
    source.host_identity = client_id
    seal(source, Proof.MANAGED_IDENTITY)

    tokens.access_token(agent, HR, AT)
    assert [each.form["client_assertion"] for each in microsoft.requests(1)] == host.issued
    assert not host.own_identity_used


def test_a_federated_token_file_proves_the_blueprint(agent, source, blueprint, microsoft, cluster, mounted):
    blueprint.federated.append(Federated(cluster.issuer, ACCOUNT, cluster.jwks))
    value = cluster.token(ACCOUNT)
    mounted(f"{value}\n")
    seal(source, Proof.TOKEN_FILE)

    tokens.access_token(agent, HR, AT)
    assert [each.form["client_assertion"] for each in microsoft.requests(1)] == [value]


def test_the_project_managed_identity_is_one_that_the_host_has(managed, microsoft, host):
    identity = managed(host.assign())
    token = tokens.access_token(identity, HR, AT)

    claims = claims_of(microsoft, token)
    assert (claims["aud"], claims["azp"]) == (HR, identity.client_id)
    assert claims["sub"] == host.identities[identity.client_id]
    assert token.expires_at.timestamp() - time.time() > 86_000
    assert microsoft.requests() == [] and not host.own_identity_used


def test_the_workload_identity_of_the_cluster_is_the_project_managed_identity(managed, microsoft, cluster, mounted):
    application = microsoft.register(federated=[Federated(cluster.issuer, ACCOUNT, cluster.jwks)])
    value = cluster.token(ACCOUNT)
    mounted(value)

    token = tokens.access_token(managed(application.client_id, Proof.TOKEN_FILE), HR, AT)
    [asked] = microsoft.requests()
    assert asked.form == {
        "client_id": application.client_id,
        "grant_type": "client_credentials",
        "scope": f"{HR}/.default",
        "client_assertion": value,
        "client_assertion_type": JWT_BEARER,
    }
    assert claims_of(microsoft, token)["azp"] == application.client_id


def test_a_new_token_in_the_file_is_read_for_the_next_request(managed, microsoft, cluster, mounted):
    application = microsoft.register(federated=[Federated(cluster.issuer, ACCOUNT, cluster.jwks)])
    identity = managed(application.client_id, Proof.TOKEN_FILE)
    values = [cluster.token(ACCOUNT, seconds=seconds) for seconds in (600, 1200)]
    for value in values:
        mounted(value)
        tokens.access_token(identity, HR, AT)
        tokens.forget([identity])
    assert [each.form["client_assertion"] for each in microsoft.requests()] == values


@pytest.mark.parametrize(
    "addresses",
    [["https://evil.example/a2a"], [*AT, "https://evil.example/a2a"]],
)
def test_nothing_is_asked_for_an_origin_that_is_not_listed(agent, microsoft, addresses):
    with pytest.raises(TokenUnavailable, match="audience_not_listed"):
        tokens.access_token(agent, HR, addresses)
    assert microsoft.received == []


def test_the_secret_goes_to_no_other_token_endpoint_than_the_authority_s(agent, microsoft):
    microsoft.next(changed(token_endpoint="https://evil.example/oauth2/v2.0/token"), at="metadata")
    with pytest.raises(TokenUnavailable, match="entra_answer_unreadable"):
        tokens.access_token(agent, HR, AT)
    assert microsoft.requests() == []


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/x/oauth2/v2.0/token",
        "{0}.evil.example/x/oauth2/v2.0/token",
        "{0}/x/evil",
        "{0}@evil.example/x/oauth2/v2.0/token",
    ],
)
def test_nor_does_any_other_library_send_it_elsewhere(microsoft, url):
    door = Door(microsoft.tenant, time.monotonic() + 5)
    with pytest.raises(TokenUnavailable, match="entra_answer_unreadable"):
        door.post(url.format(microsoft.authority), data={"client_secret": SECRET})
    assert microsoft.received == []


def test_a_proof_that_was_sealed_for_another_tenant_is_not_sent(agent, microsoft):
    IdentitySource.objects.update(tenant="99999999-aaaa-4bbb-8ccc-222222222222")
    with pytest.raises(TokenUnavailable, match="secret_unreadable"):
        tokens.access_token(agent, HR, AT)
    assert microsoft.received == []


@pytest.mark.parametrize("tenant", ["common", "organizations", "adfs", "../evil", "a/b.c", "x.example?y", ""])
def test_only_one_tenant_can_be_named(agent, source, microsoft, tenant):
    source.tenant = tenant
    seal(source, Proof.CLIENT_SECRET, SECRET)
    with pytest.raises(TokenUnavailable, match="entra_tenant_unknown"):
        tokens.access_token(agent, HR, AT)
    assert microsoft.received == []


def test_no_region_of_the_environment_leads_elsewhere(agent, microsoft, monkeypatch):
    monkeypatch.setenv("MSAL_FORCE_REGION", "westeurope")
    tokens.access_token(agent, HR, AT)
    assert len(microsoft.requests()) == 2
