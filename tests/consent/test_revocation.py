"""What ends here is over at once; the provider is told by a worker, again and again, and nothing of it gets lost."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connections import offering, secrets
from connections.methods import method_of
from consent import cancelling, events, grants, leases, refreshing, revocation
from consent.models import Cancellation, Grant
from consent.tasks import revoke_due, revoke_tidying
from portal.audit.models import LogRow
from tests.consent import making
from tests.consent.given import again, give
from tests.fakes import misbehaviour as bad

pytestmark = pytest.mark.django_db
State = Cancellation.State


@pytest.fixture
def grant(connected, release_bot, ben) -> Grant:
    return again(give(connected, release_bot, ben))


def the_row() -> Cancellation:
    return Cancellation.objects.get()


def is_wiped(row: Cancellation) -> bool:
    return (row.refresh_token, row.access_token, row.client_secret) == ("", "", "")


class TestTelling:
    def test_ending_it_here_asks_the_provider_nothing(self, grant, ben, github):
        assert grants.revoke(grant, ben) is True
        assert not github.calls("revoke") and github.living_approvals()
        assert again(grant).state == Grant.State.REVOKED and the_row().state == State.WAITING

    def test_a_worker_tells_it_and_nothing_sealed_is_left(self, grant, ben, github):
        grants.revoke(grant, ben)
        cancelling.tell(the_row())
        assert [call.form["token_type_hint"] for call in github.calls("revoke")] == ["refresh_token", "access_token"]
        assert not github.living_approvals()
        assert the_row().state == State.CONFIRMED and is_wiped(the_row())
        assert LogRow.objects.get(event=events.CANCELLED.tag).on_behalf_of_id == ben.id

    @pytest.mark.django_db(transaction=True)
    def test_the_task_finds_what_is_due(self, grant, ben, github):
        grants.revoke(grant, ben)
        assert revoke_due() == 1 and not github.living_approvals() and the_row().state == State.CONFIRMED
        assert revoke_due() == 0

    @pytest.mark.parametrize("fault", [bad.fails(503), bad.drop(), bad.fails(401)], ids=["503", "dropped", "401"])
    def test_a_provider_that_fails_is_told_again_later(self, grant, ben, github, fault):
        github.always(fault, at="revoke")
        grants.revoke(grant, ben)
        cancelling.tell(the_row())
        waiting = the_row()
        assert waiting.state == State.WAITING and waiting.try_at > timezone.now() + timedelta(seconds=20)
        assert not cancelling._due().exists()
        github.behave()
        cancelling.tell(waiting)
        assert the_row().state == State.CONFIRMED and not github.living_approvals()

    def test_it_is_told_ever_more_seldom(self):
        pauses = [cancelling._pause(tries) for tries in range(20)]
        assert pauses[0] < timedelta(minutes=1) and pauses[5] > timedelta(minutes=10)
        assert all(pause <= timedelta(hours=7.5) for pause in pauses)

    def test_after_some_days_it_is_given_up_and_the_tokens_are_destroyed(self, grant, ben, github):
        github.always(bad.fails(503), at="revoke")
        grants.revoke(grant, ben)
        Cancellation.objects.update(begun_at=timezone.now() - cancelling.GIVE_UP - timedelta(seconds=1))
        cancelling.tell(the_row())
        assert the_row().state == State.GIVEN_UP and is_wiped(the_row())
        assert LogRow.objects.get(event=events.NOT_CANCELLED.tag).reason == "cancellation_unconfirmed"

    def test_a_provider_that_keeps_access_tokens_has_confirmed_by_the_refresh_token(self, grant, ben, github):
        grants.revoke(grant, ben)
        unsupported = bad.answers({"error": "unsupported_token_type"}, status=400)
        github.next(bad.slow(0), unsupported, at="revoke")
        cancelling.tell(the_row())
        assert the_row().state == State.CONFIRMED

    def test_a_provider_that_cancels_no_such_tokens_is_not_asked_again(self, grant, ben, github):
        grants.revoke(grant, ben)
        github.always(bad.answers({"error": "unsupported_token_type"}, status=400), at="revoke")
        cancelling.tell(the_row())
        assert the_row().state == State.GIVEN_UP and is_wiped(the_row())

    def test_without_an_address_nothing_is_queued(self, review, release_bot, ben):
        assert grants.revoke(making.make_grant(review, release_bot, ben), ben) is False
        assert not Cancellation.objects.exists()

    def test_two_workers_get_different_rows(self, grant, ben):
        grants.revoke(grant, ben)
        assert len(cancelling._claimed(cancelling._due(), 5)) == 1
        assert cancelling._claimed(cancelling._due(), 5) == [] and the_row().tries == 1

    def test_what_was_settled_long_ago_is_forgotten_and_what_waits_is_not(self, grant, ben):
        grants.revoke(grant, ben)
        long_ago = timezone.now() - cancelling.FORGOTTEN - timedelta(hours=1)
        Cancellation.objects.update(begun_at=long_ago)
        assert revoke_tidying() == 0
        Cancellation.objects.update(state=State.CONFIRMED, settled_at=long_ago)
        assert revoke_tidying() == 1


class TestWhoseAndWhere:
    def test_a_row_that_was_pointed_elsewhere_sends_nothing(self, grant, ben, provider, github):
        grants.revoke(grant, ben)
        other = provider()
        row = the_row()
        row.terms["revocation_url"] = other.at.revoke
        row.save()
        cancelling.tell(the_row())
        assert not other.calls("revoke") and the_row().state == State.GIVEN_UP and is_wiped(the_row())

    def test_a_row_that_was_given_to_another_person_sends_nothing(self, grant, ben, chloe, github):
        grants.revoke(grant, ben)
        Cancellation.objects.update(user_id=chloe.id, client_secret="")
        cancelling.tell(the_row())
        assert not github.calls("revoke") and the_row().state == State.GIVEN_UP

    def test_a_secret_that_was_replaced_since_is_used(self, grant, connected, ben, github):
        [(_, secret)] = secrets.opened(connected, "client_secret", method_of(connected).addresses(connected, "x"))
        grants.revoke(grant, ben)
        Cancellation.objects.update(client_secret="")
        cancelling.tell(the_row())
        assert github.calls("revoke")[0].basic[1] == secret.reveal() and the_row().state == State.CONFIRMED

    def test_no_secret_stands_in_the_row(self, grant, ben):
        tokens = [grants.tokens.opened(grant, field).reveal() for field in ("access_token", "refresh_token")]
        grants.revoke(grant, ben)
        stored = str(Cancellation.objects.values().get())
        assert stored.count("gh1:") == 3 and not any(token in stored for token in tokens)


class TestTheSameAccountAgain:
    def test_late_news_does_not_end_what_was_just_given(self, grant, connected, release_bot, ben, github):
        grants.revoke(grant, ben)
        renewed = give(connected, release_bot, ben)
        assert the_row().state == State.GIVEN_UP and is_wiped(the_row())
        cancelling.tell(the_row())
        assert LogRow.objects.get(event=events.NOT_CANCELLED.tag).reason == "connected_again"
        assert again(renewed).state == Grant.State.ACTIVE

    def test_of_another_account_the_provider_is_still_told(self, grant, connected, release_bot, ben, github):
        grants.revoke(grant, ben)
        give(connected, release_bot, ben, account="octo-chloe")
        cancelling.tell(the_row())
        assert the_row().state == State.CONFIRMED
        assert github.living_approvals("octo-chloe") and not github.living_approvals("octo-ben")


class TestTheConnectionGoes:
    def test_its_provider_is_told_after_it_is_gone(self, grant, connected, ben, ana, github):
        offering.delete(connected, ana)
        assert not Grant.objects.exists()
        cancelling.tell(the_row())
        assert the_row().state == State.CONFIRMED and not github.living_approvals()
        row = LogRow.objects.get(event=events.CANCELLED.tag)
        assert (row.connection_name, row.agent_name, row.on_behalf_of_id) == ("review-agent", "release-bot", ben.id)

    def test_a_refresh_that_comes_back_later_is_told_as_well(self, grant, connected, ana, github, monkeypatch):
        lease = leases.take(grant)
        _deleted_on_the_way(monkeypatch, connected, ana)
        assert refreshing.refreshed(grant, lease, None) is None
        assert Cancellation.objects.count() == 2
        for row in Cancellation.objects.all():
            cancelling.tell(row)
        assert not github.living_approvals() and all(is_wiped(row) for row in Cancellation.objects.all())

    def test_a_change_of_address_tells_the_provider_of_before(self, grant, connected, ana, github):
        stored = again(grant).connection
        stored.endpoint = f"{making.NOWHERE}/elsewhere"
        stored.save()
        method_of(stored).drop_lost(stored, ana)
        assert again(grant).state == Grant.State.NEEDS_CONSENT
        cancelling.tell(the_row())
        assert the_row().state == State.CONFIRMED and not github.living_approvals()


def _deleted_on_the_way(monkeypatch, connection, by) -> None:
    """While the provider's answer to a refresh is under way."""
    honest = refreshing.oauth2.refresh

    def refresh(client, token):
        new = honest(client, token)
        offering.delete(connection, by)
        return new

    monkeypatch.setattr(refreshing.oauth2, "refresh", refresh)


def test_the_origin_is_that_of_the_revocation_address():
    assert revocation.origin_of("https://Login.Example/revoke?x=1") == "https://login.example"
