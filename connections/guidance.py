""" "Help me choose": the goals of the A2A page, each leading to the methods that say they serve it."""

from dataclasses import dataclass

from connections.methods import methods
from connections.methods.base import AuthMethod


@dataclass(frozen=True)
class Way:
    words: str
    methods: tuple[AuthMethod, ...]


def goals() -> list[Way]:
    """In the page's order. A goal that no installed method serves is not there."""
    served = sorted({(goal.order, goal.words) for method in methods() for goal in method.goals})
    return [Way(words, tuple(m for m in methods() if words in {goal.words for goal in m.goals})) for _, words in served]
