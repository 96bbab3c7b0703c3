"""The review agent: it acts as the account whose token it is given, and says so in every answer."""

import re
from functools import partial

from a2a.server.agent_execution import RequestContext

from demo.agent import DemoExecutor
from demo.answers import Answer

WAITING = {
    "octo-ben": (
        "octo/portal#12 Rotate keys without a restart",
        "octo/portal#14 Say who must act",
        "octo/docs#3 Typos",
    ),
    "octo-chloe": ("octo/billing#88 Round to cents", "octo/portal#15 Shorten the consent page"),
}
READ, COMMENT = "reviews:read", "reviews:comment"
SOURCE = "Source: Octo, as the account named."


class ReviewExecutor(DemoExecutor):
    """Needs a `demo.bearer.Visitor` as the request's user."""

    def __init__(self) -> None:
        super().__init__(partial(review, account="nobody", may_comment=False), "Looking at your pull requests")

    def answer_to(self, question: str, context: RequestContext) -> Answer:
        user = context.call_context.user
        scopes = context.call_context.state["auth"].scopes
        return review(question, user.user_name, may_comment=COMMENT in scopes)


def review(question: str, account: str, *, may_comment: bool) -> Answer:
    """Answer about the pull requests that wait for `account`, or comment on one of them in its name."""
    waiting = WAITING.get(account, ())
    if not re.search(r"\bcomment", question, re.IGNORECASE):
        listed = "".join(f"\n- {title}" for title in waiting)
        return Answer(f"As {account}: {_pull_requests(len(waiting))} for your review.{listed}\n", SOURCE)
    if not may_comment:
        return Answer(f"As {account}: I may read, but not comment. That was not allowed when you connected.\n", SOURCE)
    named = next((title for title in waiting if title.partition(" ")[0] in question), None)
    if named is None:
        return Answer("Which pull request do you mean? For example octo/portal#12.", needs_input=True)
    return Answer(f"As {account}: I commented on {named}.\n", SOURCE)


def _pull_requests(number: int) -> str:
    return "1 pull request waits" if number == 1 else f"{number} pull requests wait"
