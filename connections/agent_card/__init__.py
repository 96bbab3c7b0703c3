"""The agent card: fetched, read by people, and rewritten for agents.

It is what the endpoint says about itself; nobody has verified it. Nothing in it moves a credential: addresses are
stored on the connection when an administrator saves it (T01, T30).
"""

from connections.agent_card.card import Card
from connections.agent_card.interfaces import Interface, Reach
from connections.agent_card.reading import CardUnreadable, Fetched, fetch, parsed, urls_of
from connections.agent_card.rewriting import minimal, rewrite
from connections.agent_card.security import Suggestion

__all__ = [
    "Card",
    "CardUnreadable",
    "Fetched",
    "Interface",
    "Reach",
    "Suggestion",
    "fetch",
    "minimal",
    "parsed",
    "rewrite",
    "urls_of",
]
