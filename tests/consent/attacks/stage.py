"""What every attack stands on: an honest provider, a connection, an agent, and how to see that nothing came of it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
from django.test import Client

from connections.methods.base import Caller
from connections.models import Connection
from consent import flow
from consent.models import Block, ConsentRequest, Grant
from portal.agents.models import Agent
from portal.audit.models import LogRow
from portal.projects.models import Project
from portal.users import User
from tests import factories
from tests.consent import making
from tests.fakes.authorization_server import FakeProvider
from tests.fakes.signing_in import sign_in

CALLBACK = "consent.callback_refused"
LINK = "consent.link_refused"
PROVIDER = "consent.provider_refused"
FOREIGN = "consent.wrong_person"
STORED = (ConsentRequest, Grant, Block)


@dataclass
class Stage:
    """`others`: providers beside the first one that must not get a token request either."""

    provider: FakeProvider
    connection: Connection
    agent: Agent
    others: list[FakeProvider] = field(default_factory=list)

    def link(self, person: User) -> ConsentRequest:
        return flow.ask(self.connection, Caller(self.agent, person))

    def another(self, **settings: Any) -> Connection:
        """A second connection of the same agent, at the same provider unless the settings say otherwise."""
        return making.connection_to(self.provider, self.connection.project, self.agent, settings=settings)

    @property
    def token_requests(self) -> int:
        return len(self.provider.token_requests()) + sum(len(other.token_requests()) for other in self.others)

    @contextlib.contextmanager
    def refuses(
        self, reason: str, *, by: User | None, event: str = CALLBACK, ends_flow: bool = False
    ) -> Iterator[None]:
        """Inside, somebody tries something: no code is exchanged, no row changes, and the log says who and why.

        ends_flow: the link may note that its flow is over, and stays open for another.
        """
        logged, stored, exchanged = _last_row(), _rows(ends_flow), self.token_requests
        yield
        assert self.token_requests == exchanged
        assert _rows(ends_flow) == stored
        rows = LogRow.objects.filter(id__gt=logged, event=event)
        assert [(row.reason, row.actor_id) for row in rows] == [(reason, by.id if by else None)]
        assert all(row.outcome in ("not_permitted", "failed") for row in rows)


def build(provider: FakeProvider, project: Project) -> Stage:
    agent = factories.make_agent(project, "review-writer")
    return Stage(provider, making.connection_to(provider, project, agent, name="octo-reviews"), agent)


def leave(browser: Client, asking: ConsentRequest) -> str:
    """Agrees on the page; returns the provider's address that it leads to."""
    answer = browser.post(f"/consent/{asking.id}", {"decision": "continue"})
    assert answer.status_code == 200, answer.status_code
    return answer.context["address"]


def at_the_provider(address: str, account: str = "octo-ben", **options: Any) -> str:
    """Signs in and agrees there; returns the address that the browser is sent back to, not visited yet."""
    with httpx.Client() as http:
        return sign_in(http, address, account, **options)


def arrive(browser: Client, back: str, at: Connection | None = None, **changes: str | None):
    """Opens the callback's address, at another connection's or with other parameters; None takes one away."""
    path = f"/consent/callback/{at.id}" if at else urlsplit(back).path
    query = dict(parse_qsl(urlsplit(back).query)) | changes
    return browser.get(path, {name: value for name, value in query.items() if value is not None})


def doubled(back: str, **again: str) -> str:
    """The same address with parameters that come twice."""
    return f"{urlsplit(back).path}?{urlsplit(back).query}&{urlencode(again)}"


def refused_page(answer, title: str) -> bool:
    """A page that says no in plain words, with nothing of the provider's answer on it."""
    assert answer.status_code in (400, 403, 404), answer.status_code
    return title in answer.content.decode().replace("&#x27;", "'")


def _last_row() -> int:
    return LogRow.objects.order_by("-id").values_list("id", flat=True).first() or 0


FLOW = ("error", "state_digest", "browser_digest", "verifier", "flow_ends_at", "used_at")


def _rows(ends_flow: bool) -> list[dict[str, Any]]:
    rows = [row for model in STORED for row in model.objects.order_by("id").values()]
    return [{name: value for name, value in row.items() if not (ends_flow and name in FLOW)} for row in rows]
