"""The managed identity endpoints of App Service (and Container Apps) and of virtual machines, over plain loopback.

They give tokens of a fake Entra for the user-assigned identities that the host has. Whoever names none would get the
host's own identity: they give it, as the real ones do, and note it in `own_identity_used`.
"""

import contextlib
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from tests.fakes.entra import TOLD_IN_ERRORS, FakeEntra
from tests.fakes.faults import Plan, WithTransport
from tests.fakes.misbehaviour import Exchange, Misbehaviour
from tests.fakes.record import Received, Recorder
from tests.fakes.server import listening_socket, serve, url_of

APP_SERVICE, IMDS = "app service", "imds"
IMDS_PATH = "/metadata/identity/oauth2/token"
# client id to principal id
Identities = dict[str, str]


@dataclass
class FakeHost:
    """A running endpoint. `environment` is what its host sets for the portal's processes."""

    kind: str
    origin: str
    entra: FakeEntra
    header: str = field(default_factory=lambda: uuid.uuid4().hex)
    identities: Identities = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    issued: list[str] = field(default_factory=list)
    own_identity_used: bool = False
    plan: Plan = field(default_factory=Plan)

    @property
    def environment(self) -> dict[str, str]:
        if self.kind == IMDS:
            return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self.origin}
        return {"IDENTITY_ENDPOINT": f"{self.origin}/msi/token", "IDENTITY_HEADER": self.header}

    def assign(self, client_id: str = "", principal_id: str = "") -> str:
        """A user-assigned identity; its client id."""
        client_id = client_id or str(uuid.uuid4())
        self.identities[client_id] = principal_id or str(uuid.uuid4())
        return client_id

    def next(self, *misbehaviours: Misbehaviour) -> None:
        self.plan.next["token"].extend(misbehaviours)

    def always(self, misbehaviour: Misbehaviour) -> None:
        self.plan.always["token"] = misbehaviour

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = None if scope.get("honest") else self.plan.take(["token"])
        if fault:
            await fault(Exchange(self, {**scope, "honest": True}, receive, send))
            return
        status, content = self._answer(self.received[-1])
        await Exchange(self, scope, receive, send).send_json(content, status)

    def _answer(self, request: Received) -> tuple[int, dict[str, Any]]:
        asked = dict(parse_qsl(request.query))
        right = (IMDS_PATH, "2018-02-01") if self.kind == IMDS else ("/msi/token", "2019-08-01")
        if request.method != "GET" or (request.path, asked.pop("api-version", "")) != right:
            return 404, self._says("not_found", "no such path or version")
        if self.kind == IMDS and (request.header("metadata") != ["true"] or request.header("x-forwarded-for")):
            return 400, self._says("invalid_request", "Required metadata header not specified")
        if self.kind == APP_SERVICE and request.header("x-identity-header") != [self.header]:
            return 401, self._says("unauthorized", "The identity header is wrong")
        if not set(asked) <= {"resource", "client_id"} or not asked.get("resource"):
            return 400, self._says("invalid_request", "Bad parameters")
        return self._token(asked["resource"], asked.get("client_id"))

    def _token(self, resource: str, client_id: str | None) -> tuple[int, dict[str, Any]]:
        if client_id is None:
            self.own_identity_used = True
        elif client_id not in self.identities:
            return 400, self._says("invalid_request", "Identity not found")
        if resource not in self.entra.audiences:
            return 400, self._says("invalid_resource", f"AADSTS500011: The resource principal named {TOLD_IN_ERRORS}")
        subject = self.identities.get(client_id or "", "own")
        token = self.entra.issue(subject, client_id or "own", resource)
        self.issued.append(token)
        until = int(time.time()) + 86_399
        common = {"access_token": token, "resource": resource, "token_type": "Bearer", "client_id": client_id}
        expires = {"expires_on": str(until)} if self.kind == APP_SERVICE else {"expires_in": "86399"}
        return 200, common | expires

    def _says(self, error: str, text: str) -> dict[str, Any]:
        text = f"{text} ({TOLD_IN_ERRORS})" if TOLD_IN_ERRORS not in text else text
        if self.kind == IMDS:
            return {"error": error, "error_description": text}
        return {"statusCode": 400, "message": text}


@contextlib.contextmanager
def fake_host(kind: str, entra: FakeEntra) -> Iterator[FakeHost]:
    """Run one: APP_SERVICE or IMDS."""
    sock = listening_socket()
    host = FakeHost(kind, url_of(sock), entra)
    with serve(WithTransport(Recorder(host, host.received)), at=sock):
        yield host
