"""The questions of one press: a few requests, one deadline for all of them, and no credential with any."""

import json
import time
from dataclasses import dataclass
from typing import Any

from connections.agent_card.interfaces import origin_of
from connections.agent_card.text import shown
from portal.outbound.errors import OutboundError
from portal.outbound.session import Answer, fetch

# Beside the card, for which one or two were made before.
MOST_REQUESTS = 7
LONGEST_WAIT = 5.0
LARGEST = 131_072


@dataclass(frozen=True)
class Tried:
    """One source: its address, and in a sentence what became of it."""

    url: str
    sentence: str


class Asking:
    """`ends` is the moment of the monotonic clock at which all of it must be over."""

    def __init__(self, ends: float, requests: int = MOST_REQUESTS) -> None:
        self.tried: list[Tried] = []
        self._ends, self._left = ends, requests
        self._known: dict[str, dict[str, Any] | None] = {}
        self._silent: set[str] = set()

    def note(self, url: str, sentence: str) -> None:
        self.tried.append(Tried(shown(url, 160), sentence))

    def document(self, url: str, what: str) -> dict[str, Any] | None:
        """A JSON object, asked for once; None where there is none, which is then noted. `what` names it in words."""
        if url not in self._known:
            self._known[url] = self._document(url, what)
        return self._known[url]

    def _document(self, url: str, what: str) -> dict[str, Any] | None:
        answer = self.ask("GET", url, [("Accept", "application/json")])
        if answer is None:
            return None
        if answer.status != 200:
            self.note(url, f"No {what}: {answer.status}.")
            return None
        members = members_of(answer.body)
        if members is None:
            self.note(url, f"No {what}: the answer is not one unambiguous JSON object.")
        return members

    def ask(self, method: str, url: str, headers: list[tuple[str, str]], data: bytes | None = None) -> Answer | None:
        """None where there was no answer. A server that can't be reached is not asked again."""
        if origin_of(url) in self._silent:
            return None
        left = min(self._ends - time.monotonic(), LONGEST_WAIT)
        if self._left < 1 or left <= 0.1:
            self.note(url, "Not asked: this press has asked enough. Press again, or enter it yourself.")
            return None
        self._left -= 1
        try:
            return fetch(method, url, headers=headers, data=data, limit=LARGEST, deadline=left)
        except OutboundError as error:
            sentence, reached = error.sentence, error.sent
        self.note(url, sentence)
        if not reached:
            self._silent.add(origin_of(url))
        return None


def members_of(body: bytes) -> dict[str, Any] | None:
    """None for what two readers could understand differently, too."""
    try:
        members = json.loads(body.decode(), object_pairs_hook=_unambiguous)
    except (ValueError, RecursionError):
        return None
    return members if isinstance(members, dict) else None


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members
