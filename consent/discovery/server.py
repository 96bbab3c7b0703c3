"""Authorization server metadata (RFC 8414, OpenID Connect Discovery), with the check of its issuer."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from connections.agent_card.text import shown
from consent.client_assertions import ALGORITHM, METHOD
from consent.discovery import addresses
from consent.discovery.asking import Asking
from consent.discovery.ways import Way, scopes_of

WHAT = "metadata"
CLIENT_AUTH = {
    "client_secret_basic": "basic",
    "client_secret_post": "post",
    "private_key_jwt": "private_key_jwt",
    "none": "none",
}
_ADDRESSES = {
    "authorization_url": "authorization_endpoint",
    "token_url": "token_endpoint",
    "revocation_url": "revocation_endpoint",
    "userinfo_url": "userinfo_endpoint",
}


@dataclass(frozen=True)
class Metadata:
    """A document whose issuer is the one that was asked for. `url` is where it was."""

    url: str
    issuer: str
    members: dict[str, Any]

    @property
    def registration_url(self) -> str:
        return addresses.usable(self.members.get("registration_endpoint"))

    @property
    def client_auths(self) -> list[str]:
        """Those that the form knows too, in the form's words; RFC 8414 2: not said means basic."""
        listed = self.members.get("token_endpoint_auth_methods_supported")
        named = listed if isinstance(listed, list) else ["client_secret_basic"]
        return [form for wire, form in CLIENT_AUTH.items() if wire in named and (wire != METHOD or self._takes_our_key)]

    @property
    def _takes_our_key(self) -> bool:
        listed = self.members.get("token_endpoint_auth_signing_alg_values_supported")
        return not isinstance(listed, list) or ALGORITHM in listed


def of_issuer(asking: Asking, issuer: str, forms: int = 4) -> Metadata | None:
    """The first document that is this issuer's own; any other is noted and not used.

    `forms`: in how many of the places it is looked for, where nobody has named the issuer.
    """
    for url in addresses.metadata_urls(issuer)[:forms]:
        if (found := _at(asking, url, (issuer,))) is not None:
            return found
    return None


def at_address(asking: Asking, url: str) -> Metadata | None:
    """The document that a card names. Where its address does not say whose it is, its issuer is asked again."""
    issuers = addresses.issuers_of(url)
    if issuers:
        return _at(asking, url, issuers)
    members = asking.document(url, WHAT)
    issuer = members.get("issuer") if members else None
    if not addresses.is_issuer(issuer):
        if members is not None:
            asking.note(url, "The metadata names no issuer that can be asked, so it was not used.")
        return None
    return of_issuer(asking, issuer)


def _at(asking: Asking, url: str, issuers: Sequence[str]) -> Metadata | None:
    members = asking.document(url, WHAT)
    if members is None:
        return None
    issuer = members.get("issuer")
    if issuer not in issuers:
        named = shown(issuer, 120) or "none"
        asking.note(url, f"The metadata names another issuer ({named}) than the one asked for, so it was not used.")
        return None
    asking.note(url, "Metadata read; its issuer is the one asked for.")
    return Metadata(url, issuer, members)


def way_of(metadata: Metadata, title: str) -> Way:
    """What the form can take of it."""
    members, url = metadata.members, metadata.url
    way = Way(title, issuer=metadata.issuer)
    for name, member in _ADDRESSES.items():
        way.put_address(name, members.get(member), url)
    way.put("issuer", metadata.issuer, url)
    way.known_scopes = scopes_of(members.get("scopes_supported"))
    way.registration_url = metadata.registration_url
    _put_pkce(way, members, url)
    if metadata.client_auths:
        way.put("client_auth", metadata.client_auths[0], url)
    else:
        way.notes.append("The authorization server accepts no client authentication that this form has.")
    return way


def _put_pkce(way: Way, members: dict[str, Any], url: str) -> None:
    """S256 is never turned off by what a server says: whoever wrote that could be after the code."""
    listed = members.get("code_challenge_methods_supported")
    if isinstance(listed, list) and "S256" in listed:
        way.put("pkce", "S256", url)
    else:
        way.notes.append("The metadata does not say that PKCE with S256 is supported. Turn it off only if it fails.")
