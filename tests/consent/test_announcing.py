"""What people are told by mail about their consents: before an end, after one that a sweep found, and once."""

import smtplib
from datetime import timedelta

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.utils import timezone

from consent import announcing, grants, sweeping
from consent.models import Grant
from consent.tasks import mail_due
from tests.consent import making
from tests.consent.given import again, give
from tests.fakes import misbehaviour as bad

pytestmark = pytest.mark.django_db(transaction=True)
State = Grant.State
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def portal_sends_mail(settings):
    settings.EMAIL_HOST = "mail.contoso.example"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def grant(connected, release_bot, ben) -> Grant:
    return again(give(connected, release_bot, ben))


def changed(grant: Grant, **columns) -> Grant:
    Grant.objects.filter(pk=grant.pk).update(**columns)
    return again(grant)


def later(grant: Grant, by: timedelta) -> Grant:
    """As if so much time had passed."""
    grant = again(grant)
    moments = (
        "given_at",
        "refreshed_at",
        "expires_at",
        "refresh_token_ends_at",
        "tell_at",
        "refresh_due_at",
        "told_at",
    )
    return changed(grant, **{name: value - by for name in moments if (value := getattr(grant, name))})


def refreshed(grant: Grant) -> Grant:
    grants.fresh_token(changed(grant, expires_at=timezone.now() - timedelta(seconds=1)))
    return again(grant)


def subjects() -> list[str]:
    return [message.subject for message in mail.outbox]


def test_the_end_of_a_refresh_token_is_announced_once_before_it_comes(github, grant):
    github.next(bad.changed(refresh_token_expires_in=30 * 24 * 3600), at="refresh")
    grant = refreshed(grant)
    assert timedelta(days=29) < grant.refresh_token_ends_at - timezone.now() <= timedelta(days=30)
    assert mail_due() == 0

    later(grant, by=27 * DAY)
    assert (mail_due(), mail_due()) == (1, 0)
    [message] = mail.outbox
    assert message.to == ["ben.okafor@contoso.example"]
    assert message.subject.startswith("release-bot will lose its access to your account at 127.0.0.1")
    end = again(grant).refresh_token_ends_at
    assert f"{end:%B %Y}" in message.body and "/consents/" in message.body and "choose Renew" in message.body
    assert "octo-ben" in message.body


def test_the_same_end_told_again_with_each_refresh_is_announced_once(github, grant):
    github.next(bad.changed(refresh_token_expires_in=30 * 24 * 3600), at="refresh")
    later(refreshed(grant), by=28 * DAY)
    assert mail_due() == 1
    github.next(bad.changed(refresh_token_expires_in=2 * 24 * 3600 - 30), at="refresh")
    later(refreshed(grant), by=1.8 * DAY)
    assert mail_due() == 0


def test_a_later_end_is_announced_when_its_time_comes(github, grant):
    github.always(bad.changed(refresh_token_expires_in=30 * 24 * 3600), at="refresh")
    later(refreshed(grant), by=28 * DAY)
    assert mail_due() == 1
    later(refreshed(grant), by=26 * DAY)
    assert mail_due() == 0
    later(grant, by=2 * DAY)
    assert mail_due() == 1


def test_access_that_nothing_renews_is_announced_before_its_end_and_not_again_after(
    provider, project, release_bot, ben
):
    octo = provider(refresh_needs="offline_access")
    grant = give(making.connection_to(octo, project, release_bot), release_bot, ben)
    assert (again(grant).refresh_token, mail_due()) == ("", 0)
    later(grant, by=timedelta(seconds=240))
    assert (mail_due(), mail_due()) == (1, 0)

    later(grant, by=timedelta(seconds=70))
    sweeping.sweep(5)
    kept = again(grant)
    assert (kept.state, kept.reason) == (State.NEEDS_CONSENT, "access_token_ended")
    assert mail_due() == 0, "they were told before"


def test_a_grant_that_a_sweep_finds_dead_is_announced_once(github, grant):
    github.revoke_everything()
    changed(grant, given_at=timezone.now() - timedelta(minutes=10), expires_at=timezone.now() + timedelta(seconds=40))
    Grant.objects.update(refresh_due_at=timezone.now())
    sweeping.sweep(5)
    assert again(grant).state == State.NEEDS_CONSENT
    assert (mail_due(), mail_due()) == (1, 0)
    [message] = mail.outbox
    assert message.subject.startswith("release-bot has lost its access to your account at")
    assert "The provider has ended the access." in message.body and "choose Review" in message.body


def test_whom_a_call_ends_it_for_gets_a_link_there_and_no_mail(github, grant):
    github.revoke_everything()
    with pytest.raises(grants.NeedsConsent):
        refreshed(grant)
    assert mail_due() == 0


def test_consenting_again_ends_what_was_to_be_told(github, grant, connected, release_bot, ben):
    changed(grant, tell_at=timezone.now())
    give(connected, release_bot, ben)
    assert mail_due() == 0


def test_a_portal_without_a_mail_server_tells_nothing_later_of_what_is_past(github, grant, settings):
    settings.EMAIL_HOST = ""
    changed(grant, tell_at=timezone.now() - timedelta(hours=49))
    assert mail_due() == 0
    settings.EMAIL_HOST = "mail.contoso.example"
    assert mail_due() == 0


def test_a_mail_server_that_cannot_be_reached_is_tried_again(grant, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 9
    changed(grant, tell_at=timezone.now())
    assert mail_due() == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert mail_due() == 1


def test_what_a_worker_was_sending_when_it_died_is_sent_when_its_claim_ends(grant, settings):
    settings.EMAIL_BACKEND = f"{__name__}.HangsUp"
    changed(grant, tell_at=timezone.now())
    assert mail_due() == 0
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    assert mail_due() == 0, "it may still be at it"
    later(grant, by=announcing.CLAIM)
    assert mail_due() == 1


class HangsUp(EmailBackend):
    def send_messages(self, messages):
        raise smtplib.SMTPServerDisconnected


class RefusesBen(EmailBackend):
    def send_messages(self, messages):
        if "ben.okafor@contoso.example" in messages[0].to:
            raise smtplib.SMTPRecipientsRefused({})
        return super().send_messages(messages)


def test_one_address_that_is_refused_keeps_nobody_else_waiting(connected, grant, release_bot, chloe, settings):
    settings.EMAIL_BACKEND = f"{__name__}.RefusesBen"
    give(connected, release_bot, chloe, "octo-chloe")
    Grant.objects.update(tell_at=timezone.now())
    assert mail_due() == 1
    assert [message.to for message in mail.outbox] == [["chloe.martin@contoso.example"]]
    Grant.objects.exclude(tell_at=None).update(tell_at=timezone.now())
    assert mail_due() == 0
