"""A connection's page: who has consented, what keeps the others from being asked, and revoking."""

import pytest
from django.urls import reverse

from connections.models import Given
from consent import flow
from consent.models import Grant
from portal.agents import playground, speaking
from portal.audit import log
from portal.audit.models import LogRow
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import page, text_of
from tests.consent import making

pytestmark = pytest.mark.django_db


@pytest.fixture
def grant(review, release_bot, ben) -> Grant:
    return making.make_grant(review, release_bot, ben, account="octo-ben")


def called(agent, connection) -> None:
    log._append(log.attempt_of(log.SYSTEM, project=connection.project, agent=agent, connection=connection))


class TestTheTab:
    def test_it_shows_who_gave_what_and_no_token(self, browse, ana, project, review, grant):
        shown = text_of(browse(ana).get(page("connection-consents", project, review.name)))
        assert "Ben Okafor" in shown and "octo-ben" in shown and "<code>repo</code>" in shown and "Connected" in shown
        assert "canary" not in shown and "gh1:" not in shown

    def test_it_stands_among_the_tabs_of_those_who_may_open_it(self, browse, ana, ben, project, review, grant):
        overview, tab = page("connection", project, review.name), page("connection-consents", project, review.name)
        assert f'href="{tab}">Consents<span class="count">1</span>' in text_of(browse(ana).get(overview))
        assert tab not in text_of(browse(ben).get(overview)) and browse(ben).get(tab).status_code == 403

    def test_other_methods_have_no_such_tab(self, browse, ana, project):
        plain = factories.make_connection(project)
        assert "Consents" not in text_of(browse(ana).get(page("connection", project, plain.name)))

    def test_blocks_are_seen_by_whom_the_person_was_told_about(self, browse, ana, project, review, asking):
        flow.not_asked(asking)
        shown = text_of(browse(ana).get(page("connection-consents", project, review.name)))
        assert "Blocked" in shown and "did not ask for what the agent wanted" in shown

    def test_it_is_empty_in_words(self, browse, ana, project, review):
        assert "Nobody has consented yet." in text_of(
            browse(ana).get(page("connection-consents", project, review.name))
        )


class TestRevoke:
    def address(self, grant) -> str:
        connection = grant.connection
        return reverse("connection-consents-revoke", args=[connection.project.name, connection.name, grant.id])

    def test_it_asks_then_ends_the_consent(self, browse, ana, grant):
        client = browse(ana)
        assert "Revoke the consent of Ben Okafor?" in text_of(client.get(self.address(grant)))
        client.post(self.address(grant))
        grant.refresh_from_db()
        assert (grant.state, grant.reason) == (Grant.State.REVOKED, "disconnected_by_administrator")
        assert not grant.access_token and LogRow.objects.get(event="grant.revoked").actor_name == "Ana Ruiz"

    def test_another_connection_does_not_reach_it(self, browse, ana, project, release_bot, grant):
        other = making.make_connection(project, release_bot, name="other-agent")
        url = reverse("connection-consents-revoke", args=[project.name, other.name, grant.id])
        assert browse(ana).post(url).status_code == 404

    @pytest.mark.parametrize("role", [Role.AI_USER, Role.READER, Role.AUDITOR])
    def test_it_needs_the_right_to_change_the_connection(self, browse, project, grant, role):
        person = factories.make_member(project, role, name="Rita Reader")
        assert browse(person).post(self.address(grant)).status_code == 403
        grant.refresh_from_db()
        assert grant.state == Grant.State.ACTIVE


class TestOverview:
    def shown(self, browse, person, review) -> str:
        return text_of(browse(person).get(page("connection", review.project, review.name)))

    def test_validate_counts_who_has_consented_of_whom_can_be_asked(self, browse, ana, chloe, review, grant):
        # Ben, Chloe, and Ana as Azure AI Owner.
        assert "1 of 3 people" in self.shown(browse, ana, review)

    def test_who_must_consent_for_two_agents_counts_when_both_have_it(
        self, browse, ana, ben, project, review, release_bot, grant
    ):
        second = factories.make_agent(project, "second-bot")
        Given.objects.create(connection=review, agent=second)
        for agent in (release_bot, second):
            speaking.allow(agent, ana, people=[ben], until=None)
        assert "0 of 1 people" in self.shown(browse, ana, review)
        making.make_grant(review, second, ben)
        assert "1 of 1 people" in self.shown(browse, ana, review)

    def test_an_agent_that_never_called_is_named(self, browse, ana, review, release_bot):
        assert "release-bot has never called this connection." in self.shown(browse, ana, review)
        called(release_bot, review)
        assert "No consent link when you expect one?" not in self.shown(browse, ana, review)

    def test_an_agent_that_may_not_speak_is_named(self, browse, ana, review, release_bot):
        called(release_bot, review)
        speaking.withdraw(release_bot, ana)
        shown = self.shown(browse, ana, review)
        assert "release-bot may not speak for users." in shown
        assert "No agent that uses it may speak for anybody yet" in shown

    def test_the_playground_may_speak_and_keeps_nobody_from_counting(
        self, browse, ana, project, review, release_bot, grant
    ):
        own = playground.ensure(project, ana)
        Given.objects.create(connection=review, agent=own)
        called(release_bot, review)
        shown = self.shown(browse, ana, review)
        assert "No consent link when you expect one?" not in shown and "1 of 2 people" in shown

    def test_where_only_the_playground_asks_it_counts(self, browse, ana, ben, project):
        tried = making.make_connection(project, playground.ensure(project, ana), name="tried-agent")
        making.make_grant(tried, playground.of(project), ben)
        shown = self.shown(browse, ana, tried)
        assert "1 of 2 people" in shown and "No consent link when you expect one?" not in shown

    def test_no_agent_at_all_is_said(self, browse, ana, project):
        alone = making.make_connection(project)
        assert "No agent may use this connection yet." in self.shown(browse, ana, alone)

    def test_an_unfinished_connection_says_so_to_each_in_their_way(self, browse, ana, ben, project, release_bot):
        open_ = making.make_connection(project, release_bot, secret="")
        assert "Not finished" in self.shown(browse, ana, open_) and "Edit connection" in self.shown(browse, ana, open_)
        assert "until an administrator finishes it" in self.shown(browse, ben, open_)

    def test_the_redirect_url_stays_for_good(self, browse, ana, review):
        assert f"/consent/callback/{review.id}</code>" in self.shown(browse, ana, review)
