import os
import shutil

import pytest
from django.test import Client

from portal import vault
from portal.audit import log
from portal.projects.models import Project
from portal.projects.roles import Role
from portal.users import User
from tests import factories

pytest_plugins = ["tests.fakes.fixtures", "tests.distribution"]


def pytest_configure() -> None:
    """CI installs a Chromium and must not skip."""
    if not shutil.which("chromium") and os.environ.get("GATEHOUSE_REQUIRE_BROWSER") == "1":
        raise pytest.UsageError("No Chromium is installed, and GATEHOUSE_REQUIRE_BROWSER forbids to skip.")


def pytest_collection_modifyitems(items) -> None:
    """Browser tests say that they are skipped where there is no Chromium."""
    if shutil.which("chromium"):
        return
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.skip(reason="no Chromium is installed here"))


@pytest.fixture(autouse=True)
def forget_keys() -> None:
    """Keys that a process keeps in memory; each test has a database, and so keys, of its own."""
    vault._by_id.clear()
    log._current_key.clear()


@pytest.fixture
def project(db) -> Project:
    return factories.make_project("contoso-support")


@pytest.fixture
def ana(project) -> User:
    """The administrator: Owner and Azure AI Owner on the portal, like the demo's."""
    user = factories.make_user("Ana Ruiz", email="ana.ruiz@contoso.example")
    factories.give(user, Role.OWNER)
    factories.give(user, Role.AI_OWNER)
    return user


@pytest.fixture
def ben(project) -> User:
    """An end user: Azure AI User on the project."""
    return _member(project, "Ben Okafor", "ben.okafor@contoso.example", Role.AI_USER)


@pytest.fixture
def chloe(project) -> User:
    return _member(project, "Chloe Martin", "chloe.martin@contoso.example", Role.AI_USER)


@pytest.fixture
def dev(project) -> User:
    """The auditor of the project."""
    return _member(project, "Dev Patel", "dev.patel@contoso.example", Role.AUDITOR)


@pytest.fixture
def eve(db) -> User:
    """A stranger to the project: signed in, with a role in another one."""
    return _member(factories.make_project("fabrikam"), "Eve Holt", "eve.holt@fabrikam.example", Role.OWNER)


@pytest.fixture
def browse():
    """A signed-in test client: `browse(ana).get(...)`."""

    def sign_in(user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    return sign_in


def _member(project: Project, name: str, email: str, role: Role) -> User:
    user = factories.make_user(name, email=email)
    factories.give(user, role, project)
    return user
