"""Home, creating projects, their settings, and where a project's address leads."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from portal.audit import events
from portal.audit.models import LogRow
from portal.projects.invitations import invite
from portal.projects.models import Project
from portal.projects.roles import PERMISSIONS, Permission, Role
from tests import factories


def test_home_lists_my_projects_with_my_roles_and_no_other(project, ben, eve, browse):
    page = browse(ben).get("/").content.decode()
    assert "contoso-support" in page and "Azure AI User" in page
    assert "fabrikam" not in page


def test_home_of_one_project_is_still_home(project, ben, browse):
    assert browse(ben).get("/").status_code == 200


def test_home_without_a_project_says_whom_to_ask(ana, browse):
    page = browse(factories.make_user("Nia None")).get("/").content.decode()
    assert "You have no project yet" in page and ana.email in page


def test_home_says_what_waits(project, ana, browse):
    invite("new@contoso.example", Role.READER, project, ana)
    person = factories.make_user("Tess Temp")
    factories.give(person, Role.OWNER, project, until=timezone.now() + timedelta(days=3))
    page = browse(person).get("/").content.decode()
    assert "1 open invitation" in page and "Owner ends" in page


def test_who_creates_a_project_gets_no_role_in_it(ana, browse):
    answer = browse(ana).post(reverse("project-create"), {"name": "new-one", "display_name": "New", "description": ""})
    project = Project.objects.get(name="new-one")
    assert (answer.status_code, answer["Location"]) == (302, "/projects/new-one/")
    assert project.created_by == ana and not project.role_assignments.exists()
    assert LogRow.objects.get(event=events.PROJECT_CREATED.tag).project_id == project.id


def test_a_contributor_of_the_portal_does_not_rise_by_creating(db, browse):
    person = factories.make_member(None, Role.CONTRIBUTOR)
    client = browse(person)
    client.post(reverse("project-create"), {"name": "mine"})
    assert client.get(reverse("role-give", args=["mine"])).status_code == 403


def test_whoever_may_create_a_project_may_also_connect_in_it():
    """Else the creator would stand before a project in which they can do nothing."""
    for role in Role:
        if Permission.PROJECT_WRITE in PERMISSIONS[role]:
            assert Permission.CONNECTION_WRITE in PERMISSIONS[role]


@pytest.mark.parametrize("name", ["new", "New", "a", "-a", "a b", "a/b", "CONTOSO-support", "", "x" * 65, "naïve"])
def test_a_name_that_is_not_one_is_refused(name, project, ana, browse):
    answer = browse(ana).post(reverse("project-create"), {"name": name, "display_name": "Kept"})
    assert answer.status_code == 422
    assert "Kept" in answer.content.decode()
    assert Project.objects.count() == 1


def test_settings_change_what_people_read_and_nothing_else(project, ana, browse):
    url = reverse("project-settings", args=[project.name])
    extra = {"name": "taken-over", "id": "0", "created_by": "0"}
    browse(ana).post(url, {"display_name": "Support", "description": "Tickets"} | extra)
    stored = Project.objects.get(pk=project.pk)
    assert (stored.name, stored.display_name, stored.description) == ("contoso-support", "Support", "Tickets")
    assert "display_name, description" in LogRow.objects.get(event=events.PROJECT_CHANGED.tag).details


def test_who_may_not_change_reads_the_settings_without_a_form(project, ben, browse):
    client, url = browse(ben), reverse("project-settings", args=[project.name])
    page = client.get(url).content.decode()
    assert "<textarea" not in page and str(project.id) in page
    assert client.post(url, {"display_name": "X"}).status_code == 403
    assert Project.objects.get(pk=project.pk).display_name == ""


@pytest.mark.parametrize(
    ("role", "page"),
    [
        (Role.AI_USER, "agents"),
        (Role.READER, "agents"),
        (Role.AUDITOR, "access-log"),
        (Role.AGENT_CONSUMER, "project-settings"),
    ],
)
def test_a_projects_address_leads_to_the_first_page_that_opens(role, page, project, browse):
    answer = browse(factories.make_member(project, role)).get(reverse("project", args=[project.name]))
    assert answer["Location"] == reverse(page, args=[project.name])


def test_a_projects_name_is_matched_exactly(project, ben, browse):
    assert browse(ben).get("/projects/Contoso-Support/settings/").status_code == 404


def test_whoever_can_give_themselves_the_role_is_led_there(browse, ana, ben, project):
    url = reverse("access-log", args=[project.name])
    owner, user = browse(ana).get(url), browse(ben).get(url)
    assert owner.status_code == user.status_code == 403
    assert reverse("role-give", args=[project.name]) in owner.content.decode()
    assert reverse("role-give", args=[project.name]) not in user.content.decode()
    assert f"Auditor on {project.name} for {ben.email}" in user.content.decode()


def test_a_refusal_is_one_line_in_the_log_of_the_server(browse, ben, project, caplog):
    browse(ben).get(reverse("access-log", args=[project.name]))
    lines = [record for record in caplog.records if record.name == "django.request"]
    assert [(record.status_code, record.exc_info) for record in lines] == [(403, None)]
