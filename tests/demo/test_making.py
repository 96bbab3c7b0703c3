"""The demo is made whole, an older one gets what is missing, and what was removed since stays removed."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from connections.models import Connection, Given
from demo import making
from demo.endpoint import demo_endpoint
from portal.identities import issuer, roster, signing_keys
from portal.identities.models import Audience, IdentityToken
from portal.projects.models import Project
from portal.users import User
from tests.fakes.server import listening_socket, serve, url_of

pytestmark = pytest.mark.django_db
STAFF = ["hr-agent", "payroll-agent"]


@pytest.fixture
def door() -> Iterator[socket.socket]:
    """Where the portal is to be: taken, and nobody answers yet."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


@pytest.fixture
def var(settings, tmp_path, monkeypatch, door) -> Iterator[Path]:
    """The demo's endpoint runs, and its `var/` is here; nobody answers at the portal's address."""
    sock = listening_socket()
    settings.DEMO, settings.VAR_DIR, settings.PUBLIC_URL = True, tmp_path, url_of(door)
    monkeypatch.setenv("DEMO_ENDPOINT_URL", url_of(sock))
    monkeypatch.setenv("DEMO_ENDPOINT_KEY", "a-key")
    app = demo_endpoint(url_of(sock), "a-key", portal=settings.PUBLIC_URL, roles_in=tmp_path / "roles.json")
    with serve(app, at=sock):
        yield tmp_path


@pytest.fixture
def portal(var, door) -> Iterator[str]:
    """What the endpoint wants of the portal: its keys."""
    keys, document = signing_keys.jwks(), issuer.metadata()

    async def jwks(_) -> JSONResponse:
        return JSONResponse(keys)

    async def discovery(_) -> JSONResponse:
        return JSONResponse(document)

    at = "/identities/.well-known/openid-configuration"
    door.listen()
    with serve(Starlette(routes=[Route("/identities/jwks.json", jwks), Route(at, discovery)]), at=door) as served:
        yield served.url


def facts(var: Path) -> dict:
    return json.loads((var / "demo.json").read_text())


def methods_in(var: Path) -> dict[str, str]:
    return {entry["name"]: entry["auth_method"] for entry in facts(var)["connections"]}


def test_all_five_rows_of_the_table_are_connected_and_given_to_the_agent(var):
    making.ensure()

    assert methods_in(var) == {
        "hr-agent": "microsoft-entra-agent-identity",
        "ledger-agent": "key-based",
        "payroll-agent": "microsoft-entra-project-managed-identity",
        "review-agent": "oauth-identity-passthrough",
        "weather": "unauthenticated",
    }
    assert Given.objects.filter(agent__name="support-bot").count() == 5


def test_both_audiences_are_listed_for_the_endpoint_alone(var):
    making.ensure()

    origin = os.environ["DEMO_ENDPOINT_URL"]
    listed = Audience.objects.values_list("name", "origins", "listed_by__name")
    expected = [("api://contoso-hr", [origin], "Ana Ruiz"), ("api://contoso-payroll", [origin], "Ana Ruiz")]
    assert sorted(listed) == expected


def test_the_identities_have_their_roles_at_the_endpoint(var):
    making.ensure()

    project = Project.objects.get()
    shared, managed = roster.shared_by_agents(project), roster.managed_of(project)
    assert json.loads((var / "roles.json").read_text()) == {
        "HR.Read": {shared.principal_id: "contoso-support-AgentIdentity"},
        "Payroll.Read": {managed.principal_id: "contoso-support-ManagedIdentity"},
    }


def test_an_older_demo_gets_what_is_missing_and_keeps_its_sign_ins(var):
    making.ensure()
    before = facts(var)
    Connection.objects.filter(name__in=STAFF).delete()
    Audience.objects.all().delete()
    (var / "demo.json").write_text(json.dumps({key: before[key] for key in before if key != "edition"}))

    making.ensure()

    assert set(STAFF) <= set(methods_in(var))
    assert Audience.objects.count() == 2
    assert facts(var)["users"] == before["users"]


def test_what_was_removed_since_does_not_come_back(var):
    making.ensure()
    Connection.objects.filter(name="hr-agent").delete()

    making.ensure()

    assert "hr-agent" not in methods_in(var)


def test_without_its_administrator_or_agent_an_older_demo_stays_as_it_is(var):
    making.ensure()
    older = {key: value for key, value in facts(var).items() if key != "edition"}
    (var / "demo.json").write_text(json.dumps(older))
    Connection.objects.filter(name__in=STAFF).delete()
    User.objects.filter(name="Ana Ruiz").update(email="somebody.else@contoso.example")

    making.ensure()

    assert not set(STAFF) & set(methods_in(var))


def test_once_the_portal_answers_what_waited_is_tested_and_healthy(var, portal):
    making.ensure()
    assert not Connection.objects.filter(name__in=STAFF, health__isnull=False).exists()

    assert making.test_what_waited() == []

    states = Connection.objects.filter(name__in=STAFF).values_list("name", "health__state")
    assert dict(states) == {"hr-agent": "healthy", "payroll-agent": "healthy"}


def test_what_does_not_pass_is_said_and_not_tested_again_at_the_next_start(var):
    making.ensure()

    said = making.test_what_waited()

    assert [line.partition(":")[0] for line in said] == STAFF
    assert making.test_what_waited() == []


def test_tokens_in_the_name_of_another_address_are_forgotten(var, portal, settings):
    making.ensure()
    making.test_what_waited()
    making.ensure()
    assert IdentityToken.objects.count() == 2

    settings.PUBLIC_URL = "http://127.0.0.1:1"
    making.ensure()

    assert IdentityToken.objects.count() == 0


def test_outside_a_demo_nothing_is_made_or_tested(var, settings):
    settings.DEMO = False
    for act in (making.ensure, making.test_what_waited):
        with pytest.raises(making.Refused, match="GATEHOUSE_DEMO=1"):
            act()


def test_a_person_finds_what_to_type_to_connect_the_ledger_by_hand(var):
    making.ensure()

    ledger = {"endpoint": f"{os.environ['DEMO_ENDPOINT_URL']}/ledger", "header": "x-api-key", "value": "a-key"}
    assert facts(var)["endpoints"] == [ledger]
