"""Sessions end after an idle hour and after 12 hours in any case (T23)."""

import time
from datetime import timedelta

from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from portal import sessions


def _idle(client: Client, minutes: int) -> None:
    Session.objects.update(expire_date=timezone.now() + timedelta(minutes=60 - minutes))


def _signed_in(client: Client) -> bool:
    return client.get("/").status_code == 200


def test_an_hour_without_a_request_ends_it(ben, browse):
    client = browse(ben)
    _idle(client, 59)
    assert _signed_in(client)
    _idle(client, 61)
    assert not _signed_in(client)


def test_each_request_moves_the_end_on(ben, browse):
    client = browse(ben)
    _idle(client, 30)
    assert _signed_in(client)
    left = Session.objects.get().expire_date - timezone.now()
    assert timedelta(minutes=59) < left <= timedelta(minutes=60)


def test_the_end_is_moved_at_most_once_a_minute(ben, browse):
    client = browse(ben)
    assert _signed_in(client)
    before = Session.objects.get().expire_date
    assert _signed_in(client)
    assert Session.objects.get().expire_date == before


def test_twelve_hours_after_signing_in_it_ends_however_busy(ben, browse):
    client = browse(ben)
    _began(client, hours=11.9)
    assert _signed_in(client)
    assert Session.objects.get().expire_date - timezone.now() < timedelta(minutes=7)
    _began(client, hours=12.1)
    Session.objects.update(expire_date=timezone.now() + timedelta(hours=1))
    assert not _signed_in(client)
    assert not Session.objects.exists()


def test_signing_in_counts_from_the_start(ben):
    client = Client()
    session = client.session
    session["x"] = 1
    session[sessions.BEGAN] = int(time.time()) - 11 * 3600
    session.save()
    client.cookies["session"] = session.session_key
    client.force_login(ben)
    assert time.time() - client.session[sessions.BEGAN] < 5


def test_a_session_of_unknown_age_is_none(ben, browse):
    client = browse(ben)
    session = client.session
    session[sessions.BEGAN] = 0
    Session.objects.update(session_data=session.encode(dict(session.items())))
    assert not _signed_in(client)


def _began(client: Client, hours: float) -> None:
    session = client.session
    session[sessions.BEGAN] = int(time.time() - hours * 3600)
    Session.objects.update(session_data=session.encode(dict(session.items())))
