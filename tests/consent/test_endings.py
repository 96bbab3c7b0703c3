"""When a person, an agent or a connection goes, everything of theirs ends here at once, and providers are told."""

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from connections import offering
from connections.methods.base import Caller
from consent import flow, grants, leases, personal, sweeping, timing
from consent.models import Block, Cancellation, ConsentRequest, Grant
from portal.agents import registering
from portal.audit import changes
from portal.audit.models import LogRow
from portal.projects import people
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import page, text_of
from tests.consent import making
from tests.consent.given import again, give, providers_are_told
from tests.fakes import misbehaviour as bad

pytestmark = pytest.mark.django_db
MINE = "/consents/"


@pytest.fixture
def grant(connected, release_bot, ben) -> Grant:
    return again(give(connected, release_bot, ben))


class TestAPersonGoes:
    def test_what_they_allowed_ends_at_once_and_the_provider_is_told(self, grant, ana, ben, github):
        people.deactivate(ben, ana)
        ended = again(grant)
        assert (ended.state, ended.reason, ended.generation) == (Grant.State.REVOKED, "user_left", grant.generation + 1)
        assert (ended.access_token, ended.refresh_token) == ("", "")
        providers_are_told()
        assert github.living_approvals() == []
        assert LogRow.objects.get(event="grant.revoked").actor_id == ana.id

    def test_reactivating_brings_nothing_back(self, grant, ana, ben):
        people.deactivate(ben, ana)
        people.reactivate(ben, ana)
        with pytest.raises(grants.NeedsConsent, match="user_left"):
            grants.fresh_token(again(grant))

    def test_their_open_links_end(self, asking, ana, ben):
        people.deactivate(ben, ana)
        asking.refresh_from_db()
        assert asking.state == ConsentRequest.State.ENDED

    def test_who_is_refused_has_ended_nothing(self, grant, ana, chloe):
        with pytest.raises(people.Refused):
            people.deactivate(grant.user, chloe)
        assert again(grant).state == Grant.State.ACTIVE and not Cancellation.objects.exists()

    def test_the_question_says_so(self, browse, grant, ana, ben):
        shown = text_of(browse(ana).get(reverse("portal-person-deactivate", args=[ben.id])))
        assert "What they allowed agents (1 consent) is ended at once." in shown
        assert "is told to cancel the access." in shown

    def test_a_row_that_is_deleted_takes_its_grants_to_the_provider(self, connected, release_bot, github):
        leaver = factories.make_member(connected.project, Role.AI_USER, name="Lea Leaver")
        give(connected, release_bot, leaver)
        before = changes.read()
        leaver.delete()
        assert changes.read() > before, "gateways keep tokens at hand"
        providers_are_told()
        assert not Grant.objects.exists() and github.living_approvals() == []


class TestAnAgentGoes:
    def test_its_consents_end_and_the_provider_is_told(self, grant, ana, release_bot, github):
        registering.delete(release_bot, ana)
        assert not Grant.objects.exists()
        providers_are_told()
        assert github.living_approvals() == []
        assert LogRow.objects.get(event="grant.cancelled").agent_name == "release-bot"
        assert LogRow.objects.get(event="grant.revoked").reason == "agent_deleted"

    def test_the_question_says_so(self, browse, grant, ana, project, release_bot):
        shown = text_of(browse(ana).get(reverse("agent-delete", args=[project.name, release_bot.name])))
        assert "1 person's consent is ended at once." in shown and "is told to cancel the access." in shown


class TestAConnectionGoes:
    def test_the_question_says_so_and_what_can_not_be_told(self, browse, ana, project, review, release_bot, ben):
        making.make_grant(review, release_bot, ben)
        shown = text_of(browse(ana).get(page("connection-delete", project, review.name)))
        assert "1 person's consent is ended at once." in shown and "can't be told from here" in shown

    def test_of_a_disabled_provider_nothing_is_lost(self, grant, connected, ana, github):
        github.always(bad.fails(503), at="revoke")
        offering.delete(connected, ana)
        assert LogRow.objects.get(event="grant.revoked").reason == "connection_deleted"
        providers_are_told()
        assert Cancellation.objects.get().state == Cancellation.State.WAITING
        github.behave()
        providers_are_told()
        assert github.living_approvals() == []


class TestExport:
    def test_it_has_everything_of_theirs_and_no_token(self, browse, grant, ben, release_bot):
        tokens = [grants.tokens.opened(grant, field).reveal() for field in ("access_token", "refresh_token")]
        answer = browse(ben).post(reverse("consents-export"))
        assert answer["Content-Disposition"].startswith("attachment") and answer["Cache-Control"] == "no-store"
        text = answer.content.decode()
        [consent] = json.loads(text)["consents"]
        assert (consent["agent"], consent["account"], consent["state"]) == ("release-bot", "octo-ben", "active")
        assert consent["scopes_given"] and consent["given_at"]
        assert "gh1:" not in text and not any(token in text for token in tokens)
        assert LogRow.objects.get(event="consent.exported").actor_id == ben.id

    def test_it_has_nothing_of_anybody_elses(self, grant, chloe):
        content = personal.exported(chloe, chloe)
        assert (content["consents"], content["uses"], content["cancellations"]) == ([], [], [])

    def test_it_has_the_last_uses(self, grant, ben, release_bot, connected):
        from tests.consent.test_my_consents import used_for  # noqa: PLC0415

        used_for(ben, release_bot, connected)
        [use] = personal.exported(ben, ben)["uses"]
        assert (use["agent"], use["method"], use["outcome"]) == ("release-bot", "SendMessage", "succeeded")


