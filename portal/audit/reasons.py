"""What a reason code in a log row means, in words.

Upper storeys know the codes; each registers a function in its AppConfig.ready that explains its own and answers None
for the rest. The log's pages ask `explain`.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Explanation:
    """What happened, why, what to do, and who must do it; each a sentence or empty."""

    title: str
    cause: str = ""
    resolution: str = ""
    who: str = ""


_explainers: list[Callable[[str], Explanation | None]] = []


def register(explainer: Callable[[str], Explanation | None]) -> None:
    if explainer not in _explainers:
        _explainers.append(explainer)


def explain(code: str) -> Explanation | None:
    """None for a code that nobody knows (or no longer)."""
    found = (explainer(code) for explainer in _explainers)
    return next((explanation for explanation in found if explanation is not None), None)


OWN = {
    "no_outcome": Explanation(
        "How this call ended is not known.",
        "The process that made it ended before it could write the outcome, or lost the database for too long.",
        "Look at the endpoint whether it did the work before the agent tries again.",
        "The owner of the agent",
    ),
}
register(OWN.get)
