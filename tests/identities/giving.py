"""What the tests of identities share: the ids, and how a proof is set."""

from portal import vault
from portal.identities import entra
from portal.identities.models import IdentitySource, Proof

HR = "api://contoso-hr"
AT = ["https://hr.contoso.example/a2a"]
AGENT_ID = "11111111-aaaa-4bbb-8ccc-222222222222"
SECRET = "canary~Secret.of-the-blueprint"


def seal(source: IdentitySource, proof: Proof, value: str = "") -> IdentitySource:
    source.proof = proof
    if value:
        binding = source.binding(entra.token_endpoint_of(source.tenant))
        source.proof_value = vault.seal(value, binding)
    source.save()
    return source
