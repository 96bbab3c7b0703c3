"""An A2A endpoint that lets in only living tokens of a fake provider, and says whose they are."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from a2a.helpers import new_text_message
from a2a.server.agent_execution import RequestContext
from a2a.server.events import EventQueue
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from demo.bearer import Visitor, read
from tests.fakes.a2a_server import A2AServer, a2a_server
from tests.fakes.authorization_server import FakeProvider
from tests.fakes.commands import CommandExecutor


@dataclass(frozen=True)
class Visit:
    """A request that was let in: on whose behalf, through which client, with which token."""

    subject: str
    client_id: str
    scope: str
    token: str
    path: str
    headers: list[tuple[str, str]]
    at: float = field(default_factory=time.monotonic)

    def header(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name.lower()]


@dataclass(frozen=True)
class Resource:
    """`agent` is the fake behind the door: .url, .card, .received (all that came, refused ones too)."""

    agent: A2AServer
    visits: list[Visit]
    refusals: list[int]  # the statuses of those who were not let in

    @property
    def url(self) -> str:
        return self.agent.url

    def subjects(self) -> list[str]:
        return [visit.subject for visit in self.visits]


@contextlib.contextmanager
def resource(provider: FakeProvider, *, scope: str = "", **options: Any) -> Iterator[Resource]:
    """Run one. scope: what every token must have, else 403 insufficient_scope. options: as of `a2a_server`.

    The command `whoami` answers "<account> through <client id>", without a task.
    """
    visits: list[Visit] = []
    refusals: list[int] = []

    def door(app: ASGIApp, card_path: str) -> ASGIApp:
        return _Door(app, card_path, provider, scope, visits, refusals)

    with a2a_server(executor=Whoami(), door=door, **options) as agent:
        yield Resource(agent, visits, refusals)


class _Door:
    def __init__(self, app, card_path, provider, scope, visits, refusals) -> None:
        self._app, self._card_path = app, card_path
        self._provider, self._scope = provider, scope
        self._visits, self._refusals = visits, refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] == self._card_path:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        claims = read(headers, self._provider.verify, realm="fake", scope=self._scope)
        if isinstance(claims, Response):
            self._refusals.append(claims.status_code)
            await claims(scope, receive, send)
            return
        token = headers["authorization"].partition(" ")[2]
        visit = Visit(claims["sub"], claims["client_id"], claims["scope"], token, scope["path"], headers.items())
        self._visits.append(visit)
        await self._app({**scope, "user": Visitor(claims)}, receive, send)


class Whoami(CommandExecutor):
    async def execute(self, context: RequestContext, event_queue: EventQueue) -> None:
        if context.current_task is None and context.get_user_input().partition(" ")[0] == "whoami":
            claims = context.call_context.user._user.claims
            text = f"{claims['sub']} through {claims['client_id']}"
            await event_queue.enqueue_event(new_text_message(text, context_id=context.context_id))
        else:
            await super().execute(context, event_queue)
