"""Replace value, and the rule that nobody reads one back (T05)."""

import base64
from urllib.parse import quote

import pytest

from connections import secrets
from connections.models import Connection
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import CANARY, key_form, page, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def saved(browse, ana, project, fake_agent):
    browse(ana).post(page("connection-new-a2a", project), key_form(fake_agent().url))
    return project.connections.get()


def value_of(connection: Connection) -> str:
    found = Connection.objects.get(pk=connection.pk)
    return secrets.opened(found, "credential", found.addresses())[0][1].reveal()


def replace(browse, ana, saved, **changes):
    saved.refresh_from_db()
    sent = {
        "read_at": saved.changed_at.isoformat(),
        "credential-0-name": "x-api-key",
        "credential-0-value": "second-value",
        "credential-0-expires_on": "",
    }
    return browse(ana).post(page("connection-replace", saved.project, saved.name), sent | changes)


def test_a_new_value_is_sealed_tested_and_says_who_set_it(browse, ana, project, saved):
    answer = replace(browse, ana, saved)
    assert answer.url == page("connection", project, saved.name)
    assert value_of(saved) == "second-value"
    assert "by Ana Ruiz" in text_of(browse(ana).get(answer.url))


def test_an_empty_value_replaces_nothing(browse, ana, saved):
    answer = replace(browse, ana, saved, **{"credential-0-value": ""})
    assert answer.status_code == 422 and "Enter the new credential value." in text_of(answer)
    assert value_of(saved) == CANARY


def test_an_address_changed_meanwhile_refuses_the_value(browse, ana, saved):
    read_at = saved.changed_at.isoformat()
    saved.changed_at = saved.changed_at.replace(microsecond=saved.changed_at.microsecond ^ 1)
    saved.save()
    answer = replace(browse, ana, saved, read_at=read_at)
    assert answer.status_code == 422 and "Check below where the value is sent now" in text_of(answer)
    assert "second-value" not in text_of(answer) and value_of(saved) == CANARY


def test_unauthenticated_has_no_value_to_replace(browse, ana, project):
    factories.make_connection(project, name="weather", credential=None)
    assert browse(ana).get(page("connection-replace", project, "weather")).status_code == 404


PAGES = [
    "connection",
    "connection-agents",
    "connection-calls",
    "connection-settings",
    "connection-edit",
    "connection-replace",
    "connection-use",
    "connection-disable",
    "connection-delete",
    "connection-card",
]


@pytest.mark.parametrize("name", PAGES)
def test_no_page_holds_a_value_in_any_spelling(browse, ana, project, saved, name):
    sealed = saved.secrets.get().value
    shown = browse(ana).get(page(name, project, saved.name)).content.decode()
    for spelling in (CANARY, base64.b64encode(CANARY.encode()).decode(), quote(CANARY), CANARY.encode().hex(), sealed):
        assert spelling not in shown


@pytest.mark.parametrize("role", [Role.READER, Role.AI_USER])
def test_those_who_only_read_are_offered_no_change_and_get_none(browse, project, saved, role):
    client = browse(factories.make_member(project, role))
    shown = text_of(client.get(page("connection", project, saved.name)))
    for command in ("Test connection", "Replace value", "Edit connection", "Disable", "Delete", "Use in an agent"):
        assert command not in shown
    for name in ("edit", "replace", "use", "disable", "delete", "card"):
        assert client.get(page(f"connection-{name}", project, saved.name)).status_code == 403
    for name in ("test", "enable", "settings", "disable", "delete"):
        assert client.post(page(f"connection-{name}", project, saved.name)).status_code == 403
    assert value_of(saved) == CANARY and project.connections.get().is_enabled


@pytest.mark.parametrize("name", PAGES)
def test_another_projects_connection_is_not_found(browse, saved, eve, name):
    client, own = browse(eve), eve.role_assignments.get().project
    assert client.get(page(name, saved.project, saved.name)).status_code == 404
    assert client.get(page(name, own, saved.name)).status_code == 404


def test_a_card_with_script_in_its_texts_is_only_text(browse, ana, project, hostile):
    """T27."""
    browse(ana).post(page("connection-new-a2a", project), key_form(hostile.url("script-card"), name="bad-agent"))
    shown = browse(ana).get(page("connection", project, "bad-agent")).content.decode()
    body = shown.split("<body", 1)[1]
    assert "<script" not in body and "<img" not in body and "javascript:" not in body
