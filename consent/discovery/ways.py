"""A way to sign in: one authorization server, with everything that is known of it and from where.

Values of two servers never meet in one way: a sign-in at one and a token address of the other is the mix-up (T16).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from consent.discovery import addresses
from consent.forms import SCOPE, OAuthSettings

CARD = "the agent card"
MOST_SCOPES, LONGEST_SCOPE = 60, 200
# What decides which authorization server it is.
ANCHORS = ("authorization_url", "token_url", "issuer")
# Where people, codes and tokens go. They belong to one server and are only used together.
ADDRESSES = ("authorization_url", "token_url", "refresh_url", "revocation_url", "userinfo_url", "issuer")


@dataclass(frozen=True)
class Value:
    """One setting of the form, and where it came from: the card, or an address."""

    name: str
    value: Any
    source: str

    @property
    def label(self) -> str:
        return OAuthSettings.base_fields[self.name].label


@dataclass(eq=False)
class Way:
    """`lead` is the address of its metadata that the card names, `issuer` whom to ask where nothing is known yet.

    `known_scopes` are all that the server has; which of them are needed, it does not say.
    """

    title: str
    lead: str = ""
    issuer: str = ""
    values: dict[str, Value] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    known_scopes: tuple[str, ...] = ()
    registration_url: str = ""
    spelling: str = ""

    def __post_init__(self) -> None:
        """What distinguishes it from the others, the same at each press."""
        parts = (self.title, self.lead, self.issuer, self.spelling)
        self.key = hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest()[:16]

    def put(self, name: str, value: Any, source: str) -> None:
        """The first source counts."""
        if value and name not in self.values:
            self.values[name] = Value(name, value, source)

    def put_address(self, name: str, url: object, source: str) -> None:
        if not url:
            return
        reads = addresses.usable_for_browsers if name == "authorization_url" else addresses.usable
        address = reads(url)
        if not address:
            label = OAuthSettings.base_fields[name].label
            self.notes.append(f"The {label} that {_named(source)} names can't be used and was left out.")
        self.put(name, address, source)

    def get(self, name: str) -> Any:
        return self.values[name].value if name in self.values else None

    def agrees(self, other: "Way") -> bool:
        """Whether both send people and codes to the same addresses."""
        pair = ("authorization_url", "token_url")
        return all(self.get(name) and self.get(name) == other.get(name) for name in pair)

    def fold(self, other: "Way") -> None:
        """Takes over what another source says of the same server."""
        self.values = other.values | self.values
        self.notes += [note for note in other.notes if note not in self.notes]
        self.known_scopes = self.known_scopes or other.known_scopes
        self.registration_url = self.registration_url or other.registration_url


def scopes_of(names: object) -> tuple[str, ...]:
    """Those of a list that can be scopes, each once."""
    listed: Iterable = names if isinstance(names, list | tuple) else ()
    fitting = (name for name in listed if isinstance(name, str) and len(name) <= LONGEST_SCOPE)
    return tuple(dict.fromkeys(name for name in fitting if SCOPE.fullmatch(name)))[:MOST_SCOPES]


def _named(source: str) -> str:
    return source if source == CARD else "the metadata"
