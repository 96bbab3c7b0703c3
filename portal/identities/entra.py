"""Tokens of agent identities from Microsoft Entra, in its two steps; msal speaks, through our own door to the network.

Step 1: the blueprint, with its proof, asks for a token for `api://AzureADTokenExchange` that names the agent identity
(`fmi_path`). Step 2: the agent identity, which has no credential of its own, uses that token as its client assertion.
(learn.microsoft.com, "Agent identity: autonomous app flow"; foundry.md 4.2.)
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msal
from django.conf import settings

from portal import vault
from portal.identities import azure
from portal.identities.failures import of_answer, of_outbound
from portal.identities.models import Identity, IdentitySource, Proof
from portal.identities.obtaining import Obtained, TokenUnavailable
from portal.outbound.errors import OutboundError
from portal.outbound.session import fetch

EXCHANGE = "api://AzureADTokenExchange"
# Seconds for all requests of one token together.
DEADLINE = 15.0
LARGEST_ANSWER = 65_536


def authority_of(tenant: str) -> str:
    return f"{settings.ENTRA_AUTHORITY}/{tenant}"


def token_endpoint_of(tenant: str) -> str:
    """What a blueprint's secret is sealed to, and the only address that it is sent to."""
    return f"{authority_of(tenant)}/oauth2/v2.0/token"


def scope_of(audience: str) -> str:
    return f"{audience}/.default"


def obtain(identity: Identity, audience: str) -> Obtained:
    """Raises TokenUnavailable."""
    source = IdentitySource.objects.filter(project=identity.project_id).select_related("project").first()
    if source is None:
        raise TokenUnavailable("identity_not_set_up")
    if identity.kind == Identity.Kind.PROJECT:
        return azure.obtain(identity, Proof(source.project_proof), scope_of(audience), DEADLINE)
    http = Door(time.monotonic() + DEADLINE)
    step_1 = _ask(source.blueprint, source.tenant, _proof_of(source), http, EXCHANGE, fmi_path=identity.client_id)
    assertion = {"client_assertion": lambda: step_1["access_token"]}
    step_2 = _ask(identity.client_id, source.tenant, assertion, http, audience)
    expires_at = datetime.fromtimestamp(time.time() + int(step_2["expires_in"]), UTC)
    return Obtained(vault.Secret(step_2["access_token"]), expires_at)


def _ask(client_id: str, tenant: str, proof: Any, http: "Door", audience: str, **more: str) -> dict[str, Any]:
    """One token request. The application is new each time: what is kept, `tokens` keeps, for all processes."""
    try:
        application = msal.ConfidentialClientApplication(
            client_id,
            client_credential=proof,
            authority=authority_of(tenant),
            instance_discovery=False,
            http_client=http,
        )
        answer = application.acquire_token_for_client([scope_of(audience)], **more)
    except OutboundError as error:
        raise TokenUnavailable(of_outbound(error)) from None
    except ValueError:
        # msal could not read the authority's metadata, or the proof; its text may hold either.
        raise TokenUnavailable(http.refusal or "entra_answer_unreadable") from None
    if "access_token" not in answer:
        raise TokenUnavailable(*of_answer(answer))
    return answer


def _proof_of(source: IdentitySource) -> Any:
    """In the forms that msal takes. Raises TokenUnavailable."""
    if Proof(source.proof).is_of_host:
        return {"client_assertion": lambda: azure.assertion(source, scope_of(EXCHANGE), DEADLINE)}
    if not source.proof_value:
        raise TokenUnavailable("blueprint_proof_missing")
    try:
        value = vault.open_sealed(source.proof_value, source.binding(token_endpoint_of(source.tenant)))
    except vault.SealBroken:
        raise TokenUnavailable("secret_unreadable") from None
    except vault.KeyUnavailable:
        raise TokenUnavailable("key_unavailable") from None
    if source.proof == Proof.CLIENT_SECRET:
        return value.reveal()
    return {"private_key": value.reveal(), "public_certificate": value.reveal()}


@dataclass
class Answered:
    """What msal reads of a response."""

    status_code: int
    text: str
    headers: Mapping[str, str]

    def raise_for_status(self) -> None:
        if self.status_code >= 400:
            raise ValueError(f"HTTP {self.status_code}")


class Door:
    """msal's `http_client`: the same address policy, limits and trust as for everything else."""

    def __init__(self, ends: float) -> None:
        self._ends = ends
        self.refusal = ""

    def get(self, url: str, **options: Any) -> Answered:
        return self._fetch("GET", url, **options)

    def post(self, url: str, **options: Any) -> Answered:
        return self._fetch("POST", url, **options)

    def close(self) -> None:
        """Every request has a connection of its own."""

    def _fetch(self, method: str, url: str, *, headers=None, data=None, params=None, **_: Any) -> Answered:
        pairs = [(name, str(value)) for name, value in (headers or {}).items()]
        left = max(self._ends - time.monotonic(), 0.1)
        answer = fetch(method, url, headers=pairs, data=data, limit=LARGEST_ANSWER, deadline=left)
        return Answered(answer.status, answer.body.decode("utf-8", "replace"), dict(answer.headers))
