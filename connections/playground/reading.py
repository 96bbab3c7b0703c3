"""Reads an answer for a person: texts, the consent link, the state; leniently, in every dialect."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings


def texts(value: Any) -> Iterator[str]:
    """The text of every part, wherever the dialect puts parts; what the person said themself is left out."""
    if isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, dict) and value.get("role") not in ("ROLE_USER", "user"):
        for name, inner in value.items():
            if name in ("parts", "content") and isinstance(inner, list):
                yield from (part["text"] for part in inner if isinstance(part, dict) and _is_text(part.get("text")))
            elif name != "history":
                yield from texts(inner)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def consent_links(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from consent_links(item)
    elif isinstance(value, dict):
        if value.get("type") == "oauth_consent_request" and _is_own(value.get("consent_link")):
            yield value["consent_link"]
        for inner in value.values():
            yield from consent_links(inner)


def _is_own(link: Any) -> bool:
    """An endpoint can write such a part too, and lead people to a page of its own (T14)."""
    return isinstance(link, str) and link.startswith(f"{settings.PUBLIC_URL}/consent/")


def state_of(result: Any) -> str:
    """The task's state in words, where the answer names one: TASK_STATE_INPUT_REQUIRED reads "Input required"."""
    if not isinstance(result, dict):
        return ""
    inner = next((result[name] for name in ("task", "statusUpdate") if isinstance(result.get(name), dict)), result)
    status = inner.get("status")
    state = status.get("state") if isinstance(status, dict) else None
    if not isinstance(state, str):
        return ""
    return state.removeprefix("TASK_STATE_").replace("_", " ").replace("-", " ").capitalize()[:60]
