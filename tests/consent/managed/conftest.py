"""A publisher of the catalogue in whose place a provider really runs, its app, and an endpoint that it may serve."""

import pytest

from connections.models import Connection
from consent.models import PublisherApp
from tests.consent.managed import publishing
from tests.fakes.authorization_server import FakeProvider


@pytest.fixture
def octo(provider, monkeypatch) -> FakeProvider:
    running = provider(grace_seconds=0)
    publishing.know(monkeypatch, publishing.record(running))
    return running


@pytest.fixture
def endpoint(fake_agent) -> str:
    """At a listed origin."""
    return fake_agent().url


@pytest.fixture
def app(octo, endpoint, ana) -> PublisherApp:
    return publishing.register(octo, publishing.record(octo), ana, endpoint)


@pytest.fixture
def managed(app, endpoint, project, release_bot) -> Connection:
    return publishing.connect(project, release_bot, endpoint, name="review-agent")
