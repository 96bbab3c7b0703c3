"""Dynamic registration (RFC 7591): this portal becomes a client of the authorization server that a connection names.

The server is asked for its metadata anew, and only a server whose addresses are the saved ones is registered at: the
secret that it gives is sealed to those.
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from time import monotonic
from typing import Any

from django.views.decorators.debug import sensitive_variables

from connections import keeping
from connections.agent_card.interfaces import origin_of
from connections.drafts import Draft
from connections.methods.base import Acted
from connections.models import Connection
from connections.secrets import NewSecret
from consent import client_keys, events
from consent.client_assertions import ALGORITHM, METHOD
from consent.clients import SECRET_FIELD
from consent.discovery import addresses, server
from consent.discovery.asking import Asking, members_of
from consent.discovery.server import CLIENT_AUTH, Metadata
from consent.terms import Terms, shown_host
from portal.audit import changes, log
from portal.audit.events import Outcome
from portal.users import User
from portal.vault import Secret

SECONDS = 20.0
NAME = "Gatehouse"
LONGEST_ID, LONGEST_SECRET = 500, 8_000
IS_MANAGED = "This connection uses a publisher's app of this portal, so there is nothing to register."
HAS_CLIENT = "This connection has a client ID already. To register anew, remove it and update the connection first."
NO_ISSUER = "No issuer is saved, so nobody knows where to register. Press Find settings, then Update."
NOT_OFFERED = "The authorization server offers no registration. Register this portal there by hand."
MOVED = (
    "The authorization server now names other addresses than the saved ones, so nothing was registered. Press Find "
    "settings, look at them, and update the connection first."
)
ANOTHER_HOST = "The registration address is at a host that none of the saved addresses names, so it was not used."
NO_AUTH = "The authorization server accepts no client authentication that this portal has."
LOST = "The portal was registered, but somebody changed the connection meanwhile and nothing was saved. Press again."
NOT_KEPT = (
    " The authorization server also gave a token that changes or ends the registration; the portal does not keep it."
)


class RegistrationRefused(Exception):
    """Why nothing was registered, in a sentence of our own."""


@dataclass(frozen=True)
class Registered:
    """What the server gave; `secret` is None for a public client. `has_token`: RFC 7592, which is not kept."""

    client_id: str
    secret: Secret | None
    client_auth: str
    expires_on: date | None
    has_token: bool


@sensitive_variables()
def register(connection: Connection, by: User) -> Acted:
    """Asks the network, then saves client ID and secret with their rows in the log. Not inside a transaction."""
    try:
        given = _registered(connection)
    except RegistrationRefused as refused:
        _log(connection, by, Outcome.FAILED)
        return Acted(False, str(refused))
    try:
        with changes.announced():
            keeping.change(connection, _draft(connection, given), by)
            _log(connection, by, Outcome.SUCCEEDED)
    except (keeping.ChangedMeanwhile, keeping.WouldClear):
        _log(connection, by, Outcome.FAILED)
        return Acted(False, LOST)
    host = shown_host(connection.settings["issuer"])
    kept = "Its client ID and secret are stored." if given.secret else "Its client ID is stored; it needs no secret."
    return Acted(True, f"This portal is registered at {host}. {kept}{NOT_KEPT if given.has_token else ''}")


def _registered(connection: Connection) -> Registered:
    terms = Terms.now(connection)
    if terms.publisher:
        raise RegistrationRefused(IS_MANAGED)
    if terms.client_id:
        raise RegistrationRefused(HAS_CLIENT)
    if not terms.issuer:
        raise RegistrationRefused(NO_ISSUER)
    asking = Asking(monotonic() + SECONDS)
    found = server.of_issuer(asking, terms.issuer) if addresses.is_issuer(terms.issuer) else None
    if found is None:
        raise RegistrationRefused(" ".join(["The authorization server's metadata can't be read.", *_said(asking)]))
    client_auth = _checked(found, terms)
    return _ask(asking, found, terms, client_auth, _keys_of(connection) if client_auth == METHOD else {})


def _keys_of(connection: Connection) -> dict[str, str]:
    """RFC 7591 2: by reference, so that the server learns of each next key by itself."""
    return {"jwks_uri": client_keys.current(connection).url, "token_endpoint_auth_signing_alg": ALGORITHM}


def _checked(found: Metadata, terms: Terms) -> str:
    """How the client will authenticate; what was saved where the server accepts it."""
    told = server.way_of(found, "")
    if (told.get("authorization_url"), told.get("token_url")) != (
        addresses.usable_for_browsers(terms.authorization_url),
        addresses.usable(terms.token_url),
    ):
        raise RegistrationRefused(MOVED)
    if not found.registration_url:
        raise RegistrationRefused(NOT_OFFERED)
    shown = (terms.issuer, terms.authorization_url, terms.token_url)
    if origin_of(found.registration_url) not in {origin_of(url) for url in shown}:
        raise RegistrationRefused(ANOTHER_HOST)
    if not found.client_auths:
        raise RegistrationRefused(NO_AUTH)
    return terms.client_auth if terms.client_auth in found.client_auths else found.client_auths[0]


def _ask(asking: Asking, found: Metadata, terms: Terms, client_auth: str, keys: dict[str, str]) -> Registered:
    wanted = {
        "client_name": NAME,
        "application_type": "web",
        "redirect_uris": [terms.redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": next(wire for wire, form in CLIENT_AUTH.items() if form == client_auth),
        **({"scope": " ".join(terms.scopes)} if terms.scopes else {}),
        **keys,
    }
    headers = [("Accept", "application/json"), ("Content-Type", "application/json")]
    answer = asking.ask("POST", found.registration_url, headers, json.dumps(wanted).encode())
    if answer is None:
        raise RegistrationRefused(" ".join(["The registration was not answered.", *_said(asking)[-1:]]))
    if answer.status not in (200, 201):
        raise RegistrationRefused(f"The authorization server refused the registration: {answer.status}.")
    return _read(members_of(answer.body) or {}, terms, client_auth)


def _read(members: dict[str, Any], terms: Terms, client_auth: str) -> Registered:
    client_id, secret = members.get("client_id"), members.get("client_secret")
    if not _is_plain(client_id, LONGEST_ID):
        raise RegistrationRefused("The authorization server's answer to the registration has no usable client ID.")
    answered = members.get("redirect_uris", [terms.redirect_uri])
    if not isinstance(answered, list) or terms.redirect_uri not in answered:
        raise RegistrationRefused("The authorization server registered another redirect URL than this connection's.")
    client_auth = _answered_auth(members.get("token_endpoint_auth_method"), client_auth)
    has_secret = client_auth not in ("none", METHOD)
    if has_secret and not _is_plain(secret, LONGEST_SECRET):
        raise RegistrationRefused("The authorization server's answer to the registration has no usable client secret.")
    return Registered(
        client_id,
        Secret(secret) if has_secret else None,
        client_auth,
        _expiry(members.get("client_secret_expires_at")),
        bool(members.get("registration_access_token")),
    )


def _answered_auth(answered: object, asked: str) -> str:
    """The server may register another one than was asked for (RFC 7591 3.2.1)."""
    if answered is None or answered == asked:
        return asked
    if answered == METHOD:
        # It was told no keys, so it can't check a signature.
        raise RegistrationRefused(NO_AUTH)
    if not isinstance(answered, str) or answered not in CLIENT_AUTH:
        raise RegistrationRefused(NO_AUTH)
    return CLIENT_AUTH[answered]


def _is_plain(value: object, longest: int) -> bool:
    """RFC 6749, A.1 and A.2: visible ASCII and spaces."""
    return isinstance(value, str) and 0 < len(value) <= longest and value.isascii() and value.isprintable()


def _expiry(seconds: object) -> date | None:
    """0 stands for never (RFC 7591 3.2.1); so does what is no moment."""
    if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).date()
    except (OverflowError, ValueError, OSError):
        return None


def _draft(connection: Connection, given: Registered) -> Draft:
    kept = Draft(
        endpoint=connection.endpoint,
        card_path=connection.card_path,
        send_credentials_for_card=connection.send_credentials_for_card,
        auth_method=connection.auth_method,
        settings=connection.settings | {"client_id": given.client_id, "client_auth": given.client_auth},
        display_name=connection.display_name,
    )
    if given.secret is None:
        return kept
    return replace(kept, secrets=(NewSecret(SECRET_FIELD, 0, "", given.secret.reveal(), given.expires_on),))


def _said(asking: Asking) -> list[str]:
    return list(dict.fromkeys(tried.sentence for tried in asking.tried))


def _log(connection: Connection, by: User, outcome: Outcome) -> None:
    host = shown_host(connection.settings.get("issuer", ""))
    columns = {"project": connection.project, "connection": connection, "outcome": outcome}
    log.record(events.REGISTERED, log.Actor.of(by), **columns, details={"host": host})
