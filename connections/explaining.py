"""The troubleshooting catalogue, as the access log's pages ask for it."""

from connections.troubleshooting import CATALOGUE
from portal.audit.reasons import Explanation


def explain(code: str) -> Explanation | None:
    entry = CATALOGUE.get(code)
    return Explanation(f"{entry.title}.", entry.cause, entry.resolution, entry.who.label) if entry else None
