"""Projects whose identities are set up on pages, and Microsoft Entra as a fake, from which they come."""

from collections.abc import Callable, Iterator

import pytest

from portal.agents import registering
from portal.agents.models import Agent
from portal.identities import audiences, roster, setting_up
from portal.identities.models import Identity, IdentitySource, Proof, Source
from portal.identities.setting_up import Blueprint
from portal.projects.models import Project
from portal.projects.roles import Role
from portal.users import User
from tests import factories
from tests.fakes.client_assertions import Cluster
from tests.fakes.entra import Application, FakeEntra, fake_entra
from tests.fakes.managed_identity import APP_SERVICE, IMDS, FakeHost, fake_host
from tests.identities import giving
from tests.identities.acting import METHODS
from tests.outbound.authority import Authority

HOST_VARIABLES = [
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
    "IDENTITY_SERVER_THUMBPRINT",
    "IMDS_ENDPOINT",
    "MSI_ENDPOINT",
    "MSI_SECRET",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_AUTHORITY_HOST",
]
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


# Microsoft Entra.


@pytest.fixture
def microsoft(tmp_path, settings, monkeypatch) -> Iterator[FakeEntra]:
    """Entra, trusted by the portal, which runs on a host without any identity."""
    for name in HOST_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    authority = Authority(tmp_path)
    settings.OUTBOUND_CA_FILE = authority.file
    with fake_entra(authority) as running:
        settings.ENTRA_AUTHORITY = running.authority
        running.audiences.add(giving.HR)
        yield running


@pytest.fixture
def blueprint(microsoft) -> Application:
    return microsoft.register(secrets={giving.SECRET: False}, agents={giving.AGENT_ID})


@pytest.fixture
def source(project, ana, microsoft, blueprint) -> IdentitySource:
    """The project's identities come from Entra, and a client secret proves its blueprint."""
    audiences.enter(giving.HR, ["https://hr.contoso.example"], "", ana)
    made = IdentitySource(project=project, kind=Source.ENTRA, tenant=microsoft.tenant, blueprint=blueprint.client_id)
    return giving.seal(made, Proof.CLIENT_SECRET, giving.SECRET)


@pytest.fixture
def agent(project, source) -> Identity:
    return _with_ids(roster.shared_by_agents(project), source.tenant, giving.AGENT_ID)


@pytest.fixture(params=[APP_SERVICE, IMDS])
def host(request, microsoft, monkeypatch) -> Iterator[FakeHost]:
    """Where the portal runs, of either kind."""
    with fake_host(request.param, microsoft) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        yield running


@pytest.fixture
def managed(project, source) -> Callable[[str, Proof], Identity]:
    """`managed(client_id, proof)`: the project managed identity, as the portal's owner allots it."""

    def allot(client_id: str, proof: Proof = Proof.MANAGED_IDENTITY) -> Identity:
        source.project_proof = proof
        source.save()
        return _with_ids(roster.managed_of(project), source.tenant, client_id)

    return allot


@pytest.fixture
def cluster(tmp_path, monkeypatch) -> Cluster:
    """The cluster that the portal runs in; `project_token(...)` is what it mounts."""
    return Cluster()


@pytest.fixture
def mounted(tmp_path, monkeypatch) -> Callable[[str], None]:
    """`mounted(token)`: what AZURE_FEDERATED_TOKEN_FILE holds."""

    def mount(token: str) -> None:
        path = tmp_path / "azure-identity-token"
        path.write_text(token)
        monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(path))

    return mount


def _with_ids(identity: Identity, tenant: str, client_id: str) -> Identity:
    identity.tenant, identity.client_id = tenant, client_id
    identity.save()
    return identity
