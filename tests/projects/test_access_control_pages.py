"""The pages of access control, as their readers see them."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from portal.projects.access import access_of
from portal.projects.models import RoleAssignment
from portal.projects.roles import NEW_NAMES, PERMISSIONS, ROLE_IDS, Permission, Role
from tests import factories


def _page(client, name, *args, **query) -> str:
    answer = client.get(reverse(name, args=args), query)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def manager(project):
    return factories.make_member(project, Role.PROJECT_MANAGER, name="Mia Manager")


def test_the_list_shows_everybody_with_scope_and_end(project, ana, ben, dev, browse):
    dev.role_assignments.update(until=timezone.now() + timedelta(days=40))
    page = _page(browse(ana), "access-control", project.name)
    assert all(
        text in page for text in ("ana.ruiz@contoso.example", "inherited", "Ben Okafor", "Azure AI User", "No end")
    )
    assert "4 assignments, 3 people" in page


@pytest.mark.parametrize(("query", "shown"), [("auditor", "Dev"), ("okafor", "Ben"), ("foundry user", "Ben")])
def test_the_filter_finds_names_addresses_and_both_names_of_a_role(query, shown, project, ana, ben, dev, browse):
    page = _page(browse(ana), "access-control", project.name, q=query)
    assert "1 assignment, 1 person" in page
    assert 'aria-label="Remove' in page and shown in page


def test_a_filter_without_a_match_offers_to_clear_it(project, ana, browse):
    assert "No assignment matches" in _page(browse(ana), "access-control", project.name, q="zzz")


def test_inherited_roles_have_no_remove_and_no_address_to_remove_them_here(project, ana, browse):
    client, owner = browse(ana), ana.role_assignments.get(role=Role.OWNER)
    assert str(owner.id) not in _page(client, "access-control", project.name)
    assert client.post(reverse("role-remove", args=[project.name, owner.id])).status_code == 404


def test_every_role_is_listed_with_both_names_its_id_and_what_it_permits(project, ana, browse):
    page = _page(browse(ana), "access-control-roles", project.name)
    for role in Role:
        assert role.label in page
        assert NEW_NAMES.get(role, role.label) in page and ROLE_IDS.get(role, "") in page
    assert "Open the access log" in page


def test_the_names_and_ids_are_foundrys():
    assert Role.AI_USER.label == "Azure AI User" and NEW_NAMES[Role.AI_USER] == "Foundry User"
    assert ROLE_IDS[Role.AI_USER] == "53ca6127-db72-4b80-b1b0-d745d6d5456d"
    assert Role.PROJECT_MANAGER.label == "Azure AI Project Manager"
    assert ROLE_IDS[Role.PROJECT_MANAGER] == "eadc314b-1a2d-4efa-be10-5d325db5065e"
    assert ROLE_IDS[Role.AGENT_CONSUMER] == "eed3b665-ab3a-47b6-8f48-c9382fb1dad6"


def test_who_may_create_a_connection_is_foundrys_table():
    creators = {role for role in Role if Permission.CONNECTION_WRITE in PERMISSIONS[role]}
    owners = {Role.OWNER, Role.CONTRIBUTOR, Role.PROJECT_MANAGER, Role.ACCOUNT_OWNER, Role.AI_OWNER}
    assert creators == owners
    users = {role for role in Role if Permission.AGENT_INTERACT in PERMISSIONS[role]}
    assert users == {Role.AI_USER, Role.PROJECT_MANAGER, Role.AI_OWNER, Role.AGENT_CONSUMER}


def test_only_the_auditor_opens_the_log_and_only_an_owner_lets_agents_speak():
    assert {role for role in Role if Permission.LOG_READ in PERMISSIONS[role]} == {Role.AUDITOR}
    assert {role for role in Role if Permission.SPEAKING_WRITE in PERMISSIONS[role]} == {Role.OWNER}


def test_check_access_answers_every_permission_with_its_reason(project, ana, ben, browse):
    page = _page(browse(ana), "access-control", project.name, person=ben.id, on=project.name)
    assert "Use agents and connect own accounts" in page
    assert "Needs Auditor" in page
    assert "Needs Owner" in page
    assert "Read a stored secret" in page and "In no role" in page


def test_check_access_knows_nobody_who_has_no_role_here(project, manager, eve, browse):
    answer = browse(manager).get(reverse("access-control", args=[project.name]), {"person": eve.id, "on": project.name})
    assert answer.status_code == 404
    assert eve.email not in _page(browse(manager), "access-control", project.name)


def test_check_access_on_the_portal_is_for_those_who_may_read_roles_there(project, manager, ana, ben, browse):
    query = {"person": ben.id, "on": "portal"}
    assert browse(manager).get(reverse("access-control", args=[project.name]), query).status_code == 404
    assert "No role here" in _page(browse(ana), "access-control", project.name, **query)


def test_giving_a_role_by_the_form(project, ana, eve, browse):
    day = (timezone.localdate() + timedelta(days=2)).isoformat()
    url = reverse("role-give", args=[project.name])
    posted = {"email": "EVE.Holt@fabrikam.example", "role": "reader", "scope": "project", "until": day}
    answer = browse(ana).post(url, posted, follow=True)
    assert "Eve Holt now has Reader on contoso-support." in answer.content.decode()
    until = eve.role_assignments.get(project=project).until
    assert (until.date().isoformat(), until.hour, until.minute) == (day, 23, 59)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"email": "nobody@contoso.example"}, "Invite them instead"),
        ({"email": "no address"}, "valid email"),
        ({"role": "emperor"}, "valid choice"),
        ({"until": "2020-01-01"}, "Choose today or a later day"),
        ({"until": "9999-12-31"}, "within the next ten years"),
        ({"scope": "everywhere"}, "valid choice"),
    ],
)
def test_a_form_that_is_wrong_says_so_and_keeps_what_was_typed(change, complaint, project, ana, eve, browse):
    posted = {"email": eve.email, "role": "reader", "scope": "project", "until": ""} | change
    answer = browse(ana).post(reverse("role-give", args=[project.name]), posted)
    assert answer.status_code == 422
    assert complaint in answer.content.decode() and posted["email"] in answer.content.decode()
    assert access_of(eve, project).roles == []


def test_a_project_manager_is_offered_azure_ai_user_only_and_no_portal(project, manager, browse):
    page = _page(browse(manager), "role-give", project.name)
    assert '<option value="azure-ai-user">' in page
    assert page.count("<option") == 1 and 'value="portal"' not in page


@pytest.mark.parametrize("role", ["owner", "auditor", "azure-ai-owner"])
@pytest.mark.parametrize("scope", ["project", "portal"])
def test_a_project_manager_who_posts_more_gets_nothing(role, scope, project, manager, eve, browse):
    posted = {"email": eve.email, "role": role, "scope": scope, "project": "", "by": "ana", "given_by": str(eve.id)}
    for name in ("role-give", "invitation-new"):
        assert browse(manager).post(reverse(name, args=[project.name]), posted).status_code == 422
    posted["role"] = "azure-ai-user"
    browse(manager).post(reverse("role-give", args=[project.name]), posted)
    given = eve.role_assignments.get(project=project)
    assert given.given_by == manager
    assert not eve.role_assignments.filter(project=None).exists()


def test_a_contributor_who_gives_owner_is_not_permitted(project, eve, browse):
    contributor = factories.make_member(project, Role.CONTRIBUTOR)
    posted = {"email": eve.email, "role": "owner", "scope": "project"}
    assert browse(contributor).post(reverse("role-give", args=[project.name]), posted).status_code == 403
    assert access_of(eve, project).roles == []


def test_a_portal_owner_gives_a_role_on_the_whole_portal(project, ana, eve, browse):
    posted = {"email": eve.email, "role": "auditor", "scope": "portal"}
    browse(ana).post(reverse("role-give", args=[project.name]), posted)
    assert access_of(eve, None).roles == [Role.AUDITOR]


def test_removing_asks_first_and_names_what_is_lost(project, ana, ben, browse):
    client, assignment = browse(ana), ben.role_assignments.get()
    page = _page(client, "role-remove", project.name, assignment.id)
    assert "Remove Azure AI User from Ben Okafor?" in page
    assert "use agents and connect own accounts" in page and "They have no other role here" in page
    assert RoleAssignment.objects.filter(pk=assignment.pk).exists()
    answer = client.post(reverse("role-remove", args=[project.name, assignment.id]), follow=True)
    assert "Ben Okafor no longer has Azure AI User on contoso-support." in answer.content.decode()


def test_what_another_role_still_gives_is_not_named_as_lost(project, ana, ben, browse):
    factories.give(ben, Role.AI_OWNER, project)
    page = _page(browse(ana), "role-remove", project.name, ben.role_assignments.get(role=Role.AI_USER).id)
    assert "loses nothing" in page


def test_the_last_owner_is_told_why_they_stay(ana, browse):
    owner = ana.role_assignments.get(role=Role.OWNER)
    answer = browse(ana).post(reverse("portal-role-remove", args=[owner.id]), follow=True)
    assert "You can&#x27;t remove the last Owner." in answer.content.decode()
    assert RoleAssignment.objects.filter(pk=owner.pk).exists()


def test_a_reader_sees_the_list_without_buttons(project, browse):
    page = _page(browse(factories.make_member(project, Role.READER)), "access-control", project.name)
    assert "Add role assignment" not in page and ">Remove</a>" not in page


def test_the_portals_page_lists_the_portals_roles_only(project, ana, ben, browse):
    page = _page(browse(ana), "portal-access-control")
    assert "2 assignments, 1 person" in page


def test_an_invitation_is_withdrawn_after_asking(project, ana, browse):
    client = browse(ana)
    client.post(
        reverse("invitation-new", args=[project.name]), {"email": "n@x.example", "role": "reader", "scope": "project"}
    )
    invitation = project.invitations.get()
    assert "Withdraw the invitation of n@x.example?" in _page(
        client, "invitation-withdraw", project.name, invitation.id
    )
    client.post(reverse("invitation-withdraw", args=[project.name, invitation.id]))
    assert "No open invitations" in _page(client, "invitations", project.name)
