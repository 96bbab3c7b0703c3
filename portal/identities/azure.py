"""What the portal's host is to Microsoft Entra: its managed identities and its workload identity, by azure-identity.

The only module that opens sockets beside `portal.outbound`: the managed identity endpoint is at addresses that nobody
enters in a form and that the outbound door never opens (the metadata service). Client ids are allotted to a project by
the portal's owner; the host's own system-assigned identity can't be reached (design, section 4): no request leaves
that does not name the allotted client id.
"""

import os
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as TookTooLong
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from azure.core.exceptions import AzureError
from azure.core.pipeline.transport import HttpResponse, HttpTransport, RequestsTransport
from azure.identity import ManagedIdentityCredential, WorkloadIdentityCredential
from django.conf import settings

from portal import vault
from portal.identities import failures
from portal.identities.models import Identity, IdentitySource, Proof
from portal.identities.obtaining import Obtained, TokenUnavailable
from portal.identities.token_endpoint import LARGEST_ANSWER, LONGEST_LIFE, Door, is_token, object_of

TOKEN_FILE = "AZURE_FEDERATED_TOKEN_FILE"  # noqa: S105 -- the name of a variable
CONNECT_SECONDS = 2.0
# Before each further attempt at what passes by itself (404, 410, 429, 5xx), unless the endpoint says how long.
PAUSES = (0.5, 2.0)

_CLIENT_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def obtain(identity: Identity, proof: str, scope: str, ends: float) -> Obtained:
    """A token of the project managed identity, before `ends` (monotonic). Raises TokenUnavailable."""
    if proof == Proof.TOKEN_FILE:
        return _of_workload(identity.tenant, identity.client_id, scope, ends)
    if proof == Proof.MANAGED_IDENTITY:
        return _of_host(identity.client_id, scope, ends)
    raise TokenUnavailable("host_identity_missing", failures.REFUSED_SECONDS)


def assertion(source: IdentitySource, scope: str, ends: float) -> str:
    """What proves the project's blueprint where the host does. Raises TokenUnavailable."""
    if source.proof == Proof.TOKEN_FILE:
        return _file()
    return _of_host(source.host_identity, scope, ends).value.reveal()


def _of_host(client_id: str, scope: str, ends: float) -> Obtained:
    if not _CLIENT_ID.fullmatch(client_id):
        # Without one azure-identity would take the host's own identity.
        raise TokenUnavailable("host_identity_missing", failures.REFUSED_SECONDS)
    if not _is_supported():
        raise TokenUnavailable("managed_identity_unsupported", failures.REFUSED_SECONDS)
    way = _ToTheHost(client_id, ends)
    return _token(
        lambda: ManagedIdentityCredential(
            client_id=client_id, transport=way, retry_total=0, _exclude_workload_identity_credential=True
        ),
        scope,
        way,
        failures.HOST_UNREADABLE,
    )


def _is_supported() -> bool:
    """App Service, Container Apps and virtual machines let a client id choose. Service Fabric, Azure Arc, Azure ML and
    Cloud Shell ignore it, or know only the host's own identity."""
    if {"IDENTITY_SERVER_THUMBPRINT", "IMDS_ENDPOINT"} & os.environ.keys():
        return False
    if os.environ.get("IDENTITY_ENDPOINT"):
        return bool(os.environ.get("IDENTITY_HEADER"))
    return "MSI_ENDPOINT" not in os.environ


def _of_workload(tenant: str, client_id: str, scope: str, ends: float) -> Obtained:
    _file()
    way = _ThroughTheDoor(Door(tenant, ends))
    return _token(
        lambda: WorkloadIdentityCredential(
            tenant_id=tenant,
            client_id=client_id,
            token_file_path=os.environ[TOKEN_FILE],
            authority=settings.ENTRA_AUTHORITY,
            disable_instance_discovery=True,
            transport=way,
            retry_total=0,
        ),
        scope,
        way,
        failures.UNREADABLE,
    )


def _file() -> str:
    try:
        value = Path(os.environ[TOKEN_FILE]).read_text().strip()
    except (KeyError, OSError, ValueError):
        value = ""
    if not is_token(value):
        raise TokenUnavailable("no_token_file", failures.REFUSED_SECONDS)
    return value


