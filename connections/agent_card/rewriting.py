"""The card that agents get: the endpoint's own, with the gateway's address and sign-in (protocols.md 1.5).

All bindings share the gateway URL. The clients append the rest themselves: `/message:send` for HTTP+JSON 1.0,
`/v1/message:send` for 0.3 (a2a-sdk `RestTransport` and `CompatRestTransport`); JSON-RPC posts to the URL as it is.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from connections.agent_card.interfaces import Interface, dicts, text, version_of
from connections.agent_card.reading import DEEPEST

SCHEME = "gatehouse"
_SCHEME_TEXT = "The agent key, made on the agent's page in the portal."
_WRAPPED = {"httpAuthSecurityScheme": {"scheme": "Bearer", "description": _SCHEME_TEXT}}
_OPENAPI = {"type": "http", "scheme": "bearer", "description": _SCHEME_TEXT}
# Members that are written anew; `signatures` cover the whole card, so an edited one can't keep them (1.0, 8.4).
_REPLACED = frozenset(
    "supportedInterfaces url preferredTransport additionalInterfaces protocolVersion securitySchemes "
    "securityRequirements security capabilities skills signatures".split()
)


def rewrite(card: dict[str, Any], gateway_url: str, interfaces: Sequence[Interface]) -> dict[str, Any]:
    """A new card; `interfaces` are the connection's stored ones.

    Interfaces that the connection does not carry are left out, and so is every other address on the endpoint's
    origin: nothing in the card leads round the gateway. Unknown members stay.
    """
    origins = frozenset(_origin(interface["url"]) for interface in interfaces) - {""}
    rewritten = {
        name: _within_gateway(value, origins)
        for name, value in card.items()
        if name not in _REPLACED and not _leads_to(value, origins)
    }
    addresses = _addresses_1_0(card, gateway_url, interfaces) | _addresses_0_3(card, gateway_url, interfaces)
    rewritten |= addresses or _addresses(gateway_url, interfaces)
    security = _security(rewritten)
    rewritten |= {"capabilities": _capabilities(_within_gateway(card.get("capabilities"), origins)), **security}
    rewritten["securitySchemes"] = _schemes(rewritten)
    skills = card.get("skills")
    if isinstance(skills, list):
        rewritten["skills"] = [_skill(_within_gateway(skill, origins), security) for skill in skills]
    return rewritten


def minimal(name: str, gateway_url: str, interfaces: Sequence[Interface]) -> dict[str, Any]:
    """The card of a connection whose endpoint shows none. Streaming is not promised: nothing is known about it."""
    card = {
        "name": name,
        "description": "The endpoint behind this connection shows no agent card.",
        "version": "1",
        "capabilities": {"streaming": False},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [],
    }
    return rewrite(card, gateway_url, interfaces)


def _carried(interfaces: Iterable[Interface]) -> list[tuple[str, str, str]]:
    return list(dict.fromkeys((i["binding"], i["version"], i.get("tenant", "")) for i in interfaces))


def _addresses_1_0(card: dict[str, Any], gateway_url: str, interfaces: Sequence[Interface]) -> dict[str, Any]:
    carried, kept = _carried(interfaces), {}
    for item in dicts(card.get("supportedInterfaces")):
        key = (text(item.get("protocolBinding")), version_of(item.get("protocolVersion")), text(item.get("tenant")))
        if key in carried:
            kept.setdefault(key, item | {"url": gateway_url})
    return {"supportedInterfaces": list(kept.values())} if kept else {}


def _addresses_0_3(card: dict[str, Any], gateway_url: str, interfaces: Sequence[Interface]) -> dict[str, Any]:
    own = version_of(card.get("protocolVersion") or "0.3.0")
    version = "0.3" if "supportedInterfaces" in card else own
    carried = [binding for binding, dialect, _ in _carried(interfaces) if dialect == version]
    named = [text(card.get("preferredTransport")) or "JSONRPC"] if text(card.get("url")) else []
    named += [text(item.get("transport")) for item in dicts(card.get("additionalInterfaces"))]
    kept = list(dict.fromkeys(binding for binding in named if binding in carried))
    # Named 0.2, the SDK's client would speak 1.0: it takes only 0.3 and later for the older dialect.
    spoken = card.get("protocolVersion") if text(card.get("protocolVersion")).startswith(version) else f"{version}.0"
    return _fields_0_3(kept, gateway_url, spoken) if kept else {}


def _fields_0_3(bindings: list[str], gateway_url: str, version: str) -> dict[str, Any]:
    """The first is the preferred one; the list names all of them again (0.3.0, 5.6.2)."""
    named = [{"url": gateway_url, "transport": binding} for binding in bindings]
    return {
        "url": gateway_url,
        "preferredTransport": bindings[0],
        "additionalInterfaces": named,
        "protocolVersion": version,
    }


def _addresses(gateway_url: str, interfaces: Sequence[Interface]) -> dict[str, Any]:
    """From the stored interfaces alone: 1.0 fields, 0.3 fields, or both where both are carried."""
    versions = {interface["version"] for interface in interfaces}
    fields: dict[str, Any] = {}
    if "1.0" in versions:
        fields["supportedInterfaces"] = [
            {"url": gateway_url, "protocolBinding": binding, "protocolVersion": version}
            | ({"tenant": tenant} if tenant else {})
            for binding, version, tenant in _carried(interfaces)
        ]
    if "0.3" in versions:
        older = list(dict.fromkeys(i["binding"] for i in interfaces if i["version"] == "0.3"))
        fields |= _fields_0_3(older, gateway_url, "0.3.0")
    return fields


def _speaks(card: dict[str, Any]) -> tuple[bool, bool]:
    """Whether the card has 1.0's fields, and 0.3's."""
    return "supportedInterfaces" in card, "url" in card


def _security(card: dict[str, Any]) -> dict[str, Any]:
    newer, older = _speaks(card)
    required: dict[str, Any] = {"securityRequirements": [{"schemes": {SCHEME: {"list": []}}}]} if newer else {}
    return required | ({"security": [{SCHEME: []}]} if older else {})


def _schemes(card: dict[str, Any]) -> dict[str, Any]:
    newer, older = _speaks(card)
    return {SCHEME: (_WRAPPED if newer else {}) | (_OPENAPI if older else {})}


def _skill(skill: Any, security: dict[str, Any]) -> Any:
    """A skill's own requirements would name schemes that are gone; those of the card count for it."""
    if not isinstance(skill, dict):
        return skill
    bare = {name: value for name, value in skill.items() if name not in ("security", "securityRequirements")}
    return bare if len(bare) == len(skill) else bare | security


