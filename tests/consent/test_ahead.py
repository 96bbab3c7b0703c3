"""Which grants a sweep refreshes, how fast, and what it leaves alone."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection as database
from django.utils import timezone

from connections import secrets
from connections.models import Connection, Health
from consent import grants, marking, oauth2, pace, sweeping, timing
from consent.models import Grant, Pace
from consent.tasks import refresh_due
from portal.audit.models import LastUse
from portal.celery import app
from tests.consent import making
from tests.consent.given import again, give
from tests.consent.rush import due_grants, left
from tests.consent.slow_provider import slow_provider
from tests.fakes import misbehaviour as bad

pytestmark = pytest.mark.django_db(transaction=True)
State = Grant.State
LONG_AGO = timedelta(days=20)


@pytest.fixture
def grant(connected, release_bot, ben) -> Grant:
    return again(give(connected, release_bot, ben))


def changed(grant: Grant, **columns) -> Grant:
    Grant.objects.filter(pk=grant.pk).update(**columns)
    return again(grant)


def near_its_end(grant: Grant, seconds: float = 40) -> Grant:
    """Given a while ago; beyond the 30 seconds in which a call would refresh it."""
    now = timezone.now()
    dates = {"given_at": now - timedelta(minutes=10), "expires_at": now + timedelta(seconds=seconds)}
    return changed(grant, **dates, refreshed_at=None, refresh_due_at=now, retry_at=None)


def unused(grant: Grant) -> Grant:
    return changed(grant, given_at=timezone.now() - LONG_AGO, expires_at=timezone.now() - LONG_AGO)


def sweep() -> None:
    """Of everything that is to be looked at by now or later today."""
    Grant.objects.update(refresh_due_at=timezone.now())
    sweeping.sweep(5)


# Whom it is for


def test_access_that_is_used_is_refreshed_before_a_call_would_have_to(github, grant):
    grant = near_its_end(grant)
    assert grants.token_at_hand(grant)() is not None, "a call would not refresh it yet"
    assert refresh_due() == 1

    kept = again(grant)
    assert (len(github.refreshes()), kept.generation) == (1, grant.generation + 1)
    assert (kept.lease_by, kept.lease_until) == (None, None)
    assert timedelta() < kept.expires_at - kept.refresh_due_at <= timing.MARGIN * 2
    assert refresh_due() == 0


def test_access_that_is_not_near_its_end_is_left_alone(github, grant):
    assert refresh_due() == 0
    sweep()
    assert (github.refreshes(), again(grant).generation) == ([], grant.generation)
    assert again(grant).refresh_due_at > timezone.now()


def test_a_row_from_before_there_were_sweeps_is_found(github, grant):
    changed(near_its_end(grant), refresh_due_at=None)
    assert refresh_due() == 1
    assert len(github.refreshes()) == 1


def test_access_that_nobody_uses_is_not_refreshed(github, grant):
    unused(grant)
    sweep()
    assert github.refreshes() == []
    assert again(grant).refresh_due_at > timezone.now() + timedelta(hours=20)


def test_the_last_use_is_what_counts(github, grant):
    LastUse.objects.create(subject=unused(grant).pk, at=timezone.now() - timedelta(days=2))
    sweep()
    assert len(github.refreshes()) == 1


@pytest.mark.parametrize(("days", "asked"), [(19, 1), (21, 0)])
def test_a_connection_can_say_that_unused_access_is_kept_alive(github, grant, days, asked):
    unused(grant)
    Connection.objects.update(settings=grant.connection.settings | {"keep_alive_days": days})
    sweep()
    assert len(github.refreshes()) == asked


def test_unused_access_is_kept_alive_before_a_refresh_token_that_ends_sooner(github, grant):
    now = timezone.now()
    changed(unused(grant), refresh_token_ends_at=now + timedelta(days=2))
    Connection.objects.update(settings=grant.connection.settings | {"keep_alive_days": 60})
    sweep()
    assert len(github.refreshes()) == 1


@pytest.mark.parametrize("what", ["connection", "agent", "user", "secret", "address", "uncertain", "refused client"])
def test_what_could_not_be_used_or_must_not_be_asked_for_is_left_alone(github, grant, what):
    near_its_end(grant)
    if what == "connection":
        Connection.objects.update(disabled_at=timezone.now())
    elif what == "agent":
        type(grant.agent).objects.update(disabled_at=timezone.now())
    elif what == "user":
        type(grant.user).objects.filter(pk=grant.user_id).update(is_active=False)
    elif what == "secret":
        secrets.clear(grant.connection, "client_secret")
    elif what == "address":
        Connection.objects.update(endpoint="http://127.0.0.1:9/other")
    elif what == "uncertain":
        changed(grant, refresh_error=oauth2.Uncertain.code)
    else:
        marking.client_refused(grant.connection)
    refresh_due()

    kept = again(grant)
    assert (github.refreshes(), kept.state, kept.generation) == ([], State.ACTIVE, grant.generation)
    assert kept.refresh_due_at > timezone.now() + timedelta(seconds=20)
    assert kept.lease_until is None


def test_a_client_that_was_refused_is_tried_again_after_a_while(github, grant):
    near_its_end(grant)
    marking.client_refused(grant.connection)
    Health.objects.update(checked_at=timezone.now() - timedelta(minutes=7))
    refresh_due()
    assert len(github.refreshes()) == 1
    assert Health.objects.get().state == Health.State.NOT_CHECKED


def test_due_dates_are_spread():
    now = timezone.now()
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    dates = {timing.refresh_due(now + hour, hour) for _ in range(50)}
    assert len(dates) == 50
    assert now + 50 * minute <= min(dates) and max(dates) <= now + 55 * minute
    assert max(dates) - min(dates) > minute
    assert timing.refresh_due(now + minute, minute) >= now + minute / 2


# How it is asked


def test_a_call_and_a_sweep_at_once_make_one_request(provider, project, release_bot, ben):
    octo = provider(grace_seconds=0)
    grant = near_its_end(give(making.connection_to(octo, project, release_bot), release_bot, ben), seconds=10)
    octo.next(bad.slow(0.5), at="refresh")
    sweeper = threading.Thread(target=_sweep_in_thread)
    sweeper.start()
    time.sleep(0.25)
    grants.fresh_token(again(grant))
    sweeper.join(10)
    assert len(octo.refreshes()) == 1
    assert octo.reused() == set()


def _sweep_in_thread() -> None:
    try:
        sweeping.sweep(5)
    finally:
        database.close()


def test_a_busy_provider_is_left_alone_as_long_as_it_says_by_the_sweeps_of_all_its_grants(
    github, connected, release_bot, ben, chloe
):
    first, second = give(connected, release_bot, ben), give(connected, release_bot, chloe, "octo-chloe")
    near_its_end(first)
    github.next(bad.too_many("2"), at="refresh")
    refresh_due()
    assert (len(github.refreshes()), again(first).refresh_error) == (1, "provider_unavailable")
    near_its_end(second)
    began = time.monotonic()
    sweeping.sweep(1)
    assert len(github.refreshes()) == 1
    while again(second).generation == second.generation and time.monotonic() - began < 10:
        sweeping.sweep(1)
    asked = [call.received.at for call in github.refreshes()]
    assert len(asked) == 2
    assert asked[1] - asked[0] >= 1.8


def test_a_failing_grant_is_asked_for_less_and_less(github, grant):
    pauses = []
    for _ in range(3):
        near_its_end(grant)
        Pace.objects.update(spent_until=timezone.now())
        github.next(bad.too_many(""), at="refresh")
        refresh_due()
        pauses.append((again(grant).refresh_due_at - timezone.now()).total_seconds())
    assert len(github.refreshes()) == 3
    assert 28 < pauses[0] < 37 and 58 < pauses[1] < 73 and 118 < pauses[2] < 145


def test_no_provider_is_asked_more_than_the_limits_by_two_sweeps_together(project, release_bot, settings):
    settings.REFRESH_AT_ONCE, settings.REFRESH_PER_SECOND = 5, 20
    with slow_provider(seconds=0.15) as provider:
        due_grants(project, release_bot, provider.url, 50)
        sweeps = [threading.Thread(target=_sweep_in_thread) for _ in range(2)]
        for each in sweeps:
            each.start()
        for each in sweeps:
            each.join(20)
        seen = provider.read()
    assert (left(), seen["requests"], seen["refused"]) == (0, 50, 0)
    assert seen["most_at_once"] <= 5
    times = sorted(seen["times"])
    # 20 may be spent at once, and 20 more in each second that follows.
    assert all(sum(begun <= at < begun + 1 for at in times) <= 42 for begun in times)
    assert times[-1] - times[0] > 1.3


def test_a_slow_provider_does_not_keep_another_one_waiting(project, release_bot, settings):
    settings.REFRESH_AT_ONCE = 8
    with slow_provider(seconds=1.5) as slow, slow_provider(seconds=0.01) as quick:
        due_grants(project, release_bot, slow.url, 20)
        due_grants(project, release_bot, quick.url, 20)
        began = time.monotonic()
        sweep = threading.Thread(target=_sweep_in_thread)
        sweep.start()
        while quick.read()["requests"] < 20:
            assert time.monotonic() - began < 3
            time.sleep(0.05)
        sweep.join(20)
        assert slow.read()["most_at_once"] <= 8


def test_what_may_still_be_asked_is_counted_over_all_sweeps(db, settings):
    settings.REFRESH_PER_SECOND = 10
    assert pace.within("https://p.example", 100, lambda limit: [0] * limit) == [0] * 10
    assert pace.within("https://p.example", 100, lambda limit: [0] * limit) is None
    pace.pause("https://p.example", 60)
    Pace.objects.update(spent_until=timezone.now() - timedelta(seconds=5))
    assert pace.within("https://p.example", 3, lambda limit: [0] * limit) == [0] * 3


@pytest.mark.parametrize(
    ("task", "queue"),
    [
        ("consent.tasks.refresh_due", "refresh"),
        ("consent.tasks.mail_due", "mail"),
        ("connections.tasks.probe_due", "probe"),
        ("portal.tasks.close_open_attempts", "default"),
    ],
)
def test_each_kind_of_work_has_its_queue(task, queue):
    assert app.amqp.router.route({}, task)["queue"].name == queue
