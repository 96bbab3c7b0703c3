"""The stock Microsoft Agent Framework client: what its user sees while consent is missing, and after it."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from portal.audit.changes import FRESH_SECONDS
from tests.fakes.signing_in import sign_in_with_browser
from tests.journeys.callers import Call
from tests.journeys.steps import open_connection, open_tools

pytestmark = pytest.mark.browser

BEN = "ben.okafor@contoso.example"
ANSWERS = ("Task in the auth-required state", "Plain message", "Task in the input-required state")


def test_the_link_reaches_users_of_the_agent_framework_and_then_the_answer(site, person):
    """Its plain call shows nothing of a task in the auth-required state, which is why the answer can be chosen."""
    [agent] = site.facts["agents"]
    one = Call(f"{site.url}/a2a/contoso-support/review-agent", agent["key"], BEN)
    link = one.consent_status()["consent_link"]
    ana = person("ana")
    open_tools(ana)
    with _agent_framework(one) as says:
        shown = {}
        for answer in ANSWERS:
            _choose(ana, answer)
            shown |= {(answer, streaming): says(answer, streaming=streaming) for streaming in (False, True)}
        empty = [way for way, seen in shown.items() if not seen]
        assert empty == [("Task in the auth-required state", False)]
        assert all(f"Open {link} to allow it" in seen for seen in shown.values() if seen), shown

        _consent(person("ben", at=link))
        # In the conversations that were asked, whose tasks the gateway made, and in new ones.
        for conversation in (*ANSWERS, "a new one"):
            for streaming in (False, True):
                assert says(conversation, streaming=streaming).startswith("As octo-ben: 3 pull requests")


def _choose(page: Page, answer: str) -> None:
    open_connection(page, "review-agent")
    page.get_by_role("navigation", name="review-agent").get_by_role("link", name="Settings").click()
    page.get_by_label("What an agent is told while consent is missing").select_option(answer)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The settings of review-agent are saved.")).to_be_visible()
    page.wait_for_timeout(FRESH_SECONDS * 1000)


def _consent(page: Page) -> None:
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/provider/authorize?*")
    sign_in_with_browser(page, "octo-ben")
    expect(page.get_by_role("heading", name="You connected octo-ben")).to_be_visible()


@contextlib.contextmanager
def _agent_framework(one: Call) -> Iterator[Callable[..., str]]:
    """A program on that client: `says(conversation, streaming=)` is the text that its user sees."""
    command = [sys.executable, "-m", "tests.journeys.agent_framework_program", one.url]
    caller = {"AGENT_KEY": one.key, "AGENT_USER": one.user}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env={**os.environ, **caller}, stdin=pipe, stdout=pipe, text=True) as program:

        def says(conversation: str, *, streaming: bool) -> str:
            session = f"{conversation}, {'streaming' if streaming else 'plain'}"
            program.stdin.write(json.dumps({"session": session, "streaming": streaming}) + "\n")
            program.stdin.flush()
            answer = json.loads(program.stdout.readline())
            assert "text" in answer, answer
            return answer["text"]

        try:
            yield says
        finally:
            program.stdin.close()
