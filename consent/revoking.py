"""How a provider is told that a token is no longer wanted: RFC 7009, or the way that its publisher has instead.

`Wire.revocation` names the way. Each says True where the provider has confirmed it, False where it should be told
again, None where it will never confirm it of this token.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

from consent import oauth2
from consent.oauth2 import Client
from consent.terms import Terms
from consent.token_answers import members_of
from portal.outbound.errors import OutboundError
from portal.outbound.session import Answer, fetch
from portal.vault import Secret


@dataclass(frozen=True)
class Way:
    """`kinds`: which of the two tokens can be told of, first the one that counts."""

    tell: Callable[[Client, Secret, str], bool | None]
    kinds: tuple[str, ...] = ("refresh_token", "access_token")


def kinds(terms: Terms) -> tuple[str, ...]:
    """The tokens to tell of, in order; none where the publisher has no way any more."""
    return WAYS[terms.wire.revocation].kinds if terms.can_be_told else ()


def revoke(client: Client, token: Secret, kind: str) -> bool | None:
    """One request; `kind` is "refresh_token" or "access_token"."""
    try:
        return WAYS[client.terms.wire.revocation].tell(client, token, kind)
    except OutboundError:
        return False


def _standard(client: Client, token: Secret, kind: str) -> bool | None:
    """RFC 7009 2.1, as our app registration."""
    form = {"token": token.reveal(), "token_type_hint": kind}
    return _said(oauth2.post(client, client.terms.revocation_url, form))


def _alone(client: Client, token: Secret, _kind: str) -> bool | None:
    """Google and Salesforce: whoever has a token may cancel it; the app is not asked for."""
    return _said(_asked("POST", client, {"Content-Type": FORM}, urlencode({"token": token.reveal()})))


def _said(answer: Answer) -> bool | None:
    """A token that the provider does not know is cancelled (RFC 7009 2.2), also where it calls that an error.

    None: it says that it never cancels tokens of this kind (2.2.1).
    """
    error = members_of(answer).get("error") if answer.status == 400 else ""
    return None if error == "unsupported_token_type" else answer.status == 200 or error == "invalid_token"


def _github(client: Client, token: Secret, _kind: str) -> bool | None:
    """GitHub's REST API, "Delete an app token". A 404 is said of an unknown token as well as of an unknown app."""
    if client.secret is None:
        return None
    headers = {"Content-Type": "application/json", "Authorization": oauth2.basic(client)}
    return _asked("DELETE", client, headers, json.dumps({"access_token": token.reveal()})).status == 204


def _slack(client: Client, token: Secret, _kind: str) -> bool | None:
    """Slack's `auth.revoke`: the token that is sent is the one that ends. An expired one can't be sent."""
    answer = _asked("POST", client, {"Authorization": f"Bearer {token.reveal()}"}, "")
    members = members_of(answer) if answer.status == 200 else {}
    if members.get("error") == "token_expired":
        return None
    return members.get("revoked") is True or members.get("error") in ("token_revoked", "account_inactive")


def _asked(method: str, client: Client, headers: dict[str, str], body: str) -> Answer:
    pairs = [("Accept", "application/json"), *headers.items()]
    url, limit, deadline = client.terms.revocation_url, oauth2.LARGEST_ANSWER, oauth2.DEADLINE
    return fetch(method, url, headers=pairs, data=body.encode(), limit=limit, deadline=deadline)


FORM = "application/x-www-form-urlencoded"
WAYS = {
    "rfc7009": Way(_standard),
    "google": Way(_alone),
    "github": Way(_github, kinds=("access_token",)),
    "slack": Way(_slack, kinds=("access_token",)),
}
