"""The change counter: raised once by every change, as the transaction's last statement."""

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from portal.audit import changes
from portal.audit.models import LastUse
from tests import factories

pytestmark = [pytest.mark.services, pytest.mark.django_db(transaction=True)]


def test_a_change_raises_the_counter_once(counter):
    with changes.announced():
        factories.make_project("contoso")
    assert changes.read() == counter.value + 1


def test_changes_within_a_change_raise_it_once(counter):
    with changes.announced():
        with changes.announced():
            factories.make_project("contoso")
        with changes.announced():
            factories.make_project("fabrikam")
    assert changes.read() == counter.value + 1


def test_raising_it_is_the_last_thing_that_the_transaction_does(counter):
    with (
        CaptureQueriesContext(
            connection,
        ) as seen,
        changes.announced(),
    ):
        with changes.announced():
            factories.make_project("contoso")
        factories.make_project("fabrikam")
    statements = [query["sql"] for query in seen.captured_queries]
    assert statements[-1] == "COMMIT"
    assert "portal_changecounter" in statements[-2]
    assert sum("portal_changecounter" in sql for sql in statements) == 1


def test_a_change_that_fails_raises_nothing_and_the_next_one_does(counter):
    with pytest.raises(ZeroDivisionError), changes.announced():
        factories.make_project("contoso")
        raise ZeroDivisionError
    assert changes.read() == counter.value
    with changes.announced():
        factories.make_project("contoso")
    assert changes.read() == counter.value + 1


def test_a_change_that_fails_inside_another_one_leaves_the_outer_one_announced(counter):
    with changes.announced():
        with pytest.raises(ZeroDivisionError), changes.announced():
            raise ZeroDivisionError
        factories.make_project("contoso")
    assert changes.read() == counter.value + 1


def test_nobody_sees_the_new_number_before_the_change(counter, elsewhere: psycopg.Connection):
    read = "SELECT value FROM portal_changecounter"
    with changes.announced():
        factories.make_project("contoso")
        assert elsewhere.execute(read).fetchone() == (counter.value,)
    assert elsewhere.execute(read).fetchone() == (counter.value + 1,)


def test_last_use_does_not_raise_it(counter):
    LastUse.objects.create(subject=factories.make_project("contoso").id, at="2026-11-22T12:00Z")
    assert changes.read() == counter.value
