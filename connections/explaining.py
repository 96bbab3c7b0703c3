"""The troubleshooting catalogue and the names of methods, as the access log's pages ask for them."""

from connections.methods import methods
from connections.troubleshooting import CATALOGUE
from portal.audit.reasons import Explanation


def explain(code: str) -> Explanation | None:
    entry = CATALOGUE.get(code)
    return Explanation(f"{entry.title}.", entry.cause, entry.resolution, entry.who.label) if entry else None


def method_label(slug: str) -> str:
    """ "" for a method that is not installed (any longer)."""
    return methods()[slug].label if slug in methods() else ""