def _token(credential: Callable[[], Any], scope: str, way: "_Way", unreadable: str) -> Obtained:
    try:
        with credential() as asking:
            token = asking.get_token(scope)
    except (AzureError, ValueError, TypeError, KeyError, ArithmeticError, TokenUnavailable):
        token = None
    # Outside of the handler, and what azure-identity made of it is forgotten: it holds texts of Entra.
    if way.refusal:
        raise way.refusal.anew()
    if token is None or not is_token(token.token) or not 0 < token.expires_on - time.time() <= LONGEST_LIFE:
        raise TokenUnavailable(unreadable, failures.BUSY_SECONDS)
    return Obtained(vault.Secret(token.token), datetime.fromtimestamp(token.expires_on, UTC))


class _Read(HttpResponse):
    """A good answer, read to its end."""

    def __init__(self, request: Any, body: bytes) -> None:
        super().__init__(request, None)
        self.status_code, self.reason, self.content_type = 200, "OK", "application/json"
        self.headers = {"content-type": self.content_type}
        self._read = body

    def body(self) -> bytes:
        return self._read


class _Way:
    """How azure-identity sends its one request. `refusal` is why there is no token, whatever azure-identity says."""

    refusal: TokenUnavailable | None = None

    def send(self, request: Any, **_: Any) -> _Read:
        try:
            return _Read(request, self._send(request))
        except TokenUnavailable as refusal:
            self.refusal = refusal
            raise

    def _send(self, request: Any) -> bytes:
        raise NotImplementedError


class _ThroughTheDoor(_Way, HttpTransport):
    """To Entra itself: as everything else."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def _send(self, request: Any) -> bytes:
        return self._door.post(request.url, headers=request.headers, data=request.content).text.encode()

    def open(self) -> None:
        """Every request has a connection of its own."""

    close = open

    def __exit__(self, *_: Any) -> None:
        """As `close`."""


class _ToTheHost(_Way, RequestsTransport):
    """To the managed identity endpoint: past no proxy, after no redirect, within the deadline."""

    def __init__(self, client_id: str, ends: float) -> None:
        RequestsTransport.__init__(self, use_env_settings=False)
        self._client_id, self._ends = client_id, ends

    def _send(self, request: Any) -> bytes:
        if parse_qs(urlsplit(request.url).query).get("client_id") != [self._client_id]:
            raise TokenUnavailable("managed_identity_unsupported", failures.REFUSED_SECONDS)
        for pause in (*PAUSES, None):
            status, retry_after, body = self._in_time(request)
            content = object_of(body)
            if status == 200 and content is not None and is_token(content.get("access_token")):
                return body
            refusal = failures.of_host(status, content, retry_after)
            wait = failures.pause_of(retry_after) or pause
            if status not in _PASSING or pause is None or wait > self._left() - CONNECT_SECONDS:
                break
            time.sleep(wait)
        raise refusal

    def _left(self) -> float:
        return self._ends - time.monotonic()

    def _in_time(self, request: Any) -> tuple[int, str, bytes]:
        """In a thread that is waited for until the deadline: timeouts of sockets count from one byte to the next."""
        left = self._left()
        if left <= 0:
            raise TokenUnavailable(failures.HOST_BUSY, failures.BUSY_SECONDS)
        done: Future[tuple[int, str, bytes]] = Future()
        threading.Thread(target=self._ask, args=(request, left, done), name="managed-identity", daemon=True).start()
        try:
            return done.result(left)
        except TookTooLong:
            code = failures.HOST_BUSY
        except (AzureError, ValueError):
            code = "no_managed_identity" if self._left() > 0 else failures.HOST_BUSY
        raise TokenUnavailable(code, failures.BUSY_SECONDS)

    def _ask(self, request: Any, left: float, done: "Future[tuple[int, str, bytes]]") -> None:
        try:
            connect = min(CONNECT_SECONDS, left)
            answer = RequestsTransport.send(self, request, stream=True, connection_timeout=connect, read_timeout=left)
            done.set_result((answer.status_code, answer.headers.get("Retry-After", ""), _limited(answer)))
        except Exception as error:  # noqa: BLE001 -- whoever waits gets it
            done.set_exception(error)


_PASSING = {404, 410, 429, *range(500, 600)}


def _limited(answer: Any) -> bytes:
    """The body, or nothing where it is larger than a token can be."""
    read = b""
    for part in answer.iter_bytes():
        read += part
        if len(read) > LARGEST_ANSWER:
            answer.close()
            return b""
    return read
