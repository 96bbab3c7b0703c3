"""How long a provider may take, and whether it takes a used refresh token again: of each connection, for its grants."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db.models import DateTimeField, Value
from django.db.models.functions import Now
from django.utils import timezone

from connections.methods.base import CredentialUnavailable
from connections.models import Connection
from consent import answering, clients, grants, leases, oauth2, sweeping
from consent.models import Grant
from consent.publishers import PUBLISHERS
from consent.terms import Terms
from tests.connections.pages import page, text_of
from tests.consent import making
from tests.consent.given import again, expire, give, past_the_pause
from tests.consent.test_oauth_form import edit
from tests.fakes import misbehaviour as bad

pytestmark = pytest.mark.django_db
State = Grant.State


@pytest.fixture
def given(project, release_bot, ben, provider):
    """(provider, grant) of a connection with these settings, at a provider with this grace of its own."""

    def at(seconds: float, **settings) -> tuple:
        octo = provider(grace_seconds=seconds)
        connection = making.connection_to(octo, project, release_bot, settings=settings)
        return octo, again(give(connection, release_bot, ben))

    return at


def near_its_end(grant: Grant, seconds: float = 20) -> Grant:
    """Due, and works still."""
    Grant.objects.filter(pk=grant.pk).update(
        expires_at=timezone.now() + timedelta(seconds=seconds), refresh_due_at=timezone.now()
    )
    return again(grant)


def cut_off(grant: Grant, octo, ago: float) -> Grant:
    """A process began to refresh it `ago` seconds before now, and died when the provider had rotated."""
    octo.next(bad.drop(after_rotating=True), at="refresh")
    began = timezone.now() - timedelta(seconds=ago)
    near = near_its_end(grant)
    with pytest.raises(oauth2.Uncertain):
        oauth2.refresh(clients.of(near.connection, near.asked), grants.tokens.opened(near, "refresh_token"))
    lease = {"lease_by": "00000000-0000-4000-8000-000000000001", "lease_until": timezone.now() - timedelta(seconds=1)}
    Grant.objects.filter(pk=grant.pk).update(asked_at=began, **lease)
    return again(grant)


def lost_answer(grant: Grant, octo) -> Grant:
    """The provider rotated, and the answer was lost."""
    octo.next(bad.drop(after_rotating=True), at="refresh")
    grants.fresh_token(near_its_end(grant))
    assert again(grant).refresh_error == "refresh_uncertain"
    return again(grant)


def sweep() -> None:
    """As a worker does it, in this thread."""
    rows = Grant.objects.filter(refresh_due_at__lte=Now()).annotate(used_at=Value(None, DateTimeField()))
    for grant, lease in leases.take_some(rows.select_related("connection__project", "agent", "user"), 9, ahead=True):
        sweeping.look(grant, lease)


def works(octo, grant: Grant) -> bool:
    return octo.verify(grants.tokens.current(again(grant)).value.reveal()) is not None


# The grace


def test_within_a_known_grace_it_is_asked_again_at_once_although_the_token_works(given):
    octo, grant = given(30, grace_seconds=30)
    kept = lost_answer(grant, octo)
    assert kept.asked_at and kept.retry_at < timezone.now() + timedelta(seconds=7)
    past_the_pause(grant)
    grants.fresh_token(again(grant))
    kept = again(grant)
    assert (len(octo.refreshes()), kept.refresh_error, kept.asked_at) == (2, "", None)
    assert works(octo, grant)


def test_a_sweep_asks_again_within_the_grace_when_nobody_calls(given):
    octo, grant = given(30, grace_seconds=30)
    lost_answer(grant, octo)
    assert again(grant).refresh_due_at < timezone.now() + timedelta(seconds=7)
    Grant.objects.update(retry_at=None, refresh_due_at=timezone.now())
    sweep()
    assert again(grant).refresh_error == "" and len(octo.refreshes()) == 2


def test_in_a_short_grace_the_pause_is_shorter(given):
    octo, grant = given(6, grace_seconds=6)
    kept = lost_answer(grant, octo)
    assert kept.retry_at < kept.asked_at + timedelta(seconds=4.5)


def test_a_longer_pause_that_the_provider_asked_for_is_kept_to(given):
    octo, grant = given(6, grace_seconds=6)
    octo.next(bad.fails(503, retry_after="90"), at="refresh")
    grants.fresh_token(near_its_end(grant))
    assert again(grant).retry_at > timezone.now() + timedelta(seconds=80)


@pytest.mark.parametrize(("grace", "ago"), [(0, 5), (10, 60)], ids=["none", "over"])
@pytest.mark.parametrize("how", ["answer", "process"])
def test_without_a_grace_nothing_is_presented_twice_while_the_token_works(given, grace, ago, how):
    """The family would end, and with it the access token that still works."""
    octo, grant = given(0, grace_seconds=grace)
    if how == "answer":
        lost_answer(grant, octo)
        Grant.objects.update(asked_at=timezone.now() - timedelta(seconds=ago), retry_at=None)
    else:
        cut_off(grant, octo, ago)
    for _ in range(3):
        grants.fresh_token(again(grant))
    Grant.objects.update(refresh_due_at=timezone.now())
    sweep()
    assert octo.reused() == set() and len(octo.living_approvals()) == 1
    assert works(octo, grant) and again(grant).state == State.ACTIVE


def test_without_a_grace_one_that_did_nothing_is_asked_once_the_token_is_dead_and_saves_the_consent(given):
    """Else an outage that is answered with an error 500 would end every consent in use."""
    octo, grant = given(0, grace_seconds=0)
    octo.next(bad.fails(503, after_rotating=False), at="refresh")
    grants.fresh_token(near_its_end(grant))
    past_the_pause(grant)
    expire(grant)
    grants.fresh_token(again(grant))
    assert again(grant).refresh_error == "" and works(octo, grant)


def test_without_a_grace_one_that_rotated_ends_it_with_a_clear_reason(given):
    octo, grant = given(0, grace_seconds=0)
    lost_answer(grant, octo)
    past_the_pause(grant)
    expire(grant)
    with pytest.raises(grants.NeedsConsent, match="interrupted_refresh"):
        grants.fresh_token(again(grant))


def test_what_is_not_known_stays_as_it_was(given):
    """After a lost answer not while the token works; after a process that died at once."""
    octo, grant = given(30)
    lost_answer(grant, octo)
    past_the_pause(grant)
    grants.fresh_token(again(grant))
    assert len(octo.refreshes()) == 1
    other, second = given(30)
    grants.fresh_token(cut_off(second, other, ago=5))
    assert len(other.refreshes()) == 2 and again(second).asked_at is None


def test_a_refresh_that_was_never_sent_leaves_nothing_open(given):
    octo, grant = given(0, grace_seconds=0)
    lease = leases.take(near_its_end(grant))
    assert again(grant).asked_at
    leases.give_back(grant, lease)
    assert again(grant).asked_at is None
    octo.next(bad.too_many("1"), at="refresh")
    grants.fresh_token(near_its_end(grant))
    assert again(grant).asked_at is None and not answering.is_open(again(grant))


def test_the_first_attempt_counts_however_often_it_is_tried(given):
    octo, grant = given(30, grace_seconds=30)
    began = lost_answer(grant, octo).asked_at
    octo.next(bad.drop(after_rotating=False), bad.too_many("1"), at="refresh")
    for _ in range(2):
        past_the_pause(grant)
        grants.fresh_token(again(grant))
        assert again(grant).asked_at == began


def test_a_publishers_record_says_it_for_a_managed_app(review, monkeypatch):
    review.settings["grace_seconds"] = 5
    monkeypatch.setitem(PUBLISHERS, "github", replace(PUBLISHERS["github"], grace=600))
    terms = Terms.now(review)
    assert answering.grace_of(review, terms) == 5
    assert answering.grace_of(review, replace(terms, publisher="github")) == 600


# The deadline and the lease


@pytest.mark.parametrize("deadline", [None, 2, 10, 30, 60])
def test_each_lease_outlasts_its_deadline_by_the_same_margin(given, deadline):
    settings = {"deadline_seconds": deadline} if deadline else {}
    _, grant = given(0, **settings)
    lease = leases.take(near_its_end(grant))
    seconds = deadline or 10
    assert lease.deadline == seconds
    assert leases.length(lease.deadline).total_seconds() > seconds + leases.TO_SEND + 3
    left = Grant.objects.annotate(now=Now()).get(pk=grant.pk)
    assert abs((left.lease_until - left.now).total_seconds() - seconds - 10) < 1
    assert not lease.is_spent


def test_a_provider_is_waited_for_as_long_as_the_connection_says(given):
    octo, grant = given(0, deadline_seconds=2)
    octo.next(bad.slow(3), at="refresh")
    began = timezone.now()
    expire(grant)
    with pytest.raises(CredentialUnavailable, match="refresh_uncertain"):
        grants.fresh_token(again(grant))
    assert timedelta(seconds=1.9) < timezone.now() - began < timedelta(seconds=3)


def test_a_slow_one_may_take_longer_than_is_usual(given, monkeypatch):
    octo, grant = given(0, deadline_seconds=4)
    monkeypatch.setattr(oauth2, "DEADLINE", 1.0)
    octo.next(bad.slow(1.5), at="refresh")
    expire(grant)
    assert grants.fresh_token(again(grant))


def test_the_deadline_is_the_one_that_the_lease_was_taken_for(given):
    """Whoever read the connection before it was changed must not talk longer than the lease lasts."""
    octo, grant = given(0, deadline_seconds=60)
    stale = near_its_end(grant)
    Connection.objects.update(settings=grant.connection.settings | {"deadline_seconds": 2})
    expire(grant)
    stale.expires_at = again(grant).expires_at
    octo.next(bad.slow(3), at="refresh")
    began = timezone.now()
    with pytest.raises(CredentialUnavailable, match="refresh_uncertain"):
        grants.fresh_token(stale)
    assert timezone.now() - began < timedelta(seconds=3)


# The pages


@pytest.mark.parametrize(
    ("name", "value"), [("deadline_seconds", "1"), ("deadline_seconds", "61"), ("grace_seconds", "-1")]
)
def test_figures_outside_reason_are_refused(browse, ana, review, name, value):
    answer = edit(browse(ana), review, **{f"settings__{name}": value})
    assert answer.status_code == 422 and "Ensure this value is" in text_of(answer)


def test_saving_the_figures_asks_nobody_again_and_the_page_says_what_no_grace_costs(
    browse, ana, project, review, release_bot, ben
):
    grant = making.make_grant(review, release_bot, ben)
    edit(browse(ana), review, settings__deadline_seconds="30", settings__grace_seconds="0")
    review.refresh_from_db()
    assert (review.settings["deadline_seconds"], review.settings["grace_seconds"]) == (30, 0)
    assert again(grant).state == State.ACTIVE
    shown = text_of(browse(ana).get(page("connection", project, "review-agent")))
    assert "An interrupted refresh can cost a consent" in shown
    assert "Provider answers within" in shown and "30 seconds" in shown
    edit(browse(ana), review, settings__grace_seconds="30")
    assert "can cost a consent" not in text_of(browse(ana).get(page("connection", project, "review-agent")))
