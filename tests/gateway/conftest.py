"""A gateway as a real server in this process, and clients that know only its URL and an agent key."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import httpx
import pytest
from django.core.management import call_command
from django.test import override_settings

from connections import agent_card
from connections.gateway.app import Gateway
from connections.models import Connection
from portal.agents.models import Agent
from portal.audit.models import LogRow
from portal.projects.models import Project
from tests import factories
from tests.fakes.a2a_server import A2AServer
from tests.fakes.server import listening_socket, serve, url_of
from tests.fakes.stock_client import TLS


@dataclass
class Running:
    """A gateway under way. `app` is in reach for what only its inside can show."""

    url: str
    app: Gateway


@pytest.fixture
def gateway(transactional_db, settings) -> Iterator[Running]:
    sock = listening_socket()
    settings.PUBLIC_URL = url_of(sock)
    app = Gateway()
    with serve(app, at=sock, lifespan="on"):
        yield Running(settings.PUBLIC_URL, app)


@dataclass
class Line:
    """An agent with a key, a connection given to it, and the endpoint behind."""

    agent: Agent
    key: str
    connection: Connection
    endpoint: A2AServer | None = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return self.connection.gateway_url

    def post(self, body=None, *, path: str = "", headers: dict | None = None, **options) -> httpx.Response:
        """One request as a plain HTTP client makes it, with the agent key."""
        return httpx.post(
            f"{self.url}{path}", json=body, headers=self.headers | (headers or {}), timeout=10, verify=TLS, **options
        )

    def get(self, path: str, headers: dict | None = None) -> httpx.Response:
        return httpx.get(f"{self.url}{path}", headers=self.headers | (headers or {}), timeout=10, verify=TLS)


def rpc(method: str = "SendMessage", params: dict | None = None, **more) -> dict:
    """A JSON-RPC request; without params a message that says "task hello"."""
    return {"jsonrpc": "2.0", "id": 7, "method": method, "params": params or message("task hello"), **more}


def message(text: str, **more) -> dict:
    return {"message": {"messageId": "m1", "role": "ROLE_USER", "parts": [{"text": text}], **more}}


@pytest.fixture
def make_line(gateway, transactional_db) -> Callable[..., Line]:
    """A new line through the running gateway; by default key-based, to an endpoint that demands the stored value."""
    return new_line


def new_line(endpoint_url: str, project: Project | None = None, card: dict | None = None, **options) -> Line:
    project = project or factories.make_project()
    agent = options.pop("agent", None) or factories.make_agent(project)
    connection = factories.make_connection(project, endpoint_url, given_to=agent, card=card, **options)
    key = factories.make_key(agent)
    return Line(agent, key, connection, headers={"authorization": f"Bearer {key}"})


@pytest.fixture
def line(fake_agent, make_line) -> Line:
    """The ordinary case: a stock A2A server behind `x-api-key`, both bindings, both versions."""
    return line_to(fake_agent(required_header=("x-api-key", "ledger-secret-value")))


def line_to(endpoint: A2AServer, **options) -> Line:
    """A line to a fake agent, with the card that it shows and every interface in it."""
    fetched = agent_card.fetch([f"{endpoint.url}/.well-known/agent-card.json"])
    card = agent_card.Card.of(fetched.card)
    made = new_line(endpoint.url, card=fetched.card, interfaces=card.interfaces(endpoint.url), **options)
    made.endpoint = endpoint
    return made


# One gateway and one database for all tests of a module, for those with many small cases: emptying the tables takes
# longer than such a case. Each still has a project, an agent and a connection of its own.


@pytest.fixture(scope="session")
def shared_database(request) -> None:
    """pytest-django makes the databases that marked tests name; tests that share one can't have its marker."""
    wants_one = SimpleNamespace(fixturenames=("db",), get_closest_marker=lambda _: None)
    request.session.items.append(wants_one)
    try:
        request.getfixturevalue("django_db_setup")
    finally:
        request.session.items.remove(wants_one)


@pytest.fixture(scope="module")
def shared_gateway(shared_database, django_db_blocker) -> Iterator[Running]:
    sock = listening_socket()
    with django_db_blocker.unblock(), override_settings(PUBLIC_URL=url_of(sock)):
        app = Gateway()
        with serve(app, at=sock, lifespan="on"):
            yield Running(url_of(sock), app)
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture
def shared_line(shared_gateway, fake_agent) -> Line:
    """As `line`, through the module's gateway."""
    return line_to(fake_agent(required_header=("x-api-key", "ledger-secret-value")))


def interfaces_at(url: str) -> list[dict[str, str]]:
    """Both bindings in both versions at one address."""
    return [
        {"url": url, "binding": binding, "version": version}
        for binding in ("JSONRPC", "HTTP+JSON")
        for version in ("1.0", "0.3")
    ]


def rows_of(request_id: str, count: int = 2, seconds: float = 3) -> list[LogRow]:
    """The log's rows of one answer; outcomes follow within a second."""
    until = time.monotonic() + seconds
    while True:
        rows = list(LogRow.objects.filter(request_id=request_id).order_by("id"))
        if len(rows) >= count or time.monotonic() > until:
            return rows
        time.sleep(0.02)
