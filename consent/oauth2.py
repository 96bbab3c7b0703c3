"""The wire: RFC 6749 (code and refresh), 7636 (PKCE), 8707 (resource), and what publishers want instead.

What the publisher of the terms wants otherwise stands in its record (`Terms.wire`). How a token is cancelled is in
`consent.revoking`, what an answer means in `consent.token_answers`.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from consent import client_assertions
from consent.terms import Terms
from consent.token_answers import (
    ClientRefused,
    GrantEnded,
    ProviderBusy,
    RequestRefused,
    TokenRefused,
    Tokens,
    Uncertain,
    members_of,
    read,
)
from portal.outbound.errors import OutboundError
from portal.outbound.session import Answer, fetch
from portal.vault import Secret

__all__ = [
    "Client", "ClientRefused", "GrantEnded", "ProviderBusy", "RequestRefused", "TokenRefused", "Tokens", "Uncertain",
    "authorization_address", "exchange", "new_verifier", "post", "refresh",
]  # fmt: skip

LARGEST_ANSWER = 65_536
DEADLINE = 10.0
# Parameters that the flow itself sets; a connection's extra parameters can't change them.
OWN_PARAMETERS = frozenset(
    "response_type response_mode client_id client_secret redirect_uri scope state nonce code_challenge "
    "code_challenge_method code_verifier code grant_type refresh_token resource audience request request_uri".split()
)
# Where a userinfo answer may name the account: OpenID's claims, and what publishers say instead.
NAMES = ("preferred_username", "login", "email", "username", "user", "name", "sub")
BODIES = {"form": ("application/x-www-form-urlencoded", urlencode), "json": ("application/json", json.dumps)}


@dataclass(frozen=True)
class Client:
    """Our side at the provider: the terms, and the client secret or the private key where there is one.

    `deadline`: seconds for an answer of the token endpoint, None for the usual ones.
    """

    terms: Terms
    secret: Secret | None
    deadline: float | None = None


def new_verifier() -> str:
    """43 characters (RFC 7636 4.1)."""
    return secrets.token_urlsafe(32)


def challenge_of(verifier: str) -> str:
    """S256 (RFC 7636 4.2); `plain` is not offered."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def authorization_address(terms: Terms, state: str, verifier: str, nonce: str = "") -> str:
    """Where the user's browser goes to sign in and agree (RFC 6749 4.1.1); `nonce` for an id token."""
    parameters = {
        "response_type": "code",
        "client_id": terms.client_id,
        "redirect_uri": terms.redirect_uri,
        "state": state,
        "nonce": nonce,
        terms.wire.scope_parameter: terms.wire.scope_separator.join(terms.scopes),
        **_for_whom(terms),
    }
    if terms.pkce == "S256":
        parameters |= {"code_challenge": challenge_of(verifier), "code_challenge_method": "S256"}
    # The form refuses names of our own; a row that was written past it changes nothing either.
    entered = {name: value for name, value in terms.extra.items() if name.lower() not in OWN_PARAMETERS}
    parameters = entered | terms.authorize_params | parameters
    query = urlencode({name: value for name, value in parameters.items() if value})
    joint = "&" if urlsplit(terms.authorization_url).query else "?"
    return f"{terms.authorization_url}{joint}{query}"


def exchange(client: Client, code: str, verifier: str) -> Tokens:
    """RFC 6749 4.1.3. Raises TokenRefused."""
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": client.terms.redirect_uri}
    if client.terms.pkce == "S256":
        form["code_verifier"] = verifier
    wire = client.terms.wire
    form = wire.exchange_params | form | _for_whom(client.terms)
    return _tokens(client, client.terms.token_url, form, wire.token_path)


def refresh(client: Client, refresh_token: Secret) -> Tokens:
    """RFC 6749 6; `resource` goes again, because a server forgets it otherwise (RFC 8707 2.2). Raises TokenRefused."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token.reveal()}
    wire = client.terms.wire
    form = wire.refresh_params | form | _for_whom(client.terms)
    return _tokens(client, client.terms.refresh_url, form, wire.refreshed_path)


def userinfo(terms: Terms, access_token: Secret) -> dict[str, Any]:
    """What the provider's userinfo address says of the account; {} when it can't be told."""
    if not terms.userinfo_url:
        return {}
    headers = [("Authorization", f"Bearer {access_token.reveal()}"), ("Accept", "application/json")]
    try:
        answer = fetch("GET", terms.userinfo_url, headers=headers, limit=LARGEST_ANSWER, deadline=5.0)
    except OutboundError:
        return {}
    return members_of(answer) if answer.status == 200 else {}


def name_in(members: dict[str, Any]) -> str:
    """What people know the account by; "" where nothing says it."""
    names = (members.get(name) for name in NAMES)
    return next((name[:200] for name in names if isinstance(name, str) and name.isprintable() and name), "")


def _for_whom(terms: Terms) -> dict[str, str]:
    return {name: value for name, value in (("resource", terms.resource), ("audience", terms.audience)) if value}


def _tokens(client: Client, url: str, form: dict[str, str], path: tuple[str, ...]) -> Tokens:
    wire = client.terms.wire
    try:
        answer = post(client, url, form, body=wire.body, more=wire.token_headers, deadline=client.deadline)
    except OutboundError as error:
        raise (Uncertain() if error.sent else ProviderBusy()) from None
    return read(answer, wire, path)


def post(
    client: Client,
    url: str,
    form: dict[str, str],
    *,
    body: str = "form",
    more: Mapping[str, str] | None = None,
    deadline: float | None = None,
) -> Answer:
    """As our app registration, which is proved as the terms say. Raises OutboundError."""
    kind, written = BODIES[body]
    headers = list(({"Accept": "application/json", "Content-Type": kind} | dict(more or {})).items())
    if client.terms.client_auth == "basic" and client.secret:
        headers.append(("Authorization", basic(client)))
    else:
        form = form | {"client_id": client.terms.client_id}
        if client.terms.client_auth == "post" and client.secret:
            form["client_secret"] = client.secret.reveal()
        elif client.terms.client_auth == client_assertions.METHOD and client.secret:
            form |= client_assertions.parameters(client.terms.client_id, client.terms.issuer, client.secret)
    data, seconds = written(form).encode(), deadline or DEADLINE
    return fetch("POST", url, headers=headers, data=data, limit=LARGEST_ANSWER, deadline=seconds)


def basic(client: Client) -> str:
    """Both parts form-encoded before they are joined (RFC 6749 2.3.1), or a secret with a colon is another one."""
    pair = f"{quote(client.terms.client_id, safe='')}:{quote(client.secret.reveal(), safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
