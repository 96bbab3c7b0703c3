"""What an endpoint says when it refuses a call: where its resource metadata is, and which scopes it wants."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from connections.agent_card import Interface
from connections.questions import question
from consent.discovery.asking import Asking
from portal.outbound.session import Answer

LONGEST = 4096
# One parameter of a challenge (RFC 9110 11.2). A quoted value is read whole, so that nothing inside it counts.
_PARAMETER = re.compile(
    r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,40})[ \t]{0,4}=[ \t]{0,4}(?:\"((?:[^\"\\]|\\.)*)\"|([^\s,\"]+))"
)


# A parameter, or a word without a value: the name of the next challenge's scheme (RFC 9110 11.6.1).
_PART = re.compile(_PARAMETER.pattern + r"|([!#$%&'*+.^_`|~0-9A-Za-z-]{1,40})(?=[\s,]|$)")
MOST_HEADERS = 8


@dataclass(frozen=True)
class Challenge:
    resource_metadata: str = ""
    scope: str = ""


def challenge_of(asking: Asking, interface: Interface) -> Challenge:
    """Asks the endpoint the harmless question, without a credential."""
    asked = question(interface)
    answer = asking.ask(asked.method, asked.url, list(asked.headers), asked.body)
    if answer is None:
        return Challenge()
    if answer.status != 401:
        asking.note(asked.url, f"Asked without a token, the endpoint answered {answer.status} and named no sign-in.")
        return Challenge()
    found = read(answer)
    if not found.resource_metadata:
        asking.note(asked.url, "The endpoint asks for a token and does not say where its resource metadata is.")
    return found


def read(answer: Answer) -> Challenge:
    """The first of each parameter, over all challenges of all headers."""
    values: dict[str, str] = {}
    for name, value in answer.headers:
        if name.lower() == "www-authenticate":
            for match in _PARAMETER.finditer(value[:LONGEST]):
                text = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
                values.setdefault(match[1].lower(), text)
    return Challenge(values.get("resource_metadata", ""), values.get("scope", ""))


def insufficient_scope(values: Iterable[str]) -> str | None:
    """The scopes that a Bearer challenge with `error="insufficient_scope"` names (RFC 6750 3.1); None without one.

    Error and scope must stand in the same challenge. A parameter that comes twice can be read in two ways: neither is.
    """
    for value in list(values)[:MOST_HEADERS]:
        for scheme, parameters in _challenges(value[:LONGEST]):
            if scheme == "bearer" and parameters.get("error") == ["insufficient_scope"]:
                scopes = parameters.get("scope", [])
                return scopes[0] if len(scopes) == 1 else ""
    return None


def _challenges(value: str) -> list[tuple[str, dict[str, list[str]]]]:
    found: list[tuple[str, dict[str, list[str]]]] = []
    for match in _PART.finditer(value):
        if match[4]:
            found.append((match[4].lower(), {}))
        elif found:
            text = re.sub(r"\\(.)", r"\1", match[2]) if match[2] is not None else match[3]
            found[-1][1].setdefault(match[1].lower(), []).append(text)
    return found
