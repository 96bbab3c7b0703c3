"""What a card says about signing in: schemes and their alternatives, in either dialect (protocols.md 1.3)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from connections.agent_card.interfaces import dicts, text
from connections.agent_card.text import shown
from connections.methods import methods
from connections.methods.entra import AgentIdentity
from connections.methods.key_based import KeyBased, name_problem
from connections.methods.unauthenticated import Unauthenticated
from portal.identities.issuer import issuer

MOST = 12
IDENTITY = "identity"
# The method that a later storey brings; suggested only where the registry has it.
PASSTHROUGH = "oauth-identity-passthrough"

# The member that wraps a scheme in 1.0, and the `type` of 0.3.
_KINDS = {
    "apiKeySecurityScheme": "apiKey",
    "httpAuthSecurityScheme": "http",
    "oauth2SecurityScheme": "oauth2",
    "openIdConnectSecurityScheme": "openIdConnect",
    "mtlsSecurityScheme": "mutualTLS",
}


@dataclass(frozen=True)
class Scheme:
    """One way, or part of a way, to sign in. `header` and `prefix` are what a key-based connection would send."""

    kind: str
    sentence: str
    header: str = ""
    prefix: str = ""

    @property
    def is_key(self) -> bool:
        return bool(self.header)

    @property
    def is_identity(self) -> bool:
        """A token of the agent's own, of Microsoft Entra or this portal's issuer."""
        return self.kind == IDENTITY

    @property
    def is_sign_in(self) -> bool:
        return self.kind in ("oauth2", "openIdConnect")


@dataclass(frozen=True)
class Suggestion:
    """`method_slug` is None where no method of this portal does it; `reason` says why, in sentences.

    `credential_name` is a header; `credential_prefix` stands before the value, with a space between ("Bearer").
    """

    method_slug: str | None
    reason: str
    credential_name: str | None = None
    credential_prefix: str | None = None


Alternative = tuple[Scheme, ...]


@dataclass(frozen=True)
class Declared:
    """One scheme as the card spells it: its name there, its own object, and the scopes that are required of it."""

    name: str
    kind: str
    body: dict[str, Any]
    scopes: tuple[str, ...]
    scheme: Scheme


def declared(card: dict[str, Any]) -> list[tuple[Declared, ...]]:
    """`alternatives` with all that the card says about each scheme; every text in it is the endpoint's."""
    schemes = card.get("securitySchemes")
    bodies = {name: body for name, body in schemes.items() if isinstance(body, dict)} if _is(schemes) else {}
    required = list(_required(card))[:MOST] or [{name: None} for name in list(bodies)[:MOST]]
    return [
        tuple(_declared(name, bodies.get(name, {}), scopes) for name, scopes in list(names.items())[:MOST])
        for names in required
    ]


def _declared(name: str, body: dict[str, Any], required: Any) -> Declared:
    kind, own = _unwrapped(body)
    listed = required.get("list") if _is(required) else required
    scopes = tuple(scope for scope in listed if isinstance(scope, str)) if isinstance(listed, list) else ()
    return Declared(name, kind, own, scopes, _of_kind(kind, own))


def _is(value: Any) -> bool:
    return isinstance(value, dict)


def alternatives(card: dict[str, Any]) -> list[Alternative]:
    """Each is a set of schemes needed together; an empty one allows anonymous calls. [] where nothing is said."""
    schemes = _schemes(card)
    required = list(_required(card))[:MOST]
    if not required:
        return [(scheme,) for scheme in list(schemes.values())[:MOST]]
    named = [list(names)[:MOST] for names in required]
    return list(dict.fromkeys(tuple(schemes.get(name, _unknown()) for name in names) for names in named))


def sentences(card: dict[str, Any]) -> tuple[str, ...]:
    """Each alternative as a person reads it."""
    found = alternatives(card)
    if not found:
        return ("None declared",)
    return tuple(" and ".join(scheme.sentence for scheme in one) or "No sign-in needed" for one in found)


def suggestion(card: dict[str, Any]) -> Suggestion:
    """The authentication method that fits what the card declares."""
    found = alternatives(card)
    if not found:
        return Suggestion(Unauthenticated.slug, "The card declares no security scheme.")
    if () in found:
        return Suggestion(Unauthenticated.slug, "The card says that calls without sign-in are accepted.")
    return _keys(found) or _identity(found) or _sign_in(found) or _nothing(found)


def _keys(found: list[Alternative]) -> Suggestion | None:
    fitting = next((one for one in found if all(scheme.is_key for scheme in one)), None)
    if fitting is None:
        return None
    users = any(scheme.is_sign_in for one in found for scheme in one)
    ways = "one way in" if len(found) == 1 else f"{len(found)} ways in; this portal can use"
    named = " and ".join(_within(scheme.sentence) for scheme in fitting)
    sign_in = "It also declares a sign-in for users." if users else "It declares no sign-in for users."
    joined = f"{ways}: {named}" if len(found) == 1 else f"{ways} {named}"
    first = fitting[0]
    return Suggestion(KeyBased.slug, f"The card declares {joined}. {sign_in}", first.header, first.prefix or None)


