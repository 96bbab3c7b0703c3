"""Fetches a card and reads it strictly enough that no later reader can understand it differently."""

import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from connections.models import Connection
from connections.troubleshooting import of_status
from portal.outbound.errors import AnswerTooLarge, OutboundError
from portal.outbound.session import fetch as fetch_url

LARGEST = 262_144
DEADLINE = 10.0
DEEPEST = 48


class CardUnreadable(Exception):
    """No card could be read. `code` is an entry of connections/troubleshooting.py; `url` is where it failed.

    `status` is the HTTP status where there was an answer. `reached` is False where no server could be spoken to.
    """

    def __init__(self, code: str, url: str = "", status: int | None = None, reached: bool = True) -> None:
        super().__init__(code)
        self.code = code
        self.url = url
        self.status = status
        self.reached = reached


@dataclass(frozen=True)
class Fetched:
    """Where the card was, what it says, the milliseconds that the answer took, and the server's certificate's end."""

    url: str
    card: dict[str, Any]
    took_ms: int = 0
    certificate_ends: datetime | None = None


def urls_of(connection: Connection) -> list[str]:
    """Where the card may be: the card path below the endpoint, then the default at the origin; or one full URL."""
    if "://" in connection.card_path:
        return [connection.card_url]
    return list(dict.fromkeys([connection.card_url, connection.default_card_url]))


def fetch(urls: Sequence[str], headers: Sequence[tuple[str, str]] = (), deadline: float = DEADLINE) -> Fetched:
    """The first card found. `headers` (a credential) go to the first URL only: they are bound to that one (T01).

    `deadline`: seconds for all URLs together. Raises CardUnreadable with the most telling of what was tried.
    """
    ends = time.monotonic() + deadline
    failures: list[CardUnreadable] = []
    for position, url in enumerate(urls):
        try:
            return _fetch_one(url, () if position else headers, ends - time.monotonic())
        except CardUnreadable as failure:
            failures.append(failure)
        if not failures[-1].reached or time.monotonic() >= ends:
            break
    raise min(failures, key=_rank) if failures else CardUnreadable("card_none_there")


def _rank(failure: CardUnreadable) -> int:
    """Most telling first. A missing card at one place says least, because there is a second place."""
    order = ["card_needs_sign_in", "card_ambiguous", "card_too_large", "card_not_a_card", "card_not_json"]
    if failure.code in order:
        return order.index(failure.code)
    return len(order) + (failure.code == "card_none_there")


def _fetch_one(url: str, headers: Sequence[tuple[str, str]], seconds: float) -> Fetched:
    asking = [("Accept", "application/json"), *headers]
    try:
        answer = fetch_url("GET", url, headers=asking, limit=LARGEST, deadline=max(seconds, 0.1))
    except AnswerTooLarge:
        failure = CardUnreadable("card_too_large", url)
    except OutboundError as error:
        failure = CardUnreadable(error.code, url, reached=error.sent)
    else:
        code = _refusal(answer.status)
        if code is None:
            return Fetched(url, _read(answer.body, url), answer.took_ms, answer.certificate_ends)
        failure = CardUnreadable(code, url, answer.status)
    raise failure


def _refusal(status: int) -> str | None:
    if status in (401, 403):
        return "card_needs_sign_in"
    if status in (404, 405, 410):
        return "card_none_there"
    if of_status(status) is None:
        return None if status == 200 else "card_not_json"
    return "card_failed"


def _read(body: bytes, url: str) -> dict[str, Any]:
    try:
        return parsed(body)
    except CardUnreadable as failure:
        code = failure.code
    raise CardUnreadable(code, url, 200)


def parsed(body: bytes) -> dict[str, Any]:
    """The card in a body. It can be stored, walked and written again: bounded in depth, only finite numbers,
    no NUL or lone surrogate (PostgreSQL's jsonb has none). Raises CardUnreadable."""
    try:
        card = json.loads(body.decode("utf-8-sig"), object_pairs_hook=_unambiguous, parse_constant=_no_number)
    except RecursionError:
        raise CardUnreadable("card_ambiguous") from None
    except ValueError:
        raise CardUnreadable("card_not_json") from None
    card = _storable(card, DEEPEST)
    if not is_card(card):
        raise CardUnreadable("card_not_a_card")
    return card


def is_card(value: Any) -> bool:
    """Whether it has a name and at least one of the parts that make a card, in either dialect."""
    parts = ("supportedInterfaces", "url", "additionalInterfaces", "skills", "capabilities")
    return isinstance(value, dict) and isinstance(value.get("name"), str) and any(part in value for part in parts)


def _unambiguous(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # RFC 8259, 4: what a reader makes of duplicate names is unpredictable, and we would rewrite only one of them.
    members = dict(pairs)
    if len(members) != len(pairs):
        raise CardUnreadable("card_ambiguous")
    return members


def _no_number(_: str) -> None:
    raise CardUnreadable("card_ambiguous")


def _storable(value: Any, depth: int) -> Any:
    if depth == 0 or (isinstance(value, float) and not math.isfinite(value)):
        raise CardUnreadable("card_ambiguous")
    if isinstance(value, dict):
        return {_text(name): _storable(item, depth - 1) for name, item in value.items()}
    if isinstance(value, list):
        return [_storable(item, depth - 1) for item in value]
    return _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    return value.replace("\0", "\ufffd").encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
