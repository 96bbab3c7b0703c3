"""The sign-ins that an agent card declares, in either dialect: alternatives, and what is needed together."""

from typing import Any

from connections.agent_card import security
from connections.agent_card.security import Declared
from connections.agent_card.text import shown
from consent.discovery import addresses
from consent.discovery.ways import CARD, Way, scopes_of

MOST_WAYS = 6


def ways_of(card: dict[str, Any]) -> tuple[list[Way], list[str]]:
    """The ways that this method can go, sign-ins alone first, and sentences about the others."""
    alone, combined, others = [], [], []
    for alternative in security.declared(card):
        signs_in = [one for one in alternative if one.scheme.is_sign_in]
        if not signs_in:
            others.append(_other(alternative))
            continue
        way = _way(signs_in[0])
        if way is None:
            others.append(_without_code(signs_in[0]))
        elif len(alternative) > 1:
            way.notes.append(_together(signs_in[0], alternative))
            combined.append(way)
        else:
            alone.append(way)
    found = {way.key: way for way in reversed([*alone, *combined])}
    return list(reversed(found.values()))[:MOST_WAYS], list(dict.fromkeys(others))[:MOST_WAYS]


def _way(declared: Declared) -> Way | None:
    """None where people can't sign in by it."""
    body = declared.body
    title = f"“{shown(declared.name, 60)}” of the agent card"
    if declared.kind == "openIdConnect":
        lead = addresses.usable(body.get("openIdConnectUrl"))
        way = Way(title, lead=lead, spelling=" ".join(declared.scopes))
        if not lead:
            way.notes.append("The address of the metadata that the agent card names can't be used and was left out.")
        way.put("scopes", list(scopes_of(declared.scopes)), CARD)
        return way
    flows = body.get("flows")
    flow = flows.get("authorizationCode") if isinstance(flows, dict) else None
    lead = addresses.usable(body.get("oauth2MetadataUrl"))
    if not isinstance(flow, dict):
        return None
    return _of_flow(title, lead, flow, declared)


def _of_flow(title: str, lead: str, flow: dict[str, Any], declared: Declared) -> Way:
    literal = [flow.get(name) for name in ("authorizationUrl", "tokenUrl")]
    way = Way(title, lead=lead, spelling=repr((literal, declared.scopes)))
    way.put_address("authorization_url", flow.get("authorizationUrl"), CARD)
    way.put_address("token_url", flow.get("tokenUrl"), CARD)
    way.put_address("refresh_url", flow.get("refreshUrl"), CARD)
    described = flow.get("scopes") if isinstance(flow.get("scopes"), dict) else {}
    scopes = scopes_of(declared.scopes) or scopes_of(list(described))
    way.put("scopes", list(scopes), CARD)
    words = {name: shown(described.get(name), 200) for name in scopes if "=" not in name}
    way.put("scope_words", {name: text for name, text in words.items() if text}, CARD)
    if flow.get("pkceRequired") is True:
        way.put("pkce", "S256", CARD)
    return way


def _together(signs_in: Declared, alternative: tuple[Declared, ...]) -> str:
    rest = " and ".join(one.scheme.sentence for one in alternative if one is not signs_in)
    return (
        f"The agent card asks for this sign-in together with: {rest}. This connection sends the sign-in's token alone, "
        "so the endpoint may refuse its calls."
    )


def _without_code(declared: Declared) -> str:
    name = shown(declared.name, 60)
    return f"“{name}” of the agent card has no authorization code flow, so people can't sign in by it here."


def _other(alternative: tuple[Declared, ...]) -> str:
    asked = " and ".join(one.scheme.sentence for one in alternative)
    return f"The agent card also accepts: {asked}." if asked else "The agent card also accepts calls without sign-in."
