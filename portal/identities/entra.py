"""Tokens of agent identities from Microsoft Entra, in its two steps; msal speaks, through our own door to the network.

Step 1: the blueprint, with its proof, asks for a token for `api://AzureADTokenExchange` that names the agent identity
(`fmi_path`). Step 2: the agent identity, which has no credential of its own, uses that token as its client assertion.
(learn.microsoft.com, "Agent identity: autonomous app flow"; foundry.md 4.2.)
"""

import time
from datetime import UTC, datetime
from typing import Any

import msal

from portal import vault
from portal.identities import azure, failures, proving
from portal.identities.models import Identity, IdentitySource
from portal.identities.obtaining import Obtained, TokenUnavailable
from portal.identities.token_endpoint import Door, authority_of, seconds_of, token_endpoint_of

__all__ = ["DEADLINE", "EXCHANGE", "authority_of", "obtain", "scope_of", "token_endpoint_of"]

EXCHANGE = "api://AzureADTokenExchange"
# Seconds for all requests of one token together.
DEADLINE = 15.0


def scope_of(audience: str) -> str:
    return f"{audience}/.default"


def obtain(identity: Identity, audience: str) -> Obtained:
    """Raises TokenUnavailable."""
    source = IdentitySource.objects.filter(project=identity.project_id).select_related("project").first()
    if source is None:
        raise TokenUnavailable("identity_not_set_up")
    ends = time.monotonic() + DEADLINE
    if identity.kind == Identity.Kind.PROJECT:
        return azure.obtain(identity, source.project_proof, scope_of(audience), ends)
    if not source.blueprint:
        raise TokenUnavailable("identity_not_set_up")
    return _in_two_steps(source, identity, audience, ends)


def _in_two_steps(source: IdentitySource, identity: Identity, audience: str, ends: float) -> Obtained:
    http = Door(source.tenant, ends)
    proof = proving.of(source, lambda: azure.assertion(source, scope_of(EXCHANGE), ends))
    first = _ask(source.blueprint, source.tenant, proof, http, EXCHANGE, fmi_path=identity.client_id)
    assertion = {"client_assertion": lambda: first["access_token"]}
    asked_at = time.time()
    second = _ask(identity.client_id, source.tenant, assertion, http, audience)
    expires_at = datetime.fromtimestamp(asked_at + seconds_of(second["expires_in"]), UTC)
    return Obtained(vault.Secret(second["access_token"]), expires_at)


def _ask(client_id: str, tenant: str, proof: Any, http: Door, audience: str, **more: str) -> dict[str, Any]:
    """One token request. The application is new each time: what is kept, `tokens` keeps, for all processes."""
    refused = TokenUnavailable(failures.UNREADABLE, failures.BUSY_SECONDS)
    try:
        application = msal.ConfidentialClientApplication(
            client_id,
            client_credential=proof,
            authority=authority_of(tenant),
            instance_discovery=False,
            azure_region=False,
            http_client=http,
        )
        return application.acquire_token_for_client([scope_of(audience)], **more)
    except TokenUnavailable as refusal:
        refused = refusal.anew()
    except (ValueError, TypeError, KeyError, msal.exceptions.MsalError):
        # The door lets only good answers in; what msal can't use of them, its error may hold.
        pass
    # Outside of the handlers: the frames and errors of msal hold proofs and tokens.
    raise refused
