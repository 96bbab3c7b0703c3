"""Claims on due rows: each row to one worker, and back when that one dies."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection as database
from django.db.models import F
from django.db.models.functions import Now

from portal import due
from portal.projects.models import Project, RoleAssignment
from portal.projects.roles import Role
from tests import factories

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]
LEASE = timedelta(seconds=20)


def make_rows(count: int) -> None:
    """Any table with a time that may be null will do."""
    project = factories.make_project()
    for _ in range(count):
        factories.give(factories.make_user(), Role.READER, project)


def take(limit: int = 100, lease: timedelta = LEASE, **marks) -> list[RoleAssignment]:
    rows = RoleAssignment.objects.order_by("given_at")
    return due.claim(rows, until_column="until", lease=lease, limit=limit, **marks)


def test_what_is_claimed_is_nobody_elses_until_the_claim_ends():
    make_rows(3)
    first = take(2, lease=timedelta(seconds=0.3))
    assert [row.until for row in first] == [None, None]
    assert len(take()) == 1
    assert take() == []

    time.sleep(0.35)
    assert {row.pk for row in take()} == {row.pk for row in first}


def test_many_who_take_at_once_get_each_row_once():
    make_rows(60)
    start, taken = threading.Barrier(6), []

    def work() -> None:
        try:
            start.wait(5)
            while rows := take(7):
                taken.extend(row.pk for row in rows)
        finally:
            database.close()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(taken) == len(set(taken)) == 60


def test_the_claim_ends_by_the_databases_clock():
    make_rows(1)
    take()
    now, until = RoleAssignment.objects.annotate(now=Now()).values_list("now", "until").get()
    assert timedelta(seconds=19) < until - now <= LEASE


def test_marks_are_written_with_the_claim_and_the_rows_are_as_they_were():
    make_rows(2)
    rows = take(role=Role.AUDITOR)
    assert {row.role for row in rows} == {Role.READER}
    assert set(RoleAssignment.objects.values_list("role", flat=True)) == {Role.AUDITOR}


def test_a_row_with_what_belongs_to_it_is_locked_alone():
    make_rows(1)
    rows = RoleAssignment.objects.select_related("project", "user").annotate(of=F("project__name"))
    [row] = due.claim(rows, until_column="until", lease=LEASE, limit=1)
    assert Project.objects.get() == row.project
