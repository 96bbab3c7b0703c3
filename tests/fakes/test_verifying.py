"""The verifying endpoint takes good tokens only, and reads an issuer's keys when it must and no more often."""

import base64
import hmac
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from a2a.client.errors import A2AClientError
from joserfc import jwt

from demo import published_keys
from demo.roles import Principal
from tests.fakes.server import listening_socket, url_of
from tests.fakes.stock_client import send
from tests.fakes.token_issuer import DISCOVERY, PRINCIPAL, TokenIssuer, signing_key
from tests.fakes.verifying import Refusal
from tests.outbound.authority import Authority

HR = "api://contoso-hr"
JSON_RPC = ("JSONRPC", "1.0")
NOT_SIGNED = "The token is not signed by a key that its issuer publishes"
OTHER_WAY = "The token is not signed in a way that is accepted here"
NO_ACCESS_TOKEN = "The token is no access token"
CLAIM_WRONG = "The token has a claim missing or wrong"


def whoami(agent, token) -> str:
    [event] = send(agent.url, JSON_RPC, "whoami", headers=_bearer(token))
    return event.message.parts[0].text


def refused(agent, token) -> Refusal:
    answer = httpx.post(agent.url, json={}, headers=_bearer(token))
    assert answer.status_code == agent.refusals[-1].status
    return agent.refusals[-1]


def _bearer(token):
    return {"authorization": f"Bearer {token}"}


def test_a_good_token_comes_in_and_is_written_down(verifying_agent, issuer):
    agent = verifying_agent(issuer.url, HR)
    token = issuer.token(HR)
    assert whoami(agent, token) == f"{PRINCIPAL} through client-of-the-identity"
    assert agent.subjects() == [PRINCIPAL]
    assert (agent.visits[0].token, agent.visits[0].claims["aud"]) == (token, HR)
    assert agent.refusals == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"aud": "api://contoso-payroll"}, "The token is for another audience"),
        ({"aud": None}, "The token is for another audience"),
        ({"iss": "http://127.0.0.1:1/issuer"}, "The token is of another issuer"),
        ({"iss": None}, "The token is of another issuer"),
        ({"exp": -60}, "The token has expired"),
        ({"exp": None}, CLAIM_WRONG),
        ({"exp": float("nan")}, CLAIM_WRONG),
        ({"sub": None}, CLAIM_WRONG),
        ({"nbf": 60}, "The token is not valid yet"),
        ({"header": {"typ": "JWT"}}, NO_ACCESS_TOKEN),
        ({"header": {"typ": None}}, NO_ACCESS_TOKEN),
        ({"header": {"kid": None}}, OTHER_WAY),
        ({"header": {"kid": "unknown"}}, NOT_SIGNED),
        ({"key": signing_key(9)}, NOT_SIGNED),
        ({"key": signing_key(9), "header": {"kid": signing_key(1).kid}}, NOT_SIGNED),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, dict) else "",
)
def test_a_token_that_is_wrong_anywhere_is_refused_with_the_reason(verifying_agent, issuer, changed, reason):
    agent = verifying_agent(issuer.url, HR)
    now = int(time.time())
    moved = {name: now + changed[name] for name in ("exp", "nbf") if isinstance(changed.get(name), int)}
    assert refused(agent, issuer.token(HR, **{**changed, **moved})) == Refusal(401, reason)
    assert agent.visits == []


def test_no_key_is_taken_for_a_shared_secret(verifying_agent, issuer):
    agent = verifying_agent(issuer.url, HR)
    [key] = issuer.published
    claims = jwt.decode(issuer.token(HR), key).claims
    known = {"typ": "at+jwt", "kid": key.kid}
    signed = f"{_encoded({**known, 'alg': 'HS256'})}.{_encoded(claims)}"
    forged = _base64url(hmac.digest(key.as_pem(private=False), signed.encode(), "sha256"))
    assert refused(agent, f"{signed}.{forged}") == Refusal(401, OTHER_WAY)
    assert refused(agent, f"{_encoded({**known, 'alg': 'none'})}.{_encoded(claims)}.").status == 401
    assert issuer.asked == []


