"""What the fakes of publishers have in common: apps, approvals, tokens, a ledger, faults on demand.

Each personality says what its publisher wants and how it answers. A request that the real one would refuse is refused.
"""

import base64
import contextlib
import hashlib
import json
import re
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlencode

from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from tests.fakes.faults import Plan, WithTransport
from tests.fakes.misbehaviour import Exchange, Misbehaviour
from tests.fakes.record import Received, Recorder
from tests.fakes.server import listening_socket, serve, url_of

FORM = "application/x-www-form-urlencoded"
FOR_EVER = float("inf")


class Refused(Exception):
    """An honest refusal, in the words of the personality: `error` may be a code or a text."""

    def __init__(self, error: str, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.status = error, status


class ShownAsPage(Exception):
    """A refusal that the person in the browser sees; nobody is sent back."""


@dataclass
class App:
    """An app registration."""

    redirect_uri: str
    client_id: str = field(default_factory=lambda: secrets.token_hex(10))
    client_secret: str = field(default_factory=lambda: f"canary-{secrets.token_hex(16)}")


@dataclass
class Approval:
    """What one person allowed one app, until it is killed."""

    account: str
    app: App
    scopes: tuple[str, ...]
    asked: dict[str, str]
    is_dead: bool = False


@dataclass
class Code:
    approval: Approval
    redirect_uri: str
    challenge: str


@dataclass
class Token:
    """`ends` and `spent_at` on the fake's clock; `spent_at` of a refresh token that was exchanged for the next."""

    approval: Approval
    ends: float = FOR_EVER
    spent_at: float | None = None


@dataclass(frozen=True)
class Asked:
    """One request, with what its parameters mean."""

    received: Received

    @property
    def query(self) -> dict[str, str]:
        return _each_once(parse_qsl(self.received.query, keep_blank_values=True))

    @property
    def kind(self) -> str:
        return self.header("content-type").partition(";")[0].strip().lower()

    @property
    def body(self) -> dict[str, str]:
        """The parameters of a form or of a JSON object."""
        if self.kind == "application/json":
            return dict(json.loads(self.received.body))
        return _each_once(parse_qsl(self.received.body.decode(), keep_blank_values=True))

    def header(self, name: str) -> str:
        """ "" where it does not come exactly once."""
        values = self.received.header(name)
        return values[0] if len(values) == 1 else ""

    @property
    def basic(self) -> tuple[str, str] | None:
        kind, _, encoded = self.header("authorization").partition(" ")
        if kind.lower() != "basic":
            return None
        name, _, secret = base64.b64decode(encoded).decode().partition(":")
        return unquote_plus(name), unquote_plus(secret)

    @property
    def bearer(self) -> str:
        kind, _, token = self.header("authorization").partition(" ")
        return token if kind.lower() == "bearer" else ""


class FakePublisher:
    """A running one. `account` is whoever sits at the browser; plan faults with `next` and `always`.

    Personalities say where their addresses are (`paths`, by the names of `Publisher`) and fill in the rest.
    """

    slug = ""
    paths: dict[str, str] = {}
    # Seconds of an access token; None where it lives until it is revoked.
    access_seconds: int | None = 3600
    # How an app proves itself at the token address.
    client_auth: tuple[str, ...] = ("post",)
    bodies: tuple[str, ...] = (FORM,)
    scope_parameter = "scope"
    scope_separator = re.compile(" ")
    # What the authorization request must say, beside the parameters of RFC 6749.
    must_ask: dict[str, str] = {}
    # Whether a refresh gives a new refresh token, and for how many seconds the one before is then still taken.
    rotates = False
    grace = 0.0
    # Whether a refresh token that is used after that ends the whole approval.
    ends_on_reuse = False

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.account = "octo-ben"
        self.plan = Plan()
        self.received: list[Received] = []
        self.approvals: list[Approval] = []
        self._ahead = 0.0
        self._apps: dict[str, App] = {}
        self._codes: dict[str, Code] = {}
        self._access: dict[str, Token] = {}
        self._refresh: dict[str, Token] = {}

    # What tests do

    def register(self, redirect_uri: str) -> App:
        app = App(redirect_uri)
        self._apps[app.client_id] = app
        return app

    def address(self, name: str, **values: str) -> str:
        """One of the addresses by its name in `Publisher`, its places filled; "" where there is none."""
        path = self.paths.get(name, "")
        return f"{self.origin}{path.format(**values)}" if path else ""

    def replace_secrets(self) -> None:
        """As if somebody had made new client secrets there."""
        for app in self._apps.values():
            app.client_secret = f"canary-{secrets.token_hex(16)}"

    def next(self, *misbehaviours: Misbehaviour, at: str = "token") -> None:
        """Each serves one request. at: "token", or "code" and "refresh" alone, "revocation", "userinfo"."""
        self.plan.next[at].extend(misbehaviours)

    def always(self, misbehaviour: Misbehaviour, at: str = "token") -> None:
        self.plan.always[at] = misbehaviour

    def behave(self) -> None:
        self.plan.next.clear()
        self.plan.always.clear()

    def calls(self, kind: str) -> list[Asked]:
        """Those of one kind, as of `next`, oldest first."""
        asked = [Asked(each) for each in list(self.received)]
        return [each for each in asked if kind in self._kinds(each)]

    def verify(self, access_token: str) -> dict[str, Any] | None:
        """The claims of a token that a resource lets in."""
        token = self._access.get(access_token)
        if token is None or token.approval.is_dead or token.ends <= self.now():
            return None
        approval = token.approval
        named = {"sub": approval.account, "username": approval.account, "client_id": approval.app.client_id}
        return named | {"scope": " ".join(approval.scopes)}

    def living(self) -> list[str]:
        """The accounts of approvals by which anything can still be done."""
        tokens = [*self._access.values(), *self._refresh.values()]
        return [a.account for a in self.approvals if any(t.approval is a and self._lives(t) for t in tokens)]

    def expire_access_tokens(self) -> None:
        for token in self._access.values():
            token.ends = self.now()

    def kill(self) -> None:
        """As if every person had taken it back at the publisher."""
        for approval in self.approvals:
            approval.is_dead = True

    def later(self, seconds: float) -> None:
        """Its clock goes forward."""
        self._ahead += seconds

    def now(self) -> float:
        return time.monotonic() + self._ahead

    # What the personalities fill in

    def problem(self, query: dict[str, str]) -> str:
        """What else is wrong with an authorization request, in words; "" for nothing."""
        return ""

    def scopes_of(self, query: dict[str, str]) -> tuple[str, ...]:
        return tuple(filter(None, self.scope_separator.split(query.get(self.scope_parameter, ""))))

    def gives_refresh_token(self, approval: Approval) -> bool:
        return True

    def token_answer(self, approval: Approval, members: dict[str, Any], *, is_refresh: bool) -> Response:
        """`members` has the tokens, their type and their life, as far as the publisher gives them."""
        return JSONResponse(members | {"scope": " ".join(approval.scopes)})

    def refusal(self, refused: Refused) -> Response:
        return JSONResponse({"error": refused.error}, refused.status)

    def bad_client(self) -> Refused:
        return Refused("invalid_client", 401)

    def bad_code(self) -> Refused:
        return Refused("invalid_grant")

    def bad_redirect(self) -> Refused:
        return self.bad_code()

    def dead(self) -> Refused:
        return Refused("invalid_grant")

    def userinfo(self, claims: dict[str, Any]) -> Response:
        return JSONResponse({"sub": claims["sub"], "email": claims["username"]})

    def revocation(self, asked: Asked) -> Response:
        raise Refused("not_found", 404)

    # How a request is answered

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Asked(self.received[-1])
        fault = self.plan.take(self._kinds(asked))
        if fault:
            await fault(Exchange(self._honest, {**scope, "asked": asked}, receive, send))
        else:
            await self._honest({**scope, "asked": asked}, receive, send)

    async def _honest(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answered(scope["asked"])(scope, receive, send)

    def _answered(self, asked: Asked) -> Response:
        try:
            return self._answer(asked)
        except ShownAsPage as problem:
            return Response(f"<h1>{problem}</h1>", 400, media_type="text/html")
        except Refused as refused:
            return self.refusal(refused)

    def _answer(self, asked: Asked) -> Response:
        name = self._address_of(asked)
        if name == "authorization_url" and asked.received.method == "GET":
            return self._authorized(asked.query)
        if name in ("token_url", "refresh_url") and asked.received.method == "POST":
            return self._tokens(asked, name)
        if name == "revocation_url":
            return self.revocation(asked)
        if name == "userinfo_url":
            claims = self.verify(asked.bearer)
            return self.userinfo(claims) if claims else Response("", 401)
        return Response("", 404)

    def _address_of(self, asked: Asked) -> str:
        """The name of the address that was asked."""
        for name, path in self.paths.items():
            if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path)), asked.received.path):
                return name
        return ""

    def _kinds(self, asked: Asked) -> list[str]:
        name = self._address_of(asked)
        if name not in ("token_url", "refresh_url"):
            return [name.removesuffix("_url")]
        with contextlib.suppress(ValueError):
            return ["code" if "code" in asked.body else "refresh", "token"]
        return ["token"]

    def _authorized(self, query: dict[str, str]) -> Response:
        app = self._apps.get(query.get("client_id", ""))
        if app is None:
            raise ShownAsPage("There is no such app")
        if query.get("redirect_uri") != app.redirect_uri:
            raise ShownAsPage("This redirect URI is not registered")
        self._check(query)
        approval = Approval(self.account, app, self.scopes_of(query), query)
        self.approvals.append(approval)
        code = secrets.token_urlsafe(16)
        self._codes[code] = Code(approval, app.redirect_uri, query.get("code_challenge", ""))
        return RedirectResponse(f"{app.redirect_uri}?{urlencode({'code': code, 'state': query['state']})}", 302)

    def _check(self, query: dict[str, str]) -> None:
        if query.get("response_type") != "code" or not query.get("state"):
            raise ShownAsPage("response_type and state are needed")
        if "code_challenge" in query and query.get("code_challenge_method") != "S256":
            raise ShownAsPage("The challenge is not S256")
        missing = [name for name, value in self.must_ask.items() if query.get(name) != value]
        if missing:
            raise ShownAsPage(f"Missing: {', '.join(missing)}")
        if not self.scopes_of(query) or any(re.search(r"[\s,]", scope) for scope in self.scopes_of(query)):
            raise ShownAsPage("These scopes are not known")
        if problem := self.problem(query):
            raise ShownAsPage(problem)

    def _tokens(self, asked: Asked, name: str) -> Response:
        if asked.kind not in self.bodies or asked.received.query:
            raise Refused("invalid_request")
        app = self._proved(asked)
        is_refresh = self.is_refresh(asked, name)
        approval = self._refreshed(app, asked.body) if is_refresh else self._exchanged(app, asked.body)
        return self.token_answer(approval, self._issued(approval, is_refresh), is_refresh=is_refresh)

    def is_refresh(self, asked: Asked, name: str) -> bool:
        """By the grant type, at the one address there is."""
        grant_type = asked.body.get("grant_type")
        if grant_type not in ("authorization_code", "refresh_token"):
            raise Refused("unsupported_grant_type")
        return grant_type == "refresh_token"

    def _proved(self, asked: Asked) -> App:
        """By exactly one way, which is one of the publisher's."""
        said = [("basic", asked.basic), ("post", (asked.body.get("client_id"), asked.body.get("client_secret")))]
        proofs = [(way, pair) for way, pair in said if pair and pair[1]]
        if len(proofs) != 1 or proofs[0][0] not in self.client_auth:
            raise self.bad_client()
        client_id, secret = proofs[0][1]
        app = self._apps.get(client_id)
        if app is None or not secrets.compare_digest(app.client_secret, secret):
            raise self.bad_client()
        return app

    def _exchanged(self, app: App, body: dict[str, str]) -> Approval:
        code = self._codes.pop(body.get("code", ""), None)
        if code is None or code.approval.app is not app:
            raise self.bad_code()
        if body.get("redirect_uri") != code.redirect_uri:
            raise self.bad_redirect()
        if code.challenge and _s256(body.get("code_verifier", "")) != code.challenge:
            raise self.bad_code()
        return code.approval

    def _refreshed(self, app: App, body: dict[str, str]) -> Approval:
        token = self._refresh.get(body.get("refresh_token", ""))
        if token is None or token.approval.is_dead or token.approval.app is not app:
            raise self.dead()
        if not self._lives(token):
            token.approval.is_dead = self.ends_on_reuse
            raise self.dead()
        if self.rotates and token.spent_at is None:
            token.spent_at = self.now()
        return token.approval

    def _lives(self, token: Token) -> bool:
        is_spent = token.spent_at is not None and token.spent_at + self.grace <= self.now()
        return not (token.approval.is_dead or is_spent or token.ends <= self.now())

    def _issued(self, approval: Approval, is_refresh: bool) -> dict[str, Any]:
        life = FOR_EVER if self.access_seconds is None else self.access_seconds
        access = f"access-{secrets.token_urlsafe(24)}"
        self._access[access] = Token(approval, self.now() + life)
        members: dict[str, Any] = {"access_token": access, "token_type": "Bearer"}
        if self.access_seconds is not None:
            members["expires_in"] = self.access_seconds
        if (self.rotates or not is_refresh) and self.gives_refresh_token(approval):
            refresh = f"refresh-{secrets.token_urlsafe(24)}"
            self._refresh[refresh] = Token(approval)
            members["refresh_token"] = refresh
        return members

    def approval_of(self, token: str) -> Approval | None:
        """Of a living token, whichever of the two it is."""
        found = self._access.get(token) or self._refresh.get(token)
        return found.approval if found and self._lives(found) else None

    def cancel(self, token: str) -> None:
        """This one token; the approval lives."""
        self._access.pop(token, None)
        self._refresh.pop(token, None)


def _each_once(pairs: list[tuple[str, str]]) -> dict[str, str]:
    if len(dict(pairs)) != len(pairs):
        raise Refused("invalid_request")
    return dict(pairs)


def _s256(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


@contextlib.contextmanager
def running(kind: type[FakePublisher]) -> Iterator[FakePublisher]:
    """Run one on a free loopback port."""
    sock = listening_socket()
    fake = kind(url_of(sock))
    with serve(WithTransport(Recorder(fake, fake.received)), at=sock):
        yield fake
