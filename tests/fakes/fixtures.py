"""The fakes as pytest fixtures; `pytest_plugins = ["tests.fakes.fixtures"]` in the top conftest adds them."""

import contextlib
from collections.abc import Callable, Iterator

import pytest

from tests.fakes.a2a_server import A2AServer, a2a_server
from tests.fakes.authorization_server import FakeProvider, authorization_server
from tests.fakes.hostile import Hostile, hostile_server
from tests.fakes.hostile_provider import HostileProvider, hostile_provider
from tests.fakes.resource import Resource, resource
from tests.fakes.server import RawHandler, Served, serve_raw
from tests.fakes.token_issuer import TokenIssuer, token_issuer
from tests.fakes.verifying import Verifying, verifying
from tests.fakes.well_known import WellKnown, well_known


@pytest.fixture
def fake_agent() -> Iterator[Callable[..., A2AServer]]:
    """Start a fake endpoint; arguments as of `a2a_server`. It stops when the test ends."""
    with contextlib.ExitStack() as running:
        yield lambda **options: running.enter_context(a2a_server(**options))


@pytest.fixture
def hostile() -> Iterator[Hostile]:
    with hostile_server() as server:
        yield server


@pytest.fixture
def raw_endpoint() -> Iterator[Callable[[RawHandler], Served]]:
    """Start a raw TCP server with a handler of `hostile_tcp` or one's own."""
    with contextlib.ExitStack() as running:
        yield lambda handler: running.enter_context(serve_raw(handler))


@pytest.fixture
def provider() -> Iterator[Callable[..., FakeProvider]]:
    """Start an authorization server; arguments as of `authorization_server`: access_seconds, grace_seconds, pkce …"""
    with contextlib.ExitStack() as running:
        yield lambda **options: running.enter_context(authorization_server(**options))


@pytest.fixture
def resource_of() -> Iterator[Callable[..., Resource]]:
    """Start an A2A endpoint that takes only the tokens of the provider given; arguments as of `resource`."""
    with contextlib.ExitStack() as running:
        yield lambda provider, **options: running.enter_context(resource(provider, **options))


@pytest.fixture
def evil_provider() -> Iterator[Callable[[FakeProvider], HostileProvider]]:
    """Start a provider that preys on the honest one given."""
    with contextlib.ExitStack() as running:
        yield lambda honest: running.enter_context(hostile_provider(honest))


@pytest.fixture
def issuer() -> Iterator[TokenIssuer]:
    with token_issuer() as running:
        yield running


@pytest.fixture
def verifying_agent() -> Iterator[Callable[..., Verifying]]:
    """Start an A2A endpoint that takes only tokens of the issuer and for the audience given; as of `verifying`."""
    with contextlib.ExitStack() as running:
        yield lambda issuer, audience, **options: running.enter_context(verifying(issuer, audience, **options))


@pytest.fixture
def documents() -> Iterator[WellKnown]:
    """A server of documents, of which a test chooses what they say."""
    with well_known() as running:
        yield running


@pytest.fixture
def other_documents() -> Iterator[WellKnown]:
    """A second one, at another origin."""
    with well_known() as running:
        yield running
