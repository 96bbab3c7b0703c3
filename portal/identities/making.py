"""The commands with which an Entra administrator makes a blueprint and its agent identities, names filled in.

Bodies as in learn.microsoft.com: "Create an agent identity blueprint", "Create agent identities", "Create
agentIdentityBlueprint" and "Create agentIdentity" (Graph beta); github.com/microsoft/azure-skills, entra-agent-id.
That skill's known limitations say why nobody signs in as a person here: a client with Directory.AccessAsUser.All, as
the Azure CLI is for people, gets 403, and no delegated permission makes agent identities.
"""

import json
import shlex
from dataclasses import dataclass

from portal.identities.entra import EXCHANGE
from portal.identities.models import IdentitySource, Proof
from portal.identities.proofs import GUID

GRAPH = "https://graph.microsoft.com/beta"
SPONSOR = "https://graph.microsoft.com/v1.0/users/<object ID of a sponsor>"
APP_ID, OBJECT_ID = "<appId of the blueprint>", "<id of the blueprint>"


@dataclass(frozen=True)
class Step:
    """`note` says what to keep of the answer."""

    title: str
    command: str
    note: str = ""


def of_blueprint(source: IdentitySource) -> list[Step]:
    """From nothing to a blueprint that can prove itself as the project has chosen."""
    tenant, app_id = source.tenant or "<tenant ID>", source.blueprint or APP_ID
    name = f"{source.project.name}-Blueprint"
    return [
        Step(
            "Sign in as an application",
            _sign_in("<appId of your application>", tenant),
            "Its permissions: AgentIdentityBlueprint.Create, AgentIdentityBlueprintPrincipal.Create and "
            "AgentIdentityBlueprint.AddRemoveCreds.All. Signed in as a person, the Azure CLI gets 403.",
        ),
        Step(
            "Make the blueprint",
            _post(
                "applications/microsoft.graph.agentIdentityBlueprint",
                {"displayName": name, "sponsors@odata.bind": [SPONSOR]},
            ),
            "Of the answer, appId is the blueprint's client ID; id is its object ID.",
        ),
        Step(
            "Make its principal",
            _post("servicePrincipals/microsoft.graph.agentIdentityBlueprintPrincipal", {"appId": app_id}),
            "Nothing makes it by itself.",
        ),
        _credential(Proof(source.proof), tenant, source.project.name),
    ]


def of_agent_identity(source: IdentitySource, name: str) -> list[Step]:
    """An agent identity is made by its blueprint."""
    tenant, app_id = source.tenant or "<tenant ID>", source.blueprint or APP_ID
    body = {"displayName": name, "agentIdentityBlueprintId": app_id, "sponsors@odata.bind": [SPONSOR]}
    return [
        Step(
            "Sign in as the blueprint",
            _sign_in(app_id, tenant),
            "With a client secret of the blueprint; one that lasts for this command only will do.",
        ),
        Step(
            f"Make {name}",
            _post("servicePrincipals/microsoft.graph.agentIdentity", body),
            "Of the answer, appId is the client ID and id the principal ID. Where there is no appId, both are the id.",
        ),
    ]


def _credential(proof: Proof, tenant: str, project: str) -> Step:
    place = f"applications/{OBJECT_ID}"
    if proof == Proof.CLIENT_SECRET:
        body = {"passwordCredential": {"displayName": f"Gatehouse, {project}"}}
        return Step(
            "Add a client secret", _post(f"{place}/addPassword", body), "Of the answer, secretText is the value."
        )
    if proof == Proof.CERTIFICATE:
        key = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": "<the certificate in base64, one line>"}
        body = {"keyCredentials": [key | {"displayName": f"Gatehouse, {project}"}]}
        return Step("Add the certificate", _rest("patch", place, body), "The private key stays with you and here.")
    of_file = proof == Proof.TOKEN_FILE
    # An issuer names the tenant by its id only.
    tenant = tenant if GUID.fullmatch(tenant) else "<tenant ID>"
    body = {
        "name": f"gatehouse-{project}",
        "issuer": "<OIDC issuer of the cluster>" if of_file else f"https://login.microsoftonline.com/{tenant}/v2.0",
        "subject": "system:serviceaccount:<namespace>:<name>" if of_file else "<principal ID of the managed identity>",
        "audiences": [EXCHANGE],
    }
    where = f"{place}/microsoft.graph.agentIdentityBlueprint/federatedIdentityCredentials"
    return Step("Add a federated credential", _post(where, body), "No secret has to be kept.")


def _sign_in(app_id: str, tenant: str) -> str:
    return (
        f"az login --service-principal --allow-no-subscriptions \\\n"
        f"  --tenant {_word(tenant)} \\\n"
        f"  --username {_word(app_id)} \\\n"
        f"  --password '<its client secret>'"
    )


def _post(path: str, body: dict) -> str:
    return _rest("post", path, body)


def _rest(method: str, path: str, body: dict) -> str:
    return (
        f"az rest --method {method} \\\n"
        f"  --url {_word(f'{GRAPH}/{path}')} \\\n"
        f"  --headers 'OData-Version=4.0' 'Content-Type=application/json' \\\n"
        f"  --body {shlex.quote(json.dumps(body, indent=2))}"
    )


def _word(text: str) -> str:
    return shlex.quote(text)