def _capabilities(value: Any) -> dict[str, Any]:
    # Callbacks of endpoints are not passed on, and a client must not be told otherwise.
    return (value if isinstance(value, dict) else {}) | {"pushNotifications": False}


def _within_gateway(value: Any, origins: frozenset[str], depth: int = DEEPEST) -> Any:
    """A copy without the strings that are an address on one of the origins. An extension's `uri` is only its name.

    What is nested deeper than a card can be is left out: the extended card comes from the endpoint at each call.
    """
    if depth == 0:
        return None
    if isinstance(value, dict):
        return {
            name: "" if name == "url" and _leads_to(item, origins) else _within_gateway(item, origins, depth - 1)
            for name, item in value.items()
            if name in ("uri", "url") or not _leads_to(item, origins)
        }
    if isinstance(value, list):
        return [_within_gateway(item, origins, depth - 1) for item in value if not _leads_to(item, origins)]
    return value


def _leads_to(value: Any, origins: frozenset[str]) -> bool:
    return isinstance(value, str) and _origin(value.strip()) in origins


def _origin(url: str) -> str:
    """Scheme and host with port, lower case; "" for what is no absolute address. Never raises."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"https": 443, "http": 80}.get(parts.scheme, 0)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}" if parts.scheme and parts.hostname else ""
