"""My consents: what one person gave, took back and can begin; nobody else's."""

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from connections.methods.base import Caller
from connections.models import Given
from consent import cancelling, flow
from consent.models import Block, Cancellation, ConsentRequest, Grant
from portal.agents import playground
from portal.audit import log
from portal.audit.events import CALL, Outcome
from portal.audit.models import LogRow
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import text_of
from tests.consent import making
from tests.fakes.misbehaviour import fails

pytestmark = pytest.mark.django_db
MINE = "/consents/"


@pytest.fixture
def grant(review, release_bot, ben) -> Grant:
    return making.make_grant(review, release_bot, ben, account="octo-ben")


def connect(client, connection, agent):
    return client.post(reverse("consents-connect", args=[connection.id, agent.id]))


def used_for(person, agent, connection, outcome=Outcome.SUCCEEDED, **columns) -> None:
    key = log.Actor("agent_key", None, "web")
    who = {"project": connection.project, "agent": agent, "connection": connection, "on_behalf_of": person}
    attempt = log.attempt_of(key, method="SendMessage", **who, **columns)
    log._append(attempt)
    log._append(log.outcome_of(attempt, outcome))


class TestTheList:
    def test_without_anything_it_says_what_will_happen(self, browse, eve):
        shown = text_of(browse(eve).get(MINE))
        assert "No agent acts for you" in shown and "you get a link in your conversation" in shown

    def test_a_consent_shows_agent_account_scopes_and_end(self, browse, ben, grant):
        shown = text_of(browse(ben).get(MINE))
        assert "through review-agent" in shown and "Registered by Ana Ruiz" in shown
        assert "As <strong>octo-ben</strong> at 127.0.0.1:9" in shown and "See your profile." in shown
        assert "Renews itself" in shown and "Not used yet" in shown

    def test_narrower_scopes_are_marked(self, browse, ben, grant):
        Grant.objects.update(scopes_given=["repo"])
        assert "Not given: See your profile" in text_of(browse(ben).get(MINE))

    def test_without_a_refresh_token_it_says_when_it_ends(self, browse, ben, grant):
        Grant.objects.update(refresh_token="", expires_at=timezone.now() + timedelta(minutes=40, seconds=30))
        shown = text_of(browse(ben).get(MINE))
        assert "Ends" in shown and "in 40 minutes" in shown and "Renews itself" not in shown

    def test_what_ends_soon_is_marked_and_can_be_renewed(self, browse, ben, grant, review, release_bot):
        now = timezone.now()
        given = {"given_at": now - timedelta(hours=1), "expires_at": now + timedelta(minutes=10, seconds=30)}
        Grant.objects.update(refresh_token="", **given)
        client = browse(ben)
        shown = text_of(client.get(MINE))
        assert "Ends soon" in shown and "in 10 minutes" in shown and "Renew it now" in shown
        assert connect(client, review, release_bot).url == f"/consent/{ConsentRequest.objects.get().id}"

    def test_a_refresh_token_that_ends_in_two_days_is_marked_and_one_that_ends_in_twenty_is_not(
        self, browse, ben, grant
    ):
        now = timezone.now()
        for days, soon in ((2.1, True), (20, False)):
            Grant.objects.update(given_at=now - timedelta(days=28), refresh_token_ends_at=now + timedelta(days=days))
            shown = text_of(browse(ben).get(MINE))
            assert ("Ends soon" in shown, "in 2 days" in shown, "Renews itself" in shown) == (soon, soon, not soon)

    def test_a_failed_refresh_is_said_in_our_words(self, browse, ben, grant):
        Grant.objects.update(refresh_error="oauth_client_refused")
        assert "The provider refused the app registration" in text_of(browse(ben).get(MINE))

    def test_no_token_stands_on_the_page(self, browse, ben, grant):
        shown = text_of(browse(ben).get(MINE))
        assert "canary" not in shown and "gh1:" not in shown

    def test_it_shows_nobody_elses(self, browse, chloe, grant):
        assert "octo-ben" not in text_of(browse(chloe).get(MINE))

    def test_no_role_is_needed_to_see_ones_own(self, browse, ben, grant):
        ben.role_assignments.all().delete()
        assert "octo-ben" in text_of(browse(ben).get(MINE))

    def test_the_pane_leads_there(self, browse, ben):
        assert f'href="{MINE}"' in text_of(browse(ben).get("/"))


