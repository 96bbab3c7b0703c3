"""A client secret is replaced: the new one first, the former one once where the provider refuses it, then nothing."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connections import secrets
from connections.methods import method_of
from connections.methods.base import CredentialUnavailable
from connections.models import Secret
from consent import cancelling, events, grants
from consent.models import Cancellation, Grant
from portal.audit.models import LogRow
from tests.connections.pages import page, text_of
from tests.consent.given import again, expire, give
from tests.fakes import misbehaviour as bad

pytestmark = pytest.mark.django_db
NEW = "canary-new-client-secret-77"


@pytest.fixture
def grant(connected, release_bot, ben) -> Grant:
    return again(give(connected, release_bot, ben))


def replaced(connection, *, kept: timedelta | None) -> None:
    """By one that the provider does not know yet."""
    addresses = method_of(connection).addresses(connection, "client_secret")
    until = timezone.now() + kept if kept else None
    secrets.store(connection, secrets.NewSecret("client_secret", 0, "", NEW), addresses, None, until)


def sent(github) -> list[bool]:
    """Of each refresh, whether it came with the new secret."""
    return [call.basic[1] == NEW for call in github.refreshes()]


def test_the_former_one_is_tried_once_and_the_grant_lives(grant, github):
    replaced(grant.connection, kept=timedelta(hours=1))
    expire(grant)
    assert grants.fresh_token(again(grant))
    assert sent(github) == [True, False]
    assert again(grant).refresh_error == "" and github.reused()
    assert LogRow.objects.get(event=events.FORMER_SECRET.tag).connection_name == "review-agent"


def test_the_log_says_it_once_for_each_new_secret(grant, github):
    replaced(grant.connection, kept=timedelta(hours=1))
    for _ in range(2):
        expire(grant)
        grants.fresh_token(again(grant))
    assert LogRow.objects.filter(event=events.FORMER_SECRET.tag).count() == 1


def test_the_page_says_so_only_while_it_is_kept(browse, ana, project, grant):
    replaced(grant.connection, kept=timedelta(hours=1))
    expire(grant)
    overview, title = page("connection", project, "review-agent"), "still takes the former client secret only"
    assert title not in text_of(browse(ana).get(overview))
    grants.fresh_token(again(grant))
    assert title in text_of(browse(ana).get(overview))
    Secret.objects.update(former_until=timezone.now())
    assert title not in text_of(browse(ana).get(overview))


@pytest.mark.parametrize("kept", [None, timedelta(seconds=-1)], ids=["not kept", "kept until a second ago"])
def test_a_former_one_that_is_not_kept_is_not_sent(grant, github, kept):
    replaced(grant.connection, kept=kept)
    expire(grant)
    with pytest.raises(CredentialUnavailable, match="oauth_client_refused"):
        grants.fresh_token(again(grant))
    assert sent(github) == [True] and again(grant).state == Grant.State.ACTIVE


def test_when_both_are_refused_there_are_two_requests_and_no_more(grant, github):
    replaced(grant.connection, kept=timedelta(hours=1))
    github.always(bad.refuses("invalid_client", status=401))
    expire(grant)
    with pytest.raises(CredentialUnavailable, match="oauth_client_refused"):
        grants.fresh_token(again(grant))
    assert len(github.refreshes()) == 2 and not LogRow.objects.filter(event=events.FORMER_SECRET.tag).exists()
    assert again(grant).state == Grant.State.ACTIVE


@pytest.mark.parametrize(
    "fault", [bad.fails(503), bad.too_many(), bad.refuses("invalid_request")], ids=["503", "429", "400"]
)
def test_nothing_but_a_refused_client_is_tried_again(grant, github, fault):
    replaced(grant.connection, kept=timedelta(hours=1))
    github.always(fault)
    expire(grant)
    with pytest.raises(CredentialUnavailable):
        grants.fresh_token(again(grant))
    assert len(github.refreshes()) == 1


def test_a_user_can_consent_while_it_rolls_over(connected, release_bot, ben, github):
    replaced(connected, kept=timedelta(hours=1))
    assert give(connected, release_bot, ben).state == Grant.State.ACTIVE
    assert [call.basic[1] == NEW for call in github.codes()] == [True, False]


def test_the_provider_is_told_with_the_one_that_it_takes(grant, ben, github):
    replaced(grant.connection, kept=timedelta(hours=1))
    grants.revoke(again(grant), ben)
    for _ in range(2):
        cancelling.tell(Cancellation.objects.get())
        Cancellation.objects.update(tries=1)
    assert Cancellation.objects.get().state == Cancellation.State.CONFIRMED and not github.living_approvals()


def test_the_page_offers_to_keep_it(browse, ana, project, connected):
    shown = text_of(browse(ana).get(page("connection-replace", project, connected.name)))
    assert "Keep it for 7 days" in shown
