"""What is known of a publisher whose app this portal can manage: one record each, from the publisher's own documents.

A record is data. What a user was asked is frozen in `consent.terms.Terms`; how a publisher is spoken to (`Wire`) is
not, because a record that is mended must count for what was given before.
"""

import re
from dataclasses import dataclass, field
from datetime import date

PLACE = re.compile(r"\{([a-z_]+)\}")
# One label of a host name, for the patterns of variables: what its owner types can lead to no other host.
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"


@dataclass(frozen=True)
class Scope:
    """One thing that can be asked for, and what people read when they are asked for it."""

    name: str
    words: str


@dataclass(frozen=True)
class Variable:
    """A part of the publisher's addresses that the portal's owner enters with the app, such as a tenant.

    `pattern` is matched against the whole value. `default` is filled in; "" where the owner has to know it.
    """

    name: str
    label: str
    pattern: str
    example: str
    default: str = ""


@dataclass(frozen=True)
class Wire:
    """Where a publisher departs from RFC 6749, 7636 and 7009; the defaults are the standards.

    Paths are member names, from the top of the token answer inward.
    """

    scope_separator: str = " "
    scope_parameter: str = "scope"
    # How the token request is written: "form" or "json".
    body: str = "form"
    # Beside the standard parameters, in the two kinds of token request.
    exchange_params: dict[str, str] = field(default_factory=dict)
    refresh_params: dict[str, str] = field(default_factory=dict)
    token_headers: dict[str, str] = field(default_factory=dict)
    # Where the token members stand, in the answer to a code and in the answer to a refresh token.
    token_path: tuple[str, ...] = ()
    refreshed_path: tuple[str, ...] = ()
    # A member that is true in every success; "" for none.
    success_member: str = ""
    # In small letters. Some say something else than Bearer of what is a bearer token all the same; with "" among
    # them the member may be missing.
    token_types: tuple[str, ...] = ("bearer",)
    # Error codes by which a refresh token is dead, beside `invalid_grant`; they go before `client_errors`.
    ended_errors: tuple[str, ...] = ()
    # Statuses by which it is, also with a code that means something else to others; only where `error` is said in JSON.
    ended_statuses: tuple[int, ...] = ()
    # Error codes that mean that our app is refused, whatever the status, as `invalid_client` does.
    client_errors: tuple[str, ...] = ()
    # Seconds, where the answer has no `expires_in`; None where a token then lives until it is revoked.
    expires_default: int | None = None
    # How a token is cancelled: a name of `consent.revoking.WAYS`; "" where the publisher has none.
    revocation: str = "rfc7009"
    # True where cancelling one token ends everything that this account gave to the app.
    revocation_ends_all: bool = False


@dataclass(frozen=True)
class Publisher:
    """`checked` is the day on which the record was compared with `documents`, the publisher's own pages.

    None means that it has not been yet: it is offered all the same, and the owner of the portal is told so. Addresses
    may have places such as {tenant}, which `variables` fill. `grace`: for how many seconds a refresh token that was
    used is taken once more; 0 where it is not, None where the publisher does not say or does not replace it.
    """

    slug: str
    name: str
    initials: str
    documents: tuple[str, ...]
    checked: date | None
    # Where an app is registered, and what has to be chosen there.
    register_at: str
    register_hint: str
    authorization_url: str
    token_url: str
    refresh_url: str = ""
    revocation_url: str = ""
    userinfo_url: str = ""
    issuer: str = ""
    variables: tuple[Variable, ...] = ()
    scopes: tuple[Scope, ...] = ()
    # What is ticked on the form at first, and what always goes along because nothing works without it.
    default_scopes: tuple[str, ...] = ()
    fixed_scopes: tuple[str, ...] = ()
    client_auth: str = "basic"
    pkce: str = "S256"
    authorize_params: dict[str, str] = field(default_factory=dict)
    grace: int | None = None
    # How long access lives, in words for administrators.
    lives: str = ""
    wire: Wire = field(default_factory=Wire)

    def address(self, name: str, values: dict[str, str]) -> str:
        """One of the addresses, its places filled. Raises KeyError for a value that is missing."""
        return PLACE.sub(lambda place: values[place[1]], getattr(self, name))