def _identity(found: list[Alternative]) -> Suggestion | None:
    fitting = next((one for one in found if len(one) == 1 and one[0].is_identity), None)
    if fitting is None:
        return None
    reason = f"The card asks for {_within(fitting[0].sentence)}, so no secret has to be kept."
    return Suggestion(AgentIdentity.slug, reason)


def _sign_in(found: list[Alternative]) -> Suggestion | None:
    if not any(all(scheme.is_sign_in for scheme in one) for one in found):
        return None
    slug = PASSTHROUGH if PASSTHROUGH in methods() else None
    reason = "The card declares a sign-in for users, so each user can connect with their own account."
    if slug is None:
        reason = "The card declares a sign-in for users. This portal has no method for that yet."
    return Suggestion(slug, reason)


def _nothing(found: list[Alternative]) -> Suggestion:
    named = _within(found[0][0].sentence)
    return Suggestion(None, f"The card asks for {named}. No authentication method of this portal can do that.")


def _within(sentence: str) -> str:
    """The sentence as it reads inside another one."""
    first, _, rest = sentence.replace(" in header ", " in the header ").partition(" ")
    opening = {"Token": "a token", "API": "an API", "Bearer": "a bearer", "User": "a user", "A": "a"}.get(first, first)
    return f"{opening} {rest}".rstrip()


def _schemes(card: dict[str, Any]) -> dict[str, Scheme]:
    declared = card.get("securitySchemes")
    if not isinstance(declared, dict):
        return {}
    return {name: _scheme(body) for name, body in declared.items() if isinstance(body, dict)}


def _scheme(body: dict[str, Any]) -> Scheme:
    return _of_kind(*_unwrapped(body))


def _unwrapped(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The scheme's kind and its own members, in 1.0's spelling or 0.3's."""
    wrapper = next((member for member in _KINDS if isinstance(body.get(member), dict)), None)
    return (_KINDS[wrapper], body[wrapper]) if wrapper else (text(body.get("type")), body)


def _of_kind(kind: str, body: dict[str, Any]) -> Scheme:
    if kind == "apiKey":
        return _api_key(shown(body.get("name"), 80), text(body.get("location") or body.get("in")))
    if kind == "http":
        return _http(shown(body.get("scheme"), 40))
    if sentence := _identity_wanted(kind, body):
        return Scheme(IDENTITY, sentence)
    return {
        "oauth2": Scheme(kind, "OAuth 2.0 sign-in"),
        "openIdConnect": Scheme(kind, "OpenID Connect sign-in"),
        "mutualTLS": Scheme(kind, "A client certificate (mutual TLS)"),
    }.get(kind) or _unknown()


def _identity_wanted(kind: str, body: dict[str, Any]) -> str:
    """Who issues the tokens of programs that the endpoint accepts; "" where it wants something else."""
    if kind == "openIdConnect" and text(body.get("openIdConnectUrl")).startswith(f"{issuer()}/"):
        return "Token of this portal's own issuer"
    flows = body.get("flows") if kind == "oauth2" else None
    program = flows.get("clientCredentials") if isinstance(flows, dict) else None
    is_entra = isinstance(program, dict) and text(program.get("tokenUrl")).startswith(f"{settings.ENTRA_AUTHORITY}/")
    return "Token of Microsoft Entra" if is_entra and "authorizationCode" not in flows else ""


def _api_key(name: str, location: str) -> Scheme:
    if location == "header" and name_problem(name) is None:
        return Scheme("apiKey", f"API key in header {name}", header=name)
    place = {"query": "query parameter", "cookie": "cookie", "header": "header"}.get(location, "unknown place")
    return Scheme("apiKey", f"API key in {place} {name}".rstrip())


def _http(scheme: str) -> Scheme:
    # Scheme names are case-insensitive (RFC 9110, 11.1).
    if scheme.casefold() == "bearer":
        return Scheme("http", "Bearer token in header Authorization", header="Authorization", prefix="Bearer")
    if scheme.casefold() == "basic":
        return Scheme("http", "User name and password (Basic)", header="Authorization", prefix="Basic")
    return Scheme("http", f"HTTP authentication {scheme}".rstrip())


def _unknown() -> Scheme:
    return Scheme("", "A security scheme that this portal does not know")


def _required(card: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each alternative's names, with the scopes of each: 1.0's spelling where the card has it, else 0.3's."""
    modern = dicts(card.get("securityRequirements"))
    for item in modern or dicts(card.get("security")):
        names = item.get("schemes", {}) if modern else item
        if isinstance(names, dict):
            yield names