class TestNeedsConsentAgain:
    def test_home_says_that_it_waits_only_to_the_person_it_is_of(self, browse, ana, ben, review, release_bot):
        making.make_grant(review, release_bot, ben, state=Grant.State.NEEDS_CONSENT, reason="address_changed")
        assert f'<a href="{MINE}">1 consent to renew</a>' in text_of(browse(ben).get("/"))
        assert "to renew" not in text_of(browse(ana).get("/"))

    def test_it_says_why_and_review_leads_to_the_question(self, browse, ben, review, release_bot):
        making.make_grant(
            review, release_bot, ben, state=Grant.State.NEEDS_CONSENT, reason="address_changed", account="octo-ben"
        )
        client = browse(ben)
        shown = text_of(client.get(MINE))
        assert "Needs consent again" in shown and "The connection has changed since it was allowed" in shown
        answer = connect(client, review, release_bot)
        asking = ConsentRequest.objects.get()
        assert answer.url == f"/consent/{asking.id}" and asking.reason == "address_changed"


class TestDisconnect:
    def test_it_asks_on_a_page_of_its_own_first(self, browse, ben, grant):
        shown = text_of(browse(ben).get(reverse("consents-disconnect", args=[grant.id])))
        assert "release-bot loses access at its next call" in shown and "can't be told from here" in shown
        grant.refresh_from_db()
        assert grant.state == Grant.State.ACTIVE

    def test_it_wipes_the_tokens_here_and_is_logged(self, browse, ben, grant):
        browse(ben).post(reverse("consents-disconnect", args=[grant.id]))
        grant.refresh_from_db()
        assert (grant.state, grant.access_token, grant.refresh_token) == (Grant.State.REVOKED, "", "")
        assert LogRow.objects.get(event="grant.revoked").actor_id == ben.id
        assert "octo-ben" not in text_of(browse(ben).get(MINE))

    @pytest.mark.parametrize(("works", "said"), [(True, "confirmed that it is cancelled"), (False, "Being told")])
    def test_it_says_whether_the_provider_confirmed(self, browse, ben, connected, release_bot, github, works, said):
        client = browse(ben)
        asking = flow.ask(connected, Caller(release_bot, ben))
        making.through_the_provider(client, client.post(f"/consent/{asking.id}", {"decision": "continue"}))
        if not works:
            github.always(fails(503), at="revoke")
        url = reverse("consents-disconnect", args=[Grant.objects.get().id])
        assert "is told to cancel it." in text_of(client.get(url))
        shown = text_of(client.post(url, follow=True))
        assert "is told to cancel the access" in shown and "Being told" in shown and not github.calls("revoke")
        cancelling.tell(Cancellation.objects.get())
        assert said in text_of(client.get(MINE))
        assert bool(github.living_approvals()) is not works and Grant.objects.get().state == Grant.State.REVOKED

    def test_nobody_disconnects_another_person(self, browse, chloe, ana, grant):
        url = reverse("consents-disconnect", args=[grant.id])
        for person in (chloe, ana):
            assert browse(person).get(url).status_code == 404 and browse(person).post(url).status_code == 404
        grant.refresh_from_db()
        assert grant.state == Grant.State.ACTIVE


