"""Microsoft Entra's token endpoint and OpenID metadata, over TLS on loopback, as far as applications ask it.

It checks every parameter of both steps of an agent identity, and keeps what came in a ledger.
"""

import contextlib
import functools
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from cryptography import x509
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, RSAKey
from joserfc.jws import JWSRegistry
from starlette.types import Receive, Scope, Send

from tests.fakes.client_assertions import registered_thumbprint
from tests.fakes.faults import Plan, WithTransport
from tests.fakes.misbehaviour import Exchange, Misbehaviour, answers
from tests.fakes.record import Received, Recorder
from tests.fakes.server import listening_socket, serve
from tests.outbound.authority import Authority

EXCHANGE = "api://AzureADTokenExchange"
JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
# What only the texts of an error hold: nobody may repeat it.
TOLD_IN_ERRORS = "canary-of-the-error-text"
_KNOWN = {"client_id", "grant_type", "scope", "client_info", "client_secret", "client_assertion"} | {
    "client_assertion_type",
    "fmi_path",
}

# Its header carries the certificate (x5c).
_WITH_CERTIFICATE = JWSRegistry(algorithms=["PS256"])
_WITH_CERTIFICATE.max_header_length = 8_192


class Refused(Exception):
    """An honest refusal, as an AADSTS number."""

    def __init__(self, number: int, error: str = "invalid_client", status: int = 400) -> None:
        super().__init__(number)
        self.number, self.error, self.status = number, error, status


def says(number: int, error: str = "invalid_client", status: int = 400, **headers: str) -> Misbehaviour:
    """Entra refuses with this AADSTS number, and with texts that name tenants, people and applications."""
    return answers(_error(number, error), status, **headers)


@dataclass
class Federated:
    """A federated identity credential: whose token proves the application, verified with `keys`."""

    issuer: str
    subject: str
    keys: Callable[[], dict]
    audience: str = EXCHANGE


@dataclass
class Application:
    """A blueprint, or a user-assigned identity that a federated token speaks for. Secrets: value to "has expired"."""

    client_id: str
    secrets: dict[str, bool] = field(default_factory=dict)
    certificates: list[x509.Certificate] = field(default_factory=list)
    federated: list[Federated] = field(default_factory=list)
    agents: set[str] = field(default_factory=set)
    principal_id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True)
class TokenRequest:
    """One request to the token endpoint, in the order in which they came."""

    received: Received

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.received.body.decode(), keep_blank_values=True))

    @property
    def step(self) -> int:
        """1 names the agent identity, 2 is the agent identity itself (or an application alone)."""
        return 1 if "fmi_path" in self.form else 2


