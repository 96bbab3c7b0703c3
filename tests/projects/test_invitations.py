"""Invitations: one link, one address, one role, once."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from portal.audit import events
from portal.audit.models import LogRow
from portal.projects import invitations
from portal.projects.access import access_of
from portal.projects.assignments import Refused
from portal.projects.models import Invitation
from portal.projects.roles import Role
from portal.users import User
from tests import factories

NEW = "nia.new@contoso.example"
PASSWORD = "seven quiet lanterns"
FORM = {"name": "Nia New", "password": PASSWORD, "password_again": PASSWORD}


@pytest.fixture
def link(project, ana) -> str:
    return _path(invitations.invite(NEW, Role.AI_USER, project, ana)[1])


def _path(link: str) -> str:
    assert link.startswith("http://localhost:8000/invitations/")
    return link.removeprefix("http://localhost:8000")


def test_a_new_person_sets_a_password_and_has_the_role(project, ana, link):
    client = Client()
    assert NEW in client.get(link).content.decode()
    answer = client.post(link, FORM)
    person = User.objects.get(email=NEW)
    assert (answer.status_code, answer["Location"]) == (302, reverse("project", args=[project.name]))
    assert client.get(reverse("project-settings", args=[project.name])).status_code == 200
    assert person.check_password(PASSWORD) and person.name == "Nia New"
    assert access_of(person, project).roles == [Role.AI_USER]
    assert person.role_assignments.get().given_by == ana


def test_accepting_is_logged_with_who_invited(project, ana, link):
    Client().post(link, FORM)
    person = User.objects.get(email=NEW)
    rows = {row.event: row for row in LogRow.objects.all()}
    assert rows[events.INVITATION_ACCEPTED.tag].actor_id == person.id
    assert rows[events.ROLE_GIVEN.tag].actor_id == ana.id
    assert '"through": "invitation"' in rows[events.ROLE_GIVEN.tag].details
    assert rows[events.SIGNED_IN.tag].actor_id == person.id


def test_only_the_digest_of_the_token_is_kept(project, ana):
    invitation, link = invitations.invite(NEW, Role.AI_USER, project, ana)
    token = link.split("/")[-2]
    assert len(token) >= 43
    stored = {str(value) for value in Invitation.objects.values_list().get()}
    assert not any(token in value for value in stored)
    assert not LogRow.objects.filter(details__contains=token).exists()
    assert re.fullmatch(r"[0-9a-f]{64}", invitation.token_digest)


def test_opening_the_link_burns_nothing(link):
    for _ in range(3):
        assert Client().get(link).status_code == 200
    assert Client().post(link, FORM).status_code == 302


def test_a_link_works_once(link):
    Client().post(link, FORM)
    again = Client().post(link, {**FORM, "name": "Mallory"})
    assert again.status_code == 410
    assert "can't be used" in again.content.decode()
    assert User.objects.get(email=NEW).name == "Nia New"


@pytest.mark.parametrize("how", ["withdrawn", "expired", "role ended", "unknown"])
def test_a_link_that_is_not_open_says_so_and_gives_nothing(how, project, ana, link):
    if how == "withdrawn":
        invitations.withdraw(Invitation.objects.get(), ana)
    elif how == "expired":
        Invitation.objects.update(expires_at=timezone.now())
    elif how == "role ended":
        Invitation.objects.update(role_until=timezone.now())
    else:
        link = link[:-2] + "A/"
    for answer in (Client().get(link), Client().post(link, FORM)):
        assert answer.status_code == 410
        assert NEW not in answer.content.decode()
    assert not User.objects.filter(email=NEW).exists()


@pytest.mark.parametrize("lost", ["their role", "their account"])
def test_a_link_stops_when_its_inviter_may_no_longer_give_the_role(lost, project, ana):
    manager = factories.make_member(project, Role.PROJECT_MANAGER)
    link = _path(invitations.invite(NEW, Role.AI_USER, project, manager)[1])
    if lost == "their role":
        manager.role_assignments.all().delete()
    else:
        User.objects.filter(pk=manager.pk).update(is_active=False)
    assert Client().post(link, FORM).status_code == 410


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"password": "short", "password_again": "short"}, "too short"),
        ({"password": "password1234", "password_again": "password1234"}, "too common"),
        ({"password": NEW, "password_again": NEW}, "too similar"),
        ({"password_again": "another long password"}, "not the same password"),
        ({"name": ""}, "required"),
    ],
)
def test_a_bad_password_is_refused_and_not_shown_again(link, change, complaint):
    answer = Client().post(link, {**FORM, **change})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert complaint in page
    assert PASSWORD not in page and "short&quot;" not in page
    assert not User.objects.filter(email=NEW).exists()


def test_what_else_is_posted_changes_nothing(project, link):
    extra = {"role": "owner", "project": "", "email": "x@contoso.example", "is_active": "0", "is_staff": "1"}
    Client().post(link, FORM | extra)
    person = User.objects.get(email=NEW)
    assert access_of(person, project).roles == [Role.AI_USER]
    assert access_of(person, None).roles == []
    assert person.is_active


def test_somebody_with_an_account_signs_in_and_receives_the_role(project, ana, eve, browse):
    link = _path(invitations.invite(eve.email, Role.READER, project, ana)[1])
    page = Client().get(link)
    assert f"/accounts/login/?next={link}" in page.content.decode()
    client = browse(eve)
    assert client.get(link).status_code == 200
    assert access_of(eve, project).roles == []
    assert client.post(link).status_code == 302
    assert access_of(eve, project).roles == [Role.READER]


def test_the_link_never_sets_the_password_of_an_account_that_exists(project, ana):
    """Not even of one without a password yet: an owner made on the command line would be there for the taking."""
    owner = User.objects.create_user("olive@contoso.example", name="Olive")
    factories.give(owner, Role.OWNER)
    manager = factories.make_member(project, Role.PROJECT_MANAGER)
    link = _path(invitations.invite(owner.email, Role.AI_USER, project, manager)[1])
    answer = Client().post(link, FORM)
    owner.refresh_from_db()
    assert "Sign in" in answer.content.decode()
    assert not owner.has_usable_password()


def test_the_wrong_person_receives_nothing_and_burns_nothing(project, ben, eve, link, browse):
    client = browse(eve)
    assert client.get(link).status_code == 403
    assert client.post(link).status_code == 403
    assert access_of(eve, project).roles == []
    assert Client().post(link, FORM).status_code == 302


def test_an_invitation_keeps_the_roles_last_day(project, ana):
    until = timezone.now() + timedelta(days=3)
    link = _path(invitations.invite(NEW, Role.READER, project, ana, role_until=until)[1])
    Client().post(link, FORM)
    assert User.objects.get(email=NEW).role_assignments.get().until == until


def test_inviting_the_same_again_withdraws_the_earlier_link(project, ana, link):
    invitations.invite(NEW.upper(), Role.AI_USER, project, ana)
    assert Client().get(link).status_code == 410
    assert invitations.open_invitations(project).count() == 1


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.AI_USER}))
def test_a_project_manager_invites_as_azure_ai_user_only(role, project):
    manager = factories.make_member(project, Role.PROJECT_MANAGER)
    with pytest.raises(Refused):
        invitations.invite(NEW, role, project, manager)


def test_nobody_invites_themself_or_somebody_deactivated(project, ana):
    with pytest.raises(Refused, match="yourself"):
        invitations.invite(ana.email.upper(), Role.AUDITOR, project, ana)
    gone = factories.make_user("Gone Away", is_active=False)
    with pytest.raises(Refused, match="deactivated"):
        invitations.invite(gone.email, Role.READER, project, ana)


def test_the_link_is_on_the_answer_once_and_never_cached(project, ana, browse):
    client = browse(ana)
    url = reverse("invitation-new", args=[project.name])
    answer = client.post(url, {"email": NEW, "role": "reader", "scope": "project"})
    link = re.search(r"http://localhost:8000/invitations/[\w-]{43}/", answer.content.decode())
    assert answer.status_code == 200 and link
    assert "no-store" in answer["Cache-Control"]
    listed = client.get(reverse("invitations", args=[project.name])).content.decode()
    assert NEW in listed and link[0] not in listed
    assert not mail.outbox


@override_settings(EMAIL_HOST="mail.contoso.example")
def test_with_a_mail_server_the_link_is_sent_too(project, ana, browse):
    url = reverse("invitation-new", args=[project.name])
    answer = browse(ana).post(url, {"email": NEW, "role": "reader", "scope": "project"})
    link = re.search(r"http://localhost:8000/invitations/[\w-]{43}/", answer.content.decode())[0]
    assert mail.outbox[0].to == [NEW]
    assert link in mail.outbox[0].body


@override_settings(
    EMAIL_HOST="localhost", EMAIL_PORT=1, EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_TIMEOUT=1
)
def test_a_mail_server_that_is_down_costs_nothing(project, ana, browse):
    url = reverse("invitation-new", args=[project.name])
    answer = browse(ana).post(url, {"email": NEW, "role": "reader", "scope": "project"})
    assert "Send the link yourself" in answer.content.decode()
    assert invitations.open_invitations(project).count() == 1