class TestErase:
    def test_it_ends_deletes_and_is_logged(self, browse, grant, connected, release_bot, ben, github):
        Block.objects.create(agent=factories.make_agent(connected.project, "nosy-bot"), user=ben)
        client = browse(ben)
        assert "Erase all" in text_of(client.get(MINE))
        assert "1 consent, every link" in text_of(client.get(reverse("consents-erase")))
        client.post(reverse("consents-erase"))
        for rows in (Grant, ConsentRequest, Block):
            assert not rows.objects.exists()
        providers_are_told()
        assert github.living_approvals() == []
        assert LogRow.objects.get(event="consent.erased").actor_id == ben.id
        assert LogRow.objects.get(event="grant.revoked").reason == "erased"

    def test_it_touches_nobody_elses(self, grant, chloe):
        personal.erase(chloe, chloe)
        assert again(grant).state == Grant.State.ACTIVE

    def test_an_owner_erases_for_somebody_who_has_left_and_for_nobody_else(self, browse, grant, ana, ben, chloe):
        url = reverse("person-consents-erase", args=[ben.id])
        owner = browse(ana)
        assert "can sign in" in text_of(owner.post(url, follow=True)) and Grant.objects.exists()
        people.deactivate(ben, ana)
        assert browse(chloe).post(url).status_code == 403 and Grant.objects.exists()
        assert url in text_of(owner.get(reverse("portal-people")))
        assert "Export the set" in text_of(owner.get(url))
        assert json.loads(owner.post(reverse("person-consents-export", args=[ben.id])).content)["consents"]
        owner.post(url)
        assert not Grant.objects.exists() and Cancellation.objects.get().state == Cancellation.State.WAITING


class TestAfterARestore:
    def restored(self, grant) -> Grant:
        call_command("after_restore", minutes=30)
        return again(grant)

    def test_each_is_due_once_within_the_time(self, grant, connected, release_bot, chloe, capsys):
        give(connected, release_bot, chloe, "octo-chloe")
        Grant.objects.update(lease_until=timezone.now() + timedelta(minutes=5))
        self.restored(grant)
        assert "2 consents" in capsys.readouterr().out
        dues = [row.refresh_due_at - timezone.now() for row in Grant.objects.all()]
        assert all(timedelta(minutes=-1) < due < timedelta(minutes=30) for due in dues) and dues[0] != dues[1]
        assert not Grant.objects.exclude(lease_until=None).exists()
        assert LogRow.objects.get(event="consent.restored").actor_kind == "system"

    def test_a_sweep_tries_it_although_it_still_lives_and_then_it_is_like_any_other(self, grant, github):
        assert timing.postponed(grant, None) is not None
        row = self.restored(grant)
        self.swept(row)
        row = again(grant)
        assert len(github.refreshes()) == 1 and row.restored_at is None and row.state == Grant.State.ACTIVE
        assert timing.postponed(row, None) is not None

    def test_an_old_token_of_a_rotated_family_is_sent_once_and_its_user_is_asked_again(
        self, provider, project, release_bot, ben
    ):
        octo = provider(grace_seconds=0)
        connection = making.connection_to(octo, project, release_bot)
        old = again(give(connection, release_bot, ben))
        backup = Grant.objects.values().get()
        Grant.objects.update(expires_at=timezone.now())
        grants.fresh_token(again(old))
        backup.pop("provider")
        Grant.objects.update(**backup)
        row = self.restored(old)
        before = len(octo.refreshes())
        self.swept(row)
        row = again(old)
        assert len(octo.refreshes()) == before + 1
        assert (row.state, row.reason) == (Grant.State.NEEDS_CONSENT, "restored_from_backup")
        assert row.tell_at is not None and row.restored_at is None

    @pytest.mark.parametrize(("fault", "tried"), [(bad.fails(502), True), (bad.too_many(), False)], ids=["502", "429"])
    def test_what_nobody_knows_is_not_sent_again_and_what_was_not_done_is(self, grant, github, fault, tried):
        github.next(fault)
        self.swept(self.restored(grant))
        assert (again(grant).restored_at is None) is tried

    def swept(self, grant: Grant) -> None:
        """As by a worker's thread."""
        [(row, lease)] = leases.take_some(Grant.objects.filter(pk=grant.pk), 1, ahead=True)
        row = again(row)
        row.used_at = None
        sweeping.look(row, lease)


def test_a_link_of_an_erased_person_is_as_unknown_as_any(asking, ben, release_bot, review):
    personal.erase(ben, ben)
    assert not ConsentRequest.objects.exists()
    assert flow.ask(review, Caller(release_bot, ben)).id != asking.id
