"""A card as a person reads it."""

from dataclasses import dataclass, field
from typing import Any

from connections.agent_card import interfaces, security
from connections.agent_card.interfaces import Interface, Reach
from connections.agent_card.security import Suggestion
from connections.agent_card.text import shown

MOST_SKILLS = 24
_BINDINGS = {"JSONRPC": "JSON-RPC", "HTTP+JSON": "HTTP+JSON", "GRPC": "gRPC"}


@dataclass(frozen=True)
class Card:
    """What the endpoint says about itself, in either dialect. All texts are short lines of visible characters.

    `skills` are their ids or names, `protocols` reads like "A2A 1.0 and 0.3 · JSON-RPC · streaming", `security` is a
    sentence for each alternative.
    """

    name: str
    description: str
    provider: str
    version: str
    skills: tuple[str, ...]
    protocols: str
    security: tuple[str, ...]
    raw: dict[str, Any] = field(repr=False, compare=False)

    @classmethod
    def of(cls, card: dict[str, Any]) -> "Card":
        """Lenient: a member of the wrong type reads as if it were missing."""
        provider = card.get("provider")
        return cls(
            name=shown(card.get("name"), 120),
            description=shown(card.get("description"), 500),
            provider=shown(provider.get("organization"), 120) if isinstance(provider, dict) else "",
            version=shown(card.get("version"), 40),
            skills=_skills(card),
            protocols=_protocols(card),
            security=security.sentences(card),
            raw=card,
        )

    def reach(self, endpoint: str) -> Reach:
        """Which addresses calls may use, which not, and why none where there is none."""
        return interfaces.reach(self.raw, endpoint)

    def interfaces(self, endpoint: str) -> list[Interface]:
        """What to store on the connection: [{"url", "binding", "version", "tenant"?}], on the endpoint's origin."""
        return list(self.reach(endpoint).interfaces)

    def foreign(self, endpoint: str) -> list[Interface]:
        """The addresses elsewhere, to warn about; their `url` is a text to show, not to call."""
        return list(self.reach(endpoint).foreign)

    def suggestion(self) -> Suggestion | None:
        """The authentication method that the card's security schemes ask for."""
        return security.suggestion(self.raw)


def _skills(card: dict[str, Any]) -> tuple[str, ...]:
    names = (shown(skill.get("name") or skill.get("id"), 60) for skill in interfaces.dicts(card.get("skills")))
    return tuple(dict.fromkeys(name for name in names if name))[:MOST_SKILLS]


def _protocols(card: dict[str, Any]) -> str:
    """All that the card declares, also what is not carried: gRPC is worth knowing."""
    found = interfaces.declared(card)[: interfaces.MOST]
    versions = dict.fromkeys(item.version for item in found if item.version)
    bindings = dict.fromkeys(_BINDINGS.get(item.binding, shown(item.binding, 24)) for item in found)
    capabilities = card.get("capabilities")
    streams = isinstance(capabilities, dict) and capabilities.get("streaming") is True
    parts = [
        f"A2A {' and '.join(versions)}" if versions else "",
        ", ".join(binding for binding in bindings if binding),
        "streaming" if streams else "",
    ]
    return " · ".join(part for part in parts if part)
