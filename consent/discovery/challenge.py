"""What an endpoint says when it is called without a token: where its resource metadata is, and for which scope."""

import re
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