def _encoded(members: dict) -> str:
    return _base64url(json.dumps(members).encode())


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def test_without_its_role_an_identity_is_known_and_refused(verifying_agent, issuer):
    agent = verifying_agent(issuer.url, HR, role="HR.Read")
    answer = httpx.post(agent.url, json={}, headers=_bearer(issuer.token(HR)))
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
    assert agent.refusals == [Refusal(403, "The identity has no role HR.Read here")]
    agent.role.assign(Principal(PRINCIPAL))
    assert whoami(agent, issuer.token(HR)).startswith(PRINCIPAL)


def test_the_issuer_may_start_later_and_its_keys_are_read_once(verifying_agent, issuer):
    issuer.answers = False
    agent = verifying_agent(issuer.url, HR)
    assert refused(agent, issuer.token(HR)).status == 503
    issuer.answers = True
    issuer.asked.clear()
    for _ in range(3):
        whoami(agent, issuer.token(HR))
    assert issuer.asked == [DISCOVERY, "/jwks.json"]


def test_a_new_key_is_read_when_a_token_names_it(verifying_agent, issuer, monkeypatch):
    monkeypatch.setattr(published_keys, "AT_LEAST_SECONDS", 0)
    agent = verifying_agent(issuer.url, HR)
    old = issuer.token(HR)
    whoami(agent, old)
    issuer.rotate()
    whoami(agent, issuer.token(HR))
    whoami(agent, old)
    assert issuer.asked.count("/jwks.json") == 2


def test_tokens_with_unknown_keys_do_not_make_it_ask_again_and_again(verifying_agent, issuer):
    agent = verifying_agent(issuer.url, HR)
    for number in range(4):
        assert refused(agent, issuer.token(HR, header={"kid": f"unknown-{number}"})).status == 401
    assert issuer.asked.count("/jwks.json") == 1


def test_known_keys_serve_while_the_issuer_is_away(verifying_agent, issuer, monkeypatch):
    monkeypatch.setattr(published_keys, "AT_LEAST_SECONDS", 0)
    agent = verifying_agent(issuer.url, HR)
    whoami(agent, issuer.token(HR))
    issuer.answers = False
    assert refused(agent, issuer.token(HR, header={"kid": "unknown"})) == Refusal(401, NOT_SIGNED)
    assert whoami(agent, issuer.token(HR)).startswith(PRINCIPAL)


def test_a_document_that_names_another_issuer_is_not_believed(verifying_agent, issuer):
    claimed = "https://login.contoso.example/tenant"
    agent = verifying_agent(claimed, HR, discovery=f"{issuer.url}{DISCOVERY}")
    assert refused(agent, issuer.token(HR, iss=claimed)).status == 503


@pytest.fixture
def behind_tls(tmp_path) -> Iterator[tuple[TokenIssuer, ssl.SSLContext]]:
    """An issuer whose documents are read over TLS, and the context that trusts its certificate."""
    authority = Authority(tmp_path)
    sock = listening_socket()
    issuer = TokenIssuer(f"{url_of(sock).replace('http:', 'https:')}/issuer")

    class Documents(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            document = issuer.document() if self.path.endswith(DISCOVERY) else issuer.jwks()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(document).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(sock.getsockname(), Documents, bind_and_activate=False)
    server.socket.close()
    server.socket = authority.server("127.0.0.1").wrap_socket(sock, server_side=True)
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield issuer, ssl.create_default_context(cafile=authority.file)
    server.shutdown()
    server.server_close()


def test_over_tls_an_issuer_is_read_by_those_who_trust_it(verifying_agent, behind_tls):
    issuer, trust = behind_tls
    token = issuer.token(HR, header={"typ": "JWT"})
    assert whoami(verifying_agent(issuer.url, HR, trust=trust, types=["JWT"]), token).startswith(PRINCIPAL)
    with pytest.raises(A2AClientError, match="503"):
        whoami(verifying_agent(issuer.url, HR, types=["JWT"]), token)