class TestConnect:
    def test_it_begins_before_any_agent_asks(self, browse, ben, review, release_bot):
        client = browse(ben)
        assert "Connect release-bot to review-agent" in text_of(client.get(MINE))
        connect(client, review, release_bot)
        asking = ConsentRequest.objects.get()
        assert (asking.user, asking.begun_by) == (ben, "person")

    def test_it_is_offered_only_for_agents_that_were_given_the_connection(self, browse, ben, project, review):
        stranger = factories.make_agent(project, "stranger-bot")
        client = browse(ben)
        assert "stranger-bot" not in text_of(client.get(MINE))
        assert connect(client, review, stranger).status_code == 404

    def test_the_playground_needs_no_permission_of_an_owner(self, browse, ana, ben, project):
        making.make_connection(project, playground.ensure(project, ana), name="tried-agent")
        shown = text_of(browse(ben).get(MINE))
        assert "through tried-agent" in shown and "an owner has to allow it" not in shown

    def test_an_unfinished_or_disabled_connection_is_not_offered(self, browse, ben, project, release_bot):
        making.make_connection(project, release_bot, secret="", name="unfinished")
        making.make_connection(project, release_bot, name="disabled", disabled_at=timezone.now())
        shown = text_of(browse(ben).get(MINE))
        assert "unfinished" not in shown and "through disabled" not in shown

    def test_it_needs_the_role_and_says_so(self, browse, project, review, release_bot):
        owner = factories.make_member(project, Role.OWNER, Role.CONTRIBUTOR)
        client = browse(owner)
        shown = text_of(client.get(MINE))
        assert "at least the Azure AI User role" in shown and "Owner or Contributor alone does not" in shown
        assert "Connect release-bot" not in shown
        answer = connect(client, review, release_bot)
        assert answer.status_code == 403 and "Azure AI User" in text_of(answer)
        assert not ConsentRequest.objects.exists()

    def test_a_stranger_finds_nothing(self, browse, eve, review, release_bot):
        assert connect(browse(eve), review, release_bot).status_code == 404

    def test_an_agent_that_may_not_speak_is_marked(self, browse, ben, project, review):
        Given.objects.create(connection=review, agent=factories.make_agent(project, "quiet-bot"))
        assert "It may not speak for you yet" in text_of(browse(ben).get(MINE))


class TestBlocked:
    def test_it_stands_in_the_list_and_can_be_undone(self, browse, ben, chloe, asking, release_bot):
        flow.not_asked(asking)
        client = browse(ben)
        shown = text_of(client.get(MINE))
        assert "You said you did not ask for this" in shown and "Connect release-bot" not in shown
        url = reverse("consents-unblock", args=[Block.objects.get().id])
        assert browse(chloe).post(url).status_code == 404 and client.get(url).status_code == 405
        client.post(url)
        assert not Block.objects.exists() and not flow.is_blocked(Caller(release_bot, ben))


class TestUsedForYou:
    def test_it_lists_my_calls_with_their_outcome_and_nobody_elses(
        self, browse, ben, chloe, grant, review, release_bot
    ):
        used_for(ben, release_bot, review, Outcome.REFUSED_BY_ENDPOINT)
        used_for(chloe, release_bot, review)
        shown = text_of(browse(ben).get(MINE))
        assert shown.count("<code>SendMessage</code>") == 1 and "Refused by endpoint" in shown

    def test_the_newest_successful_use_stands_beside_the_consent(self, browse, ben, grant, review, release_bot):
        used_for(ben, release_bot, review, Outcome.FAILED)
        assert "Not used yet" in text_of(browse(ben).get(MINE))
        used_for(ben, release_bot, review)
        shown = text_of(browse(ben).get(MINE))
        assert "Not used yet" not in shown and ">just now</time>" in shown

    def test_acts_about_me_are_not_uses(self, browse, ben, grant, asking):
        assert LogRow.objects.filter(on_behalf_of_id=ben.id).exists()
        assert "Used for you" not in text_of(browse(ben).get(MINE))

    def test_older_ones_follow_by_number(self, browse, ben, grant, review, release_bot):
        for number in range(25):
            log.record(
                CALL, log.SYSTEM, agent=release_bot, connection=review, on_behalf_of=ben, method=f"Call{number:02}"
            )
        client = browse(ben)
        first = client.get(MINE)
        assert "Call24" in text_of(first) and "Call04" not in text_of(first)
        second = text_of(client.get(MINE, {"before": first.context["older"]}))
        assert "Call04" in second and "Call05" not in second and "Call00" in second

    @pytest.mark.parametrize("before", ["-1", "x", "9" * 40, "٣"])
    def test_a_number_that_is_none_shows_the_newest(self, browse, ben, grant, before):
        assert browse(ben).get(MINE, {"before": before}).status_code == 200

    def test_the_owner_can_be_told(self, browse, ben, grant, review, release_bot):
        used_for(ben, release_bot, review)
        assert "mailto:ana.ruiz@contoso.example?" in text_of(browse(ben).get(MINE))
