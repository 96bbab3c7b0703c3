"""What the tests of the connection pages share: addresses, and a form as a browser would send it."""

import re

from django.urls import reverse

CANARY = "canary-3f9c1e7b-value"


def page(name: str, project, *rest: str) -> str:
    return reverse(name, args=[project.name, *rest])


def key_form(endpoint: str, name: str | None = "ledger-agent", **changes) -> dict[str, str]:
    """The key-based form, filled; a change to None leaves the field out."""
    fields = {
        "action": "connect",
        "name": name,
        "endpoint": endpoint,
        "card_path": "",
        "auth_method": "key-based",
        "credential-0-name": "x-api-key",
        "credential-0-value": CANARY,
        "credential-0-expires_on": "",
    }
    fields.update({key.replace("__", "-"): value for key, value in changes.items()})
    return {key: value for key, value in fields.items() if value is not None}


def edit_form(connection, **changes) -> dict[str, str]:
    """What the edit page sends when nothing was touched."""
    untouched = {"action": "save", "name": None, "credential__0__value": ""}
    fields = {"endpoint": connection.endpoint, **untouched, **changes}
    read = {"read_at": connection.changed_at.isoformat(), "display_name": connection.display_name}
    return read | key_form(fields.pop("endpoint"), **fields)


def words_of(response) -> str:
    """What a person reads: no tags, single spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode().replace("&#x27;", "'")).split())


def text_of(response) -> str:
    """The page as text, with the few entities of its sentences resolved."""
    return response.content.decode().replace("&#x27;", "'").replace("&quot;", '"').replace("&lt;", "<")
