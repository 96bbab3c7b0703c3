import pytest

from portal.agents import registering
from portal.agents.models import Agent
from portal.identities import roster, setting_up
from portal.identities.models import Identity, Proof, Source
from portal.identities.setting_up import Blueprint
from portal.projects.models import Project
from portal.projects.roles import Role
from portal.users import User
from tests import factories
from tests.identities.acting import METHODS

TENANT = "11111111-2222-3333-4444-555555555555"
BLUEPRINT = "aaaaaaaa-0000-0000-0000-000000000001"
CLIENT = "bbbbbbbb-0000-0000-0000-000000000001"
PRINCIPAL = "cccccccc-0000-0000-0000-000000000001"
SECRET = "abc~Q8xquetzalcoatlus-secret"


@pytest.fixture
def acting(settings) -> None:
    """Connections can act as an identity."""
    settings.AUTH_METHODS = [*settings.AUTH_METHODS, *METHODS]


@pytest.fixture
def mia(project) -> User:
    """Sets up identities and publishes agents of the project; has no role on the portal."""
    return factories.make_member(project, Role.PROJECT_MANAGER, name="Mia Lang")


@pytest.fixture
def bot(project, ana) -> Agent:
    return registering.register(project, "support-bot", ana)


@pytest.fixture
def of_entra(project, mia) -> Project:
    """The project's identities come from Entra; its blueprint proves itself by a client secret."""
    setting_up.choose_source(project, Source.ENTRA, mia)
    setting_up.set_blueprint(project, Blueprint(TENANT, BLUEPRINT, Proof.CLIENT_SECRET, value=SECRET), mia)
    return project


@pytest.fixture
def shared(of_entra) -> Identity:
    """Not set up yet."""
    return roster.shared_by_agents(of_entra)
