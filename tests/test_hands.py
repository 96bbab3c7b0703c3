"""The threads of a sweep: each with its own connection, none ended by another's trouble."""

import threading
import time

import pytest
from django.db import connection as database
from django.db import connections

from portal.hands import Hands
from portal.projects.models import Project

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_fails_ends_nothing_else_and_its_words_are_not_logged(caplog):
    done = []

    def fail() -> None:
        raise ValueError("a-secret-word")

    with Hands(2) as hands:
        for number in range(10):
            hands.give(fail)
            hands.give(done.append, number)
    assert sorted(done) == list(range(10))
    assert "fail failed: ValueError" in caplog.text and "a-secret-word" not in caplog.text


def test_free_hands_are_counted_and_waited_for():
    release = threading.Event()
    with Hands(3) as hands:
        assert hands.free() == 3
        for _ in range(3):
            hands.give(release.wait, 5)
        began = time.monotonic()
        assert hands.free(at_least=1, seconds=0.2) == 0
        assert 0.15 < time.monotonic() - began < 2
        release.set()
        assert hands.free(at_least=3, seconds=5) == 3


def test_each_hand_has_a_connection_and_closes_it_at_the_end():
    seen, together = set(), threading.Barrier(3)

    def look() -> None:
        Project.objects.count()
        together.wait(5)
        seen.add(connections["default"].connection)

    with Hands(3) as hands:
        for _ in range(3):
            hands.give(look)
    assert len(seen) == 3 and database.connection not in seen
    assert all(each.closed for each in seen)
