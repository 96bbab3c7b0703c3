"""The fake Entra is as strict as the real one: each wrong parameter has its number."""

import ssl
import time

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.fakes.client_assertions import EXCHANGE, Cluster, key_pair, registered_thumbprint
from tests.fakes.entra import JWT_BEARER, Federated, fake_entra
from tests.fakes.managed_identity import APP_SERVICE, IMDS, IMDS_PATH, fake_host
from tests.outbound.authority import Authority

AGENT, OTHER, HR = "agent-1", "agent-2", "api://contoso-hr"
SECRET, OLD = "right", "expired"


@pytest.fixture
def entra(tmp_path):
    authority = Authority(tmp_path)
    with fake_entra(authority) as running:
        running.trust = ssl.create_default_context(cafile=authority.file)
        running.audiences.add(HR)
        yield running


@pytest.fixture
def blueprint(entra):
    return entra.register(client_id="blueprint", secrets={SECRET: False, OLD: True}, agents={AGENT, OTHER})


def ask(entra, **form) -> dict:
    kept = {name: value for name, value in form.items() if value is not None}
    answer = httpx.post(entra.token_endpoint, data=kept, verify=entra.trust)
    content = answer.json()
    return content if answer.status_code == 200 else {"number": content["error_codes"][0]}


def first_form(**changes) -> dict:
    form = {"grant_type": "client_credentials", "client_id": "blueprint", "client_secret": SECRET}
    return form | {"scope": f"{EXCHANGE}/.default", "fmi_path": AGENT} | changes


def second_form(parent: str, **changes) -> dict:
    form = {"grant_type": "client_credentials", "client_id": AGENT, "client_assertion": parent}
    return form | {"client_assertion_type": JWT_BEARER, "scope": f"{HR}/.default"} | changes


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"}, 70003),
        ({"client_id": "nobody"}, 700016),
        ({"scope": EXCHANGE}, 1002012),
        ({"scope": f"{EXCHANGE}/.default {HR}/.default"}, 1002012),
        ({"scope": None}, 1002012),
        ({"scope": f"{HR}/.default"}, 9002313),
        ({"fmi_path": None}, 700016),
        ({"fmi_path": "agent-of-another"}, 700016),
        ({"client_secret": None}, 7000218),
        ({"client_secret": "wrong"}, 7000215),
        ({"client_secret": OLD}, 7000222),
        ({"client_assertion": "x.y.z", "client_assertion_type": JWT_BEARER}, 9002313),
        ({"client_secret": None, "client_assertion": "x.y.z"}, 7000218),
        ({"resource": HR}, 9002313),
    ],
)
def test_a_wrong_first_step(entra, blueprint, change, number):
    assert ask(entra, **first_form(**change)) == {"number": number}


@pytest.mark.parametrize(
    ("change", "number"),
    [
        ({"client_id": OTHER}, 50013),
        ({"client_assertion": "x.y.z"}, 50013),
        ({"client_assertion": None}, 50013),
        ({"client_assertion_type": None}, 7000218),
        ({"client_secret": SECRET}, 7000218),
        ({"fmi_path": AGENT}, 7000218),
        ({"scope": HR}, 1002012),
        ({"scope": "api://unknown/.default"}, 500011),
    ],
)
def test_a_wrong_second_step(entra, blueprint, change, number):
    parent = ask(entra, **first_form())["access_token"]
    assert ask(entra, **second_form(parent, **change)) == {"number": number}
    assert "access_token" in ask(entra, **second_form(parent))
    assert [each.step for each in entra.requests()] == [1, 1 if "fmi_path" in change else 2, 2]


