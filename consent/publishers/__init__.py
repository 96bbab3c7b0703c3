"""The catalogue of publishers whose apps this portal can manage, and how each is spoken to."""

from consent.publishers.github import GITHUB
from consent.publishers.record import Publisher, Scope, Variable, Wire

__all__ = ["PUBLISHERS", "Publisher", "Scope", "Variable", "Wire", "name_of", "wire_of"]

PUBLISHERS: dict[str, Publisher] = {publisher.slug: publisher for publisher in (GITHUB,)}
STANDARD = Wire()


def wire_of(slug: str) -> Wire:
    """The standards for "", which is a custom app, and for a publisher that is no longer in the catalogue."""
    return PUBLISHERS[slug].wire if slug in PUBLISHERS else STANDARD


def name_of(slug: str) -> str:
    """As people know the publisher; one that is no longer in the catalogue by its slug."""
    return PUBLISHERS[slug].name if slug in PUBLISHERS else slug
