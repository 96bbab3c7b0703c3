"""The makers of the other tests, for tests that share one gateway: projects and people are rows that all can see."""

from collections.abc import Iterator

import pytest
from django.test import Client

from portal.audit import log
from portal.identities import azure
from portal.identities.models import Audience, Identity, IdentitySource
from portal.projects.models import Project
from portal.projects.roles import Role
from portal.users import User
from tests import factories
from tests.consent.managed.test_gateway import owner  # noqa: F401
from tests.consent.managed.test_gateway import world as managed_world  # noqa: F401
from tests.consent.test_gateway_oauth import world  # noqa: F401 -- fixtures, here and below
from tests.fakes.managed_identity import IMDS, FakeHost, fake_host
from tests.gateway.conftest import shared_database, shared_gateway, shared_line  # noqa: F401
from tests.gateway.test_five_methods import entra_line, published, verifier  # noqa: F401
from tests.identities.conftest import agent, blueprint, cluster, managed, microsoft, mounted, source  # noqa: F401


@pytest.fixture(autouse=True)
def outcomes_at_once(monkeypatch) -> None:
    """Else each of a hundred tests waits for its outcome's row. That it follows soon: tests/gateway/test_durability."""
    monkeypatch.setattr(log.Committer, "OUTCOME_SECONDS", 0.01)


@pytest.fixture
def project(shared_gateway) -> Project:  # noqa: F811
    """One audience and one identity may be there once only, in a database that the tests share."""
    for model in (Identity, IdentitySource, Audience):
        model.objects.all().delete()
    return factories.make_project()


@pytest.fixture
def ana(project) -> User:
    return factories.make_member(None, Role.OWNER, name="Ana Ruiz")


@pytest.fixture
def auditor(project) -> Client:
    """The browser of somebody who may read the whole log."""
    browser = Client()
    browser.force_login(factories.make_member(None, Role.OWNER, Role.AI_OWNER, Role.AUDITOR, name="Dev Patel"))
    return browser


@pytest.fixture
def host(microsoft, monkeypatch) -> Iterator[FakeHost]:  # noqa: F811
    """A virtual machine with managed identities, asked again at once."""
    monkeypatch.setattr(azure, "PAUSES", (0.01, 0.01))
    with fake_host(IMDS, microsoft) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running