@pytest.mark.parametrize(
    ("claims", "number"),
    [({}, None), ({"aud": HR}, 50027), ({"sub": "x"}, 50048), ({"exp": 1}, 700024), ({"exp": 9e9}, 700024)],
)
def test_a_signed_assertion(entra, blueprint, claims, number):
    pair = key_pair()
    blueprint.certificates.append(pair.certificate)
    assertion = signed(entra, pair, **claims)
    form = first_form(client_secret=None, client_assertion=assertion, client_assertion_type=JWT_BEARER)
    assert ask(entra, **form).get("number") == number
    if number is None:
        assert ask(entra, **form) == {"number": 50027}  # an assertion counts once


def test_an_assertion_signed_with_another_key(entra, blueprint):
    pair = key_pair()
    blueprint.certificates.append(pair.certificate)
    forged = signed(entra, key_pair(), thumbprint=registered_thumbprint(pair.certificate))
    form = first_form(client_secret=None, client_assertion_type=JWT_BEARER)
    assert ask(entra, **form, client_assertion=forged) == {"number": 700027}
    assert ask(entra, **form, client_assertion=signed(entra, key_pair())) == {"number": 700027}


def signed(entra, pair, thumbprint: str = "", **changes) -> str:
    claims = {"iss": "blueprint", "sub": "blueprint", "aud": entra.token_endpoint, "jti": "1", "exp": time.time() + 60}
    header = {"alg": "PS256", "x5t#S256": thumbprint or registered_thumbprint(pair.certificate)}
    return jwt.encode(header, claims | changes, RSAKey.import_key(pair.key_pem), algorithms=["PS256"])


@pytest.mark.parametrize(
    ("registered", "presented", "number"),
    [
        ({}, {}, None),
        ({"issuer": "https://x.example/"}, {}, 700211),
        ({"subject": "x"}, {}, 700213),
        ({"audience": "x"}, {}, 700212),
        ({}, {"seconds": -1}, 700024),
    ],
)
def test_a_federated_assertion(entra, blueprint, registered, presented, number):
    cluster = Cluster()
    blueprint.federated.append(
        Federated(**{"issuer": cluster.issuer, "subject": "portal", "keys": cluster.jwks} | registered)
    )
    form = first_form(client_secret=None, client_assertion_type=JWT_BEARER)
    assert ask(entra, **form, client_assertion=cluster.token("portal", **presented)).get("number") == number


@pytest.mark.parametrize("kind", [APP_SERVICE, IMDS])
def test_a_host_gives_its_own_identity_to_whoever_names_none(entra, kind):
    """What the portal must never do, so the fake must be able to show it."""
    with fake_host(kind, entra) as host:
        version = "2018-02-01" if kind == IMDS else "2019-08-01"
        url = host.origin + (IMDS_PATH if kind == IMDS else "/msi/token")
        headers = {"Metadata": "true", "X-IDENTITY-HEADER": host.header}
        asked = {"api-version": version, "resource": HR}
        assert httpx.get(url, params=asked, headers=headers).status_code == 200 and host.own_identity_used
        assert httpx.get(url, params=asked).status_code in (400, 401)
        assert httpx.get(url, params=asked | {"client_id": "x"}, headers=headers).status_code == 400
        assert httpx.get(url, params=asked | {"api-version": "2000-01-01"}, headers=headers).status_code == 404


def test_its_tokens_are_verified_by_the_keys_that_its_metadata_names(entra, blueprint):
    parent = ask(entra, **first_form())["access_token"]
    token = ask(entra, **second_form(parent))["access_token"]
    metadata = httpx.get(f"{entra.issuer}/.well-known/openid-configuration", verify=entra.trust).json()
    keys = httpx.get(metadata["jwks_uri"], verify=entra.trust).json()

    claims = jwt.decode(token, KeySet.import_key_set(keys), algorithms=["RS256"]).claims
    assert (claims["iss"], claims["aud"], claims["sub"]) == (metadata["issuer"], HR, AGENT)
    assert entra.verify(token) == claims
    for forged in (token[:-8] + "AAAAAAAA", "x.y.z", ""):
        assert entra.verify(forged) is None
    entra.rotate()
    assert entra.verify(token) is None
