"""Deactivating people, and letting them in again."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.urls import reverse
from django.utils import timezone

from portal.audit import events
from portal.audit.models import LogRow
from portal.projects.access import access_of, allows
from portal.projects.assignments import Refused
from portal.projects.people import deactivate, reactivate
from portal.projects.roles import Permission, Role
from tests import factories


def test_a_deactivated_person_loses_every_session_and_right_at_once(project, ana, ben, browse):
    client, other = browse(ben), browse(ana)
    deactivate(ben, ana)
    assert client.get("/").status_code == 302
    assert other.get("/").status_code == 200
    assert Session.objects.count() == 1
    assert not access_of(type(ben).objects.get(pk=ben.pk), project).roles
    assert not allows(ben.id, project.id, Permission.AGENT_INTERACT)


def test_a_reactivated_person_has_their_roles_and_no_old_session(project, ana, ben, browse):
    client = browse(ben)
    deactivate(ben, ana)
    reactivate(ben, ana)
    assert client.get("/").status_code == 302
    assert allows(ben.id, project.id, Permission.AGENT_INTERACT)


def test_both_are_logged(ana, ben):
    deactivate(ben, ana)
    reactivate(ben, ana)
    logged = list(LogRow.objects.order_by("id").values_list("event", flat=True))
    assert logged == [events.PERSON_DEACTIVATED.tag, events.PERSON_REACTIVATED.tag]


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.OWNER}))
def test_nobody_but_an_owner_of_the_portal_deactivates(role, ben):
    with pytest.raises(Refused):
        deactivate(ben, factories.make_member(None, role))


def test_an_owner_of_a_project_deactivates_nobody(project, ben):
    with pytest.raises(Refused):
        deactivate(ben, factories.make_member(project, Role.OWNER))


def test_nobody_deactivates_themself_or_the_last_lasting_owner(ana):
    with pytest.raises(Refused, match="yourself"):
        deactivate(ana, ana)
    temporary = factories.make_user("Tess Temp")
    factories.give(temporary, Role.OWNER, until=timezone.now() + timedelta(days=1))
    with pytest.raises(Refused, match="last Owner"):
        deactivate(ana, temporary)
    ana.refresh_from_db()
    assert ana.is_active


def test_the_page_asks_first(ana, ben, browse):
    client = browse(ana)
    url = reverse("portal-person-deactivate", args=[ben.id])
    assert "Deactivate Ben Okafor?" in client.get(url).content.decode()
    ben.refresh_from_db()
    assert ben.is_active
    assert "Ben Okafor was deactivated." in client.post(url, follow=True).content.decode()
    assert (
        "Ben Okafor was reactivated."
        in client.post(reverse("portal-person-reactivate", args=[ben.id]), follow=True).content.decode()
    )