class FakeEntra:
    """A running one. `authority` is what ENTRA_AUTHORITY must be; plan faults with `next` and `always`."""

    def __init__(self, origin: str) -> None:
        self.authority = origin
        self.tenant = str(uuid.uuid4())
        self.audiences = {EXCHANGE}
        self.received: list[Received] = []
        self.issued: list[str] = []
        self.lifetime = 3600
        self.plan = Plan()
        self._applications: dict[str, Application] = {}
        self._parents: dict[str, str] = {}
        self._used: set[str] = set()
        self._key = _first_key()

    @property
    def issuer(self) -> str:
        return f"{self.authority}/{self.tenant}/v2.0"

    @property
    def token_endpoint(self) -> str:
        return f"{self.authority}/{self.tenant}/oauth2/v2.0/token"

    def register(self, **options: Any) -> Application:
        """A blueprint with its agents, or another application; options as of `Application`."""
        application = Application(options.pop("client_id", "") or str(uuid.uuid4()), **options)
        self._applications[application.client_id] = application
        return application

    def next(self, *misbehaviours: Misbehaviour, at: str = "token") -> None:
        """Each serves one request. at: "metadata", "token", or "step 1" and "step 2" alone."""
        self.plan.next[at].extend(misbehaviours)

    def always(self, misbehaviour: Misbehaviour, at: str = "token") -> None:
        self.plan.always[at] = misbehaviour

    def requests(self, step: int = 0) -> list[TokenRequest]:
        """The ledger: all token requests, or those of one step."""
        found = [TokenRequest(each) for each in list(self.received) if each.method == "POST"]
        return [each for each in found if step in (0, each.step)]

    def jwks(self) -> dict:
        return {"keys": [self._key.as_dict(private=False)]}

    def rotate(self) -> None:
        """Another key signs from now on."""
        self._key = _new_key()

    def verify(self, token: str) -> dict[str, Any] | None:
        """The claims of a living token of ours."""
        try:
            claims = jwt.decode(token, KeySet.import_key_set(self.jwks())).claims
        except (JoseError, ValueError):
            return None
        return claims if claims["exp"] > time.time() and claims["iss"] == self.issuer else None

    def issue(self, subject: str, client_id: str, audience: str) -> str:
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": subject,
            "oid": subject,
            "aud": audience,
            "azp": client_id,
            "appid": client_id,
            "tid": self.tenant,
            "idtyp": "app",
            "iat": now,
            "nbf": now,
            "exp": now + self.lifetime,
            "uti": uuid.uuid4().hex,
        }
        header = {"typ": "JWT", "alg": "RS256", "kid": self._key.kid}
        token = jwt.encode(header, claims, self._key)
        self.issued.append(token)
        return token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(self, scope, receive, send)
        request = self.received[-1]
        fault = self.plan.take(_kinds(request)) if not scope.get("honest") else None
        if fault:
            await fault(Exchange(self, {**scope, "honest": True}, receive, send))
            return
        try:
            await exchange.send_json(self._answer(request))
        except Refused as refused:
            await exchange.send_json(_error(refused.number, refused.error), refused.status)

    def _answer(self, request: Received) -> dict[str, Any]:
        tenant, _, rest = request.path.lstrip("/").partition("/")
        if tenant != self.tenant:
            raise Refused(90002, "invalid_request")
        if (request.method, rest) == ("GET", "v2.0/.well-known/openid-configuration"):
            return self._metadata()
        if (request.method, rest) == ("GET", "discovery/v2.0/keys"):
            return self.jwks()
        if (request.method, rest, request.query) != ("POST", "oauth2/v2.0/token", ""):
            raise Refused(900561, "invalid_request", 404)
        return self._token(TokenRequest(request))

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "token_endpoint": self.token_endpoint,
            "authorization_endpoint": f"{self.authority}/{self.tenant}/oauth2/v2.0/authorize",
            "jwks_uri": f"{self.authority}/{self.tenant}/discovery/v2.0/keys",
        }

    def _token(self, request: TokenRequest) -> dict[str, Any]:
        form = request.form
        if len(parse_qsl(request.received.body.decode())) != len(form) or not set(form) <= _KNOWN:
            raise Refused(9002313, "invalid_request")
        if form.get("grant_type") != "client_credentials":
            raise Refused(70003, "unsupported_grant_type")
        audience = form.get("scope", "").removesuffix("/.default")
        if audience == form.get("scope", "") or " " in audience:
            raise Refused(1002012, "invalid_scope")
        client_id = form.get("client_id", "")
        subject = self._agent(form) if client_id in self._agents() else self._application(client_id, form)
        if audience not in self.audiences:
            raise Refused(500011, "invalid_resource")
        token = self.issue(subject, client_id, audience)
        if "fmi_path" in form:
            self._parents[token] = form["fmi_path"]
        return {"token_type": "Bearer", "expires_in": self.lifetime, "ext_expires_in": 3599, "access_token": token}

    def _agents(self) -> set[str]:
        return {agent for application in self._applications.values() for agent in application.agents}

    def _agent(self, form: dict[str, str]) -> str:
        """Step 2: nothing but the very token that step 1 gave for this agent identity."""
        if {"client_secret", "fmi_path"} & form.keys() or form.get("client_assertion_type") != JWT_BEARER:
            raise Refused(7000218)
        parent = form.get("client_assertion", "")
        if self._parents.get(parent) != form["client_id"] or self.verify(parent) is None:
            raise Refused(50013, "invalid_grant")
        return form["client_id"]

    def _application(self, client_id: str, form: dict[str, str]) -> str:
        application = self._applications.get(client_id)
        if application is None:
            raise Refused(700016, "unauthorized_client")
        self._prove(application, form)
        if form["scope"].startswith(EXCHANGE) and form.get("fmi_path") not in application.agents:
            raise Refused(700016, "unauthorized_client")
        if not form["scope"].startswith(EXCHANGE) and "fmi_path" in form:
            raise Refused(9002313, "invalid_request")
        return application.principal_id

    def _prove(self, application: Application, form: dict[str, str]) -> None:
        """Exactly one proof, and the right one."""
        if "client_secret" in form:
            if {"client_assertion", "client_assertion_type"} & form.keys():
                raise Refused(9002313, "invalid_request")
            if form["client_secret"] not in application.secrets:
                raise Refused(7000215, status=401)
            if application.secrets[form["client_secret"]]:
                raise Refused(7000222, status=401)
            return
        if form.get("client_assertion_type") != JWT_BEARER:
            raise Refused(7000218)
        assertion = form.get("client_assertion", "")
        if registered_thumbprint(assertion):
            self._signed(application, assertion)
        else:
            self._federated(application, assertion)

    def _signed(self, application: Application, assertion: str) -> None:
        """RFC 7523, 3, with the certificate that the header names by its SHA-256 thumbprint."""
        thumbprint = registered_thumbprint(assertion)
        known = [each for each in application.certificates if registered_thumbprint(each) == thumbprint]
        if not known:
            raise Refused(700027, status=401)
        key = RSAKey.import_key(known[0].public_key())
        try:
            read = jwt.decode(assertion, key, registry=_WITH_CERTIFICATE)
        except (JoseError, ValueError):
            raise Refused(700027, status=401) from None
        claims = read.claims
        if claims["iss"] != application.client_id or claims["sub"] != application.client_id:
            raise Refused(50048, status=401)
        if claims["aud"] != self.token_endpoint or claims["jti"] in self._used:
            raise Refused(50027, status=401)
        if not time.time() < claims["exp"] <= time.time() + 900:
            raise Refused(700024, status=401)
        self._used.add(claims["jti"])

    def _federated(self, application: Application, assertion: str) -> None:
        claims = next(filter(None, (_verified(each, assertion) for each in application.federated)), None)
        if claims is None:
            raise Refused(700211, status=401)
        fitting = [each for each in application.federated if each.issuer == claims["iss"]]
        if claims["sub"] not in {each.subject for each in fitting}:
            raise Refused(700213, status=401)
        if claims["aud"] not in {each.audience for each in fitting}:
            raise Refused(700212, status=401)
        if claims["exp"] <= time.time():
            raise Refused(700024, status=401)


