"""Who gives which role to whom (T12): the verbs, without pages."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, connections
from django.utils import timezone

from portal.audit import changes, events
from portal.audit.models import LogRow
from portal.projects import assignments
from portal.projects.access import access_of
from portal.projects.assignments import Refused, give, lasting_owners, remove
from portal.projects.models import RoleAssignment
from portal.projects.roles import GIVES, Role
from tests import factories


def _logged(event) -> LogRow:
    return LogRow.objects.filter(event=event.tag).latest("id")


def test_an_owner_gives_a_role_and_the_log_says_so(project, ana, eve):
    before = changes.read()
    given = give(eve, Role.READER, project, ana)
    row = _logged(events.ROLE_GIVEN)
    assert access_of(eve, project).roles == [Role.READER]
    assert given.given_by == ana
    assert (row.actor_id, row.project_id) == (ana.id, project.id)
    assert '"person": "Eve Holt"' in row.details and '"role": "Reader"' in row.details
    assert changes.read() == before + 1


def test_a_removed_role_counts_no_more_and_the_log_says_so(project, ana, ben):
    remove(ben.role_assignments.get(), ana)
    assert access_of(ben, project).roles == []
    assert '"person": "Ben Okafor"' in _logged(events.ROLE_REMOVED).details


def test_removing_twice_is_no_error(project, ana, ben):
    assignment = ben.role_assignments.get()
    remove(assignment, ana)
    rows = LogRow.objects.count()
    remove(assignment, ana)
    assert LogRow.objects.count() == rows


@pytest.mark.parametrize("wanted", Role)
@pytest.mark.parametrize("held", Role)
def test_nobody_gives_more_than_the_table_says(held, wanted, project, eve):
    giver = factories.make_member(project, held)
    if wanted in GIVES.get(held, ()):
        give(eve, wanted, project, giver)
    else:
        with pytest.raises(Refused, match="Your roles don't let you"):
            give(eve, wanted, project, giver)
    assert access_of(eve, project).roles == ([wanted] if wanted in GIVES.get(held, ()) else [])


@pytest.mark.parametrize("held", sorted(set(Role) - {Role.OWNER}))
def test_nobody_but_an_owner_removes_another_role_than_azure_ai_user(held, project, dev):
    remover = factories.make_member(project, held)
    with pytest.raises(Refused):
        remove(dev.role_assignments.get(), remover)
    assert access_of(dev, project).roles == [Role.AUDITOR]


def test_an_owner_of_a_project_gives_nothing_on_the_portal(project, eve):
    owner = factories.make_member(project, Role.OWNER)
    with pytest.raises(Refused, match="on the portal"):
        give(eve, Role.READER, None, owner)


def test_an_owner_of_one_project_gives_nothing_in_another(project, ben, eve):
    with pytest.raises(Refused):
        give(eve, Role.OWNER, project, eve)
    with pytest.raises(Refused):
        give(ben, Role.READER, project, eve)


@pytest.mark.parametrize("held", [Role.PROJECT_MANAGER, Role.ACCOUNT_OWNER, Role.AI_OWNER])
def test_nobody_raises_themself(held, project):
    person = factories.make_member(project, held)
    with pytest.raises(Refused, match="You can't give yourself a role"):
        give(person, Role.AI_USER, project, person)


def test_an_owner_may_give_themself_what_they_may_give_anyone(project, ana):
    give(ana, Role.AUDITOR, project, ana)
    assert Role.AUDITOR in access_of(ana, project).roles


def test_an_owner_with_an_end_gives_themself_nothing_beyond_it(project):
    owner = factories.make_user("Olive Temp")
    end = timezone.now() + timedelta(days=1)
    factories.give(owner, Role.OWNER, project, until=end)
    for until in (None, end + timedelta(seconds=1)):
        with pytest.raises(Refused, match="You can't give yourself"):
            give(owner, Role.AUDITOR, project, owner, until)
    give(owner, Role.AUDITOR, project, owner, end)


def test_an_end_in_the_past_is_refused(project, ana, eve):
    with pytest.raises(Refused, match="past"):
        give(eve, Role.READER, project, ana, timezone.now())


def test_the_same_role_twice_is_refused_and_an_ended_one_makes_room(project, ana, ben):
    with pytest.raises(Refused, match="already has Azure AI User"):
        give(ben, Role.AI_USER, project, ana)
    RoleAssignment.objects.filter(user=ben).update(until=timezone.now())
    give(ben, Role.AI_USER, project, ana)
    assert ben.role_assignments.get().until is None


def test_a_deactivated_person_gets_no_role(project, ana):
    person = factories.make_user("Gone Away", is_active=False)
    with pytest.raises(Refused, match="deactivated"):
        give(person, Role.READER, project, ana)


def test_a_role_that_has_ended_gives_nothing_away(project, eve):
    owner = factories.make_user("Olive Past")
    factories.give(owner, Role.OWNER, project, until=timezone.now())
    with pytest.raises(Refused):
        give(eve, Role.READER, project, owner)


def test_the_last_owner_stays(ana):
    with pytest.raises(Refused, match="You can't remove the last Owner"):
        remove(lasting_owners().get(), ana)
    assert lasting_owners().get().user == ana


@pytest.mark.parametrize("other", ["with an end", "deactivated", "of a project"])
def test_only_a_lasting_active_owner_of_the_portal_lets_another_go(other, project, ana):
    person = factories.make_user("Second Owner", is_active=other != "deactivated")
    end = timezone.now() + timedelta(days=30) if other == "with an end" else None
    factories.give(person, Role.OWNER, project if other == "of a project" else None, until=end)
    with pytest.raises(Refused, match="last Owner"):
        remove(ana.role_assignments.get(role=Role.OWNER), ana)


def test_with_a_second_owner_the_first_may_go(ana):
    factories.give(factories.make_user("Second Owner"), Role.OWNER)
    remove(ana.role_assignments.get(role=Role.OWNER), ana)
    assert lasting_owners().count() == 1


@pytest.mark.services
@pytest.mark.django_db(transaction=True)
def test_two_owners_who_remove_each_other_at_once_leave_one():
    people = [factories.make_member(None, Role.OWNER, name=f"Owner {n}") for n in (1, 2)]
    rows = [person.role_assignments.get() for person in people]
    start, refused = threading.Barrier(2), []

    def run(row, by) -> None:
        start.wait()
        try:
            remove(row, by)
        except Refused as refusal:
            refused.append(str(refusal))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair) for pair in zip(rows, reversed(people), strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert lasting_owners().count() == 1
    assert len(refused) == 1


def test_every_change_of_roles_takes_the_lock(project, ana, eve, django_assert_num_queries):
    with assignments.changing_roles(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s", [assignments.ROLES_LOCK]
        )
        assert cursor.fetchone() == (1,)
