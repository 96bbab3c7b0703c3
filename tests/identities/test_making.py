"""The commands for whoever administers the tenant: what a shell makes of them, and what Graph is told."""

import json
import shlex

import pytest

from portal.identities import making
from portal.identities.models import IdentitySource, Proof
from tests import factories
from tests.identities.conftest import BLUEPRINT, TENANT


@pytest.fixture
def source(db) -> IdentitySource:
    project = factories.make_project("contoso-support")
    return IdentitySource(project=project, tenant=TENANT, blueprint=BLUEPRINT, proof=Proof.CLIENT_SECRET)


def told(command: str) -> tuple[str, str, dict]:
    """Method, address below Graph's and body of an `az rest`, as the shell hands them over."""
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:2] == ["az", "rest"]
    given = {words[i]: words[i + 1] for i in range(2, len(words) - 1) if words[i].startswith("--")}
    return given["--method"], given["--url"].removeprefix(making.GRAPH), json.loads(given["--body"])


def test_a_blueprint_is_made_with_a_sponsor_then_its_principal_then_its_proof(source):
    sign_in, blueprint, principal, secret = [step.command for step in making.of_blueprint(source)]
    assert shlex.split(sign_in.replace("\\\n", " "))[:3] == ["az", "login", "--service-principal"]
    method, path, body = told(blueprint)
    assert (method, path) == ("post", "/applications/microsoft.graph.agentIdentityBlueprint")
    assert body == {"displayName": "contoso-support-Blueprint", "sponsors@odata.bind": [making.SPONSOR]}
    assert told(principal)[1:] == (
        "/servicePrincipals/microsoft.graph.agentIdentityBlueprintPrincipal",
        {"appId": BLUEPRINT},
    )
    assert told(secret)[1].endswith("/addPassword")


def test_an_agent_identity_is_made_by_its_blueprint_with_a_sponsor(source):
    sign_in, make = [step.command for step in making.of_agent_identity(source, "contoso-support-AgentIdentity")]
    assert BLUEPRINT in sign_in and TENANT in sign_in
    assert told(make) == (
        "post",
        "/servicePrincipals/microsoft.graph.agentIdentity",
        {
            "displayName": "contoso-support-AgentIdentity",
            "agentIdentityBlueprintId": BLUEPRINT,
            "sponsors@odata.bind": [making.SPONSOR],
        },
    )


@pytest.mark.parametrize(
    ("proof", "tenant", "issuer"),
    [
        (Proof.MANAGED_IDENTITY, TENANT, f"https://login.microsoftonline.com/{TENANT}/v2.0"),
        (Proof.MANAGED_IDENTITY, "contoso.example", "https://login.microsoftonline.com/<tenant ID>/v2.0"),
        (Proof.TOKEN_FILE, TENANT, "<OIDC issuer of the cluster>"),
    ],
)
def test_what_the_host_is_proves_a_blueprint_by_a_federated_credential(source, proof, tenant, issuer):
    source.proof, source.tenant = proof, tenant
    method, path, body = told(making.of_blueprint(source)[-1].command)
    assert (method, path.rpartition("/")[2]) == ("post", "federatedIdentityCredentials")
    assert (body["issuer"], body["audiences"]) == (issuer, ["api://AzureADTokenExchange"])


def test_a_certificate_is_added_by_its_public_half_only(source):
    source.proof = Proof.CERTIFICATE
    method, _, body = told(making.of_blueprint(source)[-1].command)
    assert method == "patch"
    assert (body["keyCredentials"][0]["type"], body["keyCredentials"][0]["usage"]) == ("AsymmetricX509Cert", "Verify")


def test_nothing_is_missing_where_the_project_has_entered_nothing(source):
    source.tenant = source.blueprint = ""
    commands = " ".join(step.command for step in making.of_blueprint(source) + making.of_agent_identity(source, "x"))
    assert "<tenant ID>" in commands and making.APP_ID in commands
