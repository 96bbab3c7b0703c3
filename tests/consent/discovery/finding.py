"""A press of "Find settings" on the form of a new connection, and what it shows."""

from django.test import Client

from tests.connections.pages import page
from tests.consent import making
from tests.consent.test_oauth_form import form

EMPTY = dict.fromkeys(
    ("client_id", "authorization_url", "token_url", "scopes", "scope_words", "issuer", "resource", "revocation_url"), ""
)


def typed(endpoint: str, **settings: str) -> dict[str, str]:
    """What the form sends; the settings are empty but for those given."""
    return form(endpoint, **{f"settings__{name}": value for name, value in (EMPTY | settings).items()})


def press(client: Client, project, endpoint: str, choice: str = "", **settings: str):
    action = f"find-settings:{choice}" if choice else "find-settings"
    answer = client.post(page("connection-new-a2a", project), typed(endpoint, **settings) | {"action": action})
    assert answer.status_code == 200
    return answer


def values(answer) -> dict:
    """What stands in the form now, where it is not empty."""
    fields = answer.context["entry"].settings
    return {name: fields[name].value() for name in fields.fields if fields[name].value() not in (None, "", [], {})}


def found(answer):
    """What the template was given."""
    return answer.context["entry"].found.shown


def sources(answer) -> dict[str, str]:
    return {line.label: line.source for line in found(answer).filling.lines}


def said(answer) -> str:
    """What was tried, in one text."""
    return " ".join(f"{one.url} {one.sentence}" for one in found(answer).seen.tried)


__all__ = ["found", "making", "press", "said", "sources", "typed", "values"]