def _new_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)


@functools.cache
def _first_key() -> RSAKey:
    """The same for all fakes of a run: to make one takes as long as a test."""
    return _new_key()


def _verified(credential: Federated, assertion: str) -> dict[str, Any] | None:
    try:
        claims = jwt.decode(assertion, KeySet.import_key_set(credential.keys())).claims
    except (JoseError, ValueError):
        return None
    return claims if claims["iss"] == credential.issuer else None


def _kinds(request: Received) -> list[str]:
    if request.method != "POST":
        return ["metadata"]
    return [f"step {TokenRequest(request).step}", "token"]


def _error(number: int, error: str) -> dict[str, Any]:
    return {
        "error": error,
        "error_description": f"AADSTS{number}: {TOLD_IN_ERRORS} of contoso.example. Trace ID: 0",
        "error_codes": [number],
        "timestamp": "2026-11-24 15:00:00Z",
        "trace_id": f"trace-{TOLD_IN_ERRORS}",
        "correlation_id": f"correlation-{TOLD_IN_ERRORS}",
        "error_uri": f"https://login.microsoftonline.com/error?code={number}",
    }


@contextlib.contextmanager
def fake_entra(authority: Authority) -> Iterator[FakeEntra]:
    """Run one, with a certificate of `authority` (OUTBOUND_CA_FILE must be its file)."""
    sock = listening_socket()
    entra = FakeEntra(f"https://localhost:{sock.getsockname()[1]}")
    app = WithTransport(Recorder(entra, entra.received))
    with serve(app, at=sock, tls=authority.server("localhost")):
        yield entra
