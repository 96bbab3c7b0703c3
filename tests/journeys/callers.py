"""An agent as a program: the stock client, calling for people. In threads: the browser's event loop is the test's."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import httpx
from a2a.helpers import get_message_text
from a2a.types import StreamResponse, Task, TaskState

from tests.fakes.a2a_server import SPELLINGS
from tests.fakes.stock_client import Spelling, send

WAYS = [(spelling, streaming) for spelling in SPELLINGS for streaming in (False, True)]
QUESTION = "Which pull requests wait for me?"


@dataclass(frozen=True)
class Call:
    """One message: who calls for whom, how, and in which task ("" begins one)."""

    url: str
    key: str
    user: str
    spelling: Spelling = SPELLINGS[0]
    streaming: bool = False
    task_id: str = ""
    context_id: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}", "x-ms-user-identity": self.user}

    def in_every_way(self) -> list["Call"]:
        """All four spellings, plain and streaming."""
        return [replace(self, spelling=spelling, streaming=streaming) for spelling, streaming in WAYS]

    def in_task(self, task: Task) -> "Call":
        return replace(self, task_id=task.id, context_id=task.context_id)

    def consent_status(self) -> dict:
        return httpx.get(f"{self.url}/consent-status", headers=self.headers).json()


@dataclass(frozen=True)
class Answer:
    """All that came back for one call."""

    events: list[StreamResponse]

    @property
    def text(self) -> str:
        return str(self.events)

    @property
    def task(self) -> Task:
        return next(event.task for event in self.events if event.HasField("task"))

    @property
    def link(self) -> str:
        """The consent link. Raises AssertionError where the answer is none that asks for consent."""
        [event] = self.events
        assert event.task.status.state == TaskState.TASK_STATE_AUTH_REQUIRED, self.text
        message = event.task.status.message
        [asked] = [dict(part.data.struct_value.items()) for part in message.parts if part.HasField("data")]
        assert asked["type"] == "oauth_consent_request"
        assert asked["consent_link"] in get_message_text(message)
        return asked["consent_link"]


def call_all(calls: Sequence[Call], at_once: int = 4) -> list[Answer]:
    """The answers in the order of the calls."""
    with ThreadPoolExecutor(at_once) as elsewhere:
        return list(elsewhere.map(_answer_to, calls))


def call(one: Call) -> Answer:
    [answer] = call_all([one])
    return answer


def _answer_to(one: Call) -> Answer:
    how = {"streaming": one.streaming, "headers": one.headers}
    return Answer(send(one.url, one.spelling, QUESTION, task_id=one.task_id, context_id=one.context_id, **how))
