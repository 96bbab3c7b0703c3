"""What the portal's host is to Microsoft Entra: its managed identities and its workload identity, by azure-identity.

The only module that lets azure-identity open sockets: it speaks to addresses that nobody enters in a form, and that
`portal.outbound` never reaches (the metadata service). Client ids are allotted to a project by the portal's owner; the
host's own system-assigned identity is never used (design, section 4).
"""

import os
import time
from datetime import UTC, datetime

from azure.core.exceptions import ClientAuthenticationError
from azure.identity import CredentialUnavailableError, ManagedIdentityCredential, WorkloadIdentityCredential
from django.conf import settings

from portal import vault
from portal.identities.failures import of_azure
from portal.identities.models import Identity, IdentitySource, Proof
from portal.identities.obtaining import Obtained, TokenUnavailable

TOKEN_FILE = "AZURE_FEDERATED_TOKEN_FILE"  # noqa: S105 -- the name of a variable


def obtain(identity: Identity, proof: Proof, scope: str, deadline: float) -> Obtained:
    """A token of the project managed identity. Raises TokenUnavailable."""
    if proof == Proof.TOKEN_FILE:
        return _token(_workload(identity.tenant, identity.client_id, deadline), scope)
    return _token(_managed(identity.client_id, deadline), scope)


def assertion(source: IdentitySource, scope: str, deadline: float) -> str:
    """What proves the project's blueprint where the host does. Raises TokenUnavailable."""
    if source.proof == Proof.TOKEN_FILE:
        return _file()
    return _token(_managed(source.host_identity, deadline), scope).value.reveal()


def _managed(client_id: str, deadline: float) -> ManagedIdentityCredential:
    if not client_id:
        # Without a client id azure-identity would take the host's own identity.
        raise TokenUnavailable("identity_not_set_up")
    return ManagedIdentityCredential(
        client_id=client_id, retry_total=1, connection_timeout=2, read_timeout=deadline / 2
    )


def _workload(tenant: str, client_id: str, deadline: float) -> WorkloadIdentityCredential:
    _file()
    return WorkloadIdentityCredential(
        tenant_id=tenant,
        client_id=client_id,
        token_file_path=os.environ[TOKEN_FILE],
        authority=settings.ENTRA_AUTHORITY,
        disable_instance_discovery=True,
        connection_verify=settings.OUTBOUND_CA_FILE or True,
        retry_total=1,
        connection_timeout=2,
        read_timeout=deadline / 2,
    )


def _file() -> str:
    try:
        with open(os.environ[TOKEN_FILE]) as file:  # noqa: PTH123
            return file.read().strip()
    except (KeyError, OSError):
        raise TokenUnavailable("no_token_file") from None


def _token(credential, scope: str) -> Obtained:
    try:
        with credential:
            token = credential.get_token(scope)
    except (CredentialUnavailableError, ClientAuthenticationError) as error:
        raise TokenUnavailable(*of_azure(error)) from None
    if token.expires_on <= time.time():
        raise TokenUnavailable("entra_answer_unreadable")
    return Obtained(vault.Secret(token.token), datetime.fromtimestamp(token.expires_on, UTC))
