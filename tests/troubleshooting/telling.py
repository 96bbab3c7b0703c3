"""The places where a failure is explained, and that all of them say the same: the entry of its code."""

import html
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from django.conf import settings
from django.test import Client
from django.urls import reverse

from connections.troubleshooting import CATALOGUE, Entry
from portal.audit.models import LogRow
from tests.connections.pages import words_of
from tests.gateway.conftest import rows_of

DOCS = Path(settings.BASE_DIR, "docs", "troubleshooting.md")


@dataclass(frozen=True)
class Failure:
    """What an agent was answered: the error, and the request id that stands beside it."""

    error: dict
    request_id: str

    @classmethod
    def of(cls, answer: httpx.Response) -> "Failure":
        error = answer.json()["error"]
        return cls(error[0] if isinstance(error, list) else error, answer.headers["x-request-id"])


def assert_agent_is_told(failure: Failure, code: str) -> None:
    """`ErrorInfo` has it for programs, the message for whoever reads only that."""
    entry, details = CATALOGUE[code], failure.error.get("data") or failure.error["details"]
    [own] = [detail for detail in details if detail["domain"] == "gatehouse"]
    assert own["reason"] == code.upper()
    told = {name: own["metadata"][name] for name in ("cause", "resolution", "who_must_act", "request_id")}
    assert told == {
        "cause": entry.cause,
        "resolution": entry.resolution,
        "who_must_act": entry.who,
        "request_id": failure.request_id,
    }
    for words in (entry.title, entry.cause, entry.resolution, f"(request {failure.request_id})"):
        assert words in failure.error["message"]


def row_of(request_id: str, code: str) -> LogRow:
    """The row that the request left with this reason; outcomes follow within a second."""
    until = time.monotonic() + 3
    while time.monotonic() < until:
        rows = [row for row in rows_of(request_id, count=1) if row.reason]
        if any(row.reason == code for row in rows):
            break
        time.sleep(0.02)
    return next(row for row in reversed(rows) if row.reason == code)


def assert_log_and_search_explain(browser: Client, request_id: str, code: str) -> None:
    """The row's own page, and what the banner's search finds for the request id."""
    entry, row = CATALOGUE[code], row_of(request_id, code)
    assert_explains(read(browser, reverse("portal-access-log-row", args=[row.uid])), entry)
    found = read(browser, reverse("search"), q=f"{entry.title}. (request {request_id})")
    assert_explains(found, entry)


def assert_explains(shown: str, entry: Entry) -> None:
    for words in (entry.title, entry.cause, entry.resolution):
        assert words in shown
    assert entry.who.label.lower() in shown.lower()


def read(browser: Client, address: str, **query: str) -> str:
    """What a person reads on the page."""
    answer = browser.get(address, query)
    assert answer.status_code == 200, answer.status_code
    return words_on(answer)


def words_on(answer) -> str:
    return html.unescape(words_of(answer))


def assert_docs_have(code: str, told: dict | None = None) -> None:
    """The generated page, and in its last column how agents are told: `told` is the error, None for a page's text."""
    entry = CATALOGUE[code]
    beginning = f"| {entry.title}<br>`{code}` | {entry.cause} | {entry.resolution} | "
    [line] = [line for line in DOCS.read_text().splitlines() if f"`{code}`" in line.partition(" | ")[0]]
    assert line.startswith(beginning)
    column = line.removeprefix(beginning).removesuffix(" |").strip()
    assert bool(column) == bool(told)
    assert not told or str(told["code"]) in column.replace("HTTP ", "").split(", ")
