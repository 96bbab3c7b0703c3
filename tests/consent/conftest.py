"""One project with an agent that may speak for everybody, and a connection with OAuth identity passthrough."""

import pytest

from connections.methods.base import Caller
from connections.models import Connection
from consent import flow
from consent.models import ConsentRequest
from portal.agents import speaking
from portal.agents.models import Agent
from tests import factories
from tests.consent import making


@pytest.fixture
def release_bot(project, ana) -> Agent:
    agent = factories.make_agent(project, "release-bot", registered_by=ana)
    speaking.allow(agent, ana, people=None, until=None)
    return agent


@pytest.fixture
def review(project, release_bot) -> Connection:
    """Finished, but nobody listens at its addresses."""
    return making.make_connection(project, release_bot, name="review-agent")


@pytest.fixture
def asking(review, release_bot, ben) -> ConsentRequest:
    """The link that Ben got."""
    return flow.ask(review, Caller(release_bot, ben))


@pytest.fixture
def github(provider):
    """A provider that really runs."""
    return provider()


@pytest.fixture
def connected(project, release_bot, github) -> Connection:
    """A connection registered at the provider."""
    return making.connection_to(github, project, release_bot, name="review-agent")
