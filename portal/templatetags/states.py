"""Which tone and which shape a state has: the same on every page. Not a tag library: fluent.py uses it."""

# A tone's shape says the same as its colour.
TONES = {
    "success": "checkmark-circle",
    "warning": "warning",
    "danger": "error-circle",
    "brand": "info",
    "neutral": "circle",
}
STATES = {
    "success": "healthy ready succeeded read verified allowed published active accepted done connected live",
    "warning": "not_set_up consent_needed needs_consent expiring expires_soon unfinished",
    "danger": "failing failed refused refused_by_endpoint not_permitted not_read expired revoked error",
    "brand": "in_progress",
    "neutral": "not_checked unknown disabled not_published not_allowed pending never",
}
_TONE_OF = {state: tone for tone, states in STATES.items() for state in states.split()}

MESSAGES = {
    "neutral": "info",
    "success": "checkmark-circle-filled",
    "warning": "warning-filled",
    "error": "error-circle-filled",
}
CHECKS = {
    "done": "checkmark-circle-filled",
    "warning": "warning-filled",
    "failed": "error-circle-filled",
    "open": "circle",
    "none": "subtract-circle",
}


def named(state: object) -> str:
    """A state's one spelling: Not-checked and "not checked" are not_checked."""
    return str(state).lower().replace("-", "_").replace(" ", "_")


def tone_of(state: object) -> str:
    """A tone is its own tone; a state that nobody listed is neutral."""
    name = named(state)
    return name if name in TONES else _TONE_OF.get(name, "neutral")


def words(state: object) -> str:
    return named(state).replace("_", " ").capitalize()
