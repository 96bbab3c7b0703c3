"""Between the question and the answer: roles, connections and agents change, and rows are moved by hand (T01, T21)."""

import pytest
from django.db import connection as database
from django.utils import timezone

from connections import secrets
from connections.methods import method_of
from connections.methods.base import Caller, ConsentRequired, CredentialUnavailable
from connections.models import Connection, Given, Secret
from consent import flow
from consent.models import Block, ConsentRequest, Grant
from portal.agents.models import Agent
from portal.audit.models import LogRow
from portal.projects.roles import Role
from tests import factories
from tests.consent import making
from tests.consent.attacks.stage import LINK, PROVIDER, Stage, arrive, at_the_provider, leave, refused_page

DISABLED = "Nothing can be allowed at present"


def sql(statement: str, *values) -> None:
    """As somebody does who has the database and not the keys."""
    with database.cursor() as cursor:
        cursor.execute(statement, values)
        assert cursor.rowcount == 1


# People, agents and connections


def lose_role(stage: Stage, ben) -> None:
    ben.role_assignments.all().delete()


def keep_only_owner(stage: Stage, ben) -> None:
    """Owner and Contributor alone may not interact with agents."""
    ben.role_assignments.all().delete()
    factories.give(ben, Role.OWNER, stage.connection.project)
    factories.give(ben, Role.CONTRIBUTOR, stage.connection.project)


def let_role_expire(stage: Stage, ben) -> None:
    ben.role_assignments.update(until=timezone.now())


def disable_agent(stage: Stage, ben) -> None:
    Agent.objects.update(disabled_at=timezone.now())


def disable_connection(stage: Stage, ben) -> None:
    Connection.objects.update(disabled_at=timezone.now())


def take_connection_back(stage: Stage, ben) -> None:
    Given.objects.all().delete()


def block_agent(stage: Stage, ben) -> None:
    Block.objects.create(agent=stage.agent, user=ben)


HAPPENINGS = [
    (lose_role, "role_needed_to_connect", 403),
    (keep_only_owner, "role_needed_to_connect", 403),
    (let_role_expire, "role_needed_to_connect", 403),
    (disable_agent, "consent_not_possible", 400),
    (disable_connection, "consent_not_possible", 400),
    (take_connection_back, "consent_not_possible", 400),
    (block_agent, "agent_blocked_by_user", 400),
]


@pytest.mark.parametrize(("happens", "reason", "status"), HAPPENINGS)
def test_what_was_taken_away_at_the_provider_is_missing_on_the_way_back(stage, ben, bens, happens, reason, status):
    back = at_the_provider(leave(bens, stage.link(ben)))
    happens(stage, ben)
    with stage.refuses(reason, by=ben, ends_flow=True):
        assert arrive(bens, back).status_code == status
    # The answer was spent: what comes back later does not make it good again.
    with stage.refuses("consent_answer_used", by=ben):
        arrive(bens, back)


@pytest.mark.parametrize(("happens", "reason", "status"), HAPPENINGS)
def test_what_was_taken_away_before_can_not_begin(stage, ben, bens, happens, reason, status):
    asking = stage.link(ben)
    happens(stage, ben)
    page = bens.get(f"/consent/{asking.id}")
    assert page.status_code == 200
    assert 'value="continue"' not in page.content.decode()
    with stage.refuses(reason, by=ben, event=LINK):
        assert bens.post(f"/consent/{asking.id}", {"decision": "continue"}).status_code == status


@pytest.mark.parametrize("thing", ["agent", "connection"])
def test_an_answer_for_what_was_deleted_finds_nothing(stage, ben, bens, thing):
    back = at_the_provider(leave(bens, stage.link(ben)))
    getattr(stage, thing).delete()
    with stage.refuses("consent_answer_unknown", by=ben):
        assert refused_page(arrive(bens, back), "This sign-in is not known here")


# The terms


def edit(stage: Stage, **settings: str) -> None:
    """As somebody who changes the settings without the form, which would end open links."""
    stage.connection.settings |= settings
    stage.connection.save()


def test_a_code_does_not_go_where_the_connection_was_pointed_meanwhile(stage, ben, bens, evil_provider):
    """The client secret is sealed for the old addresses; the connection has no other."""
    evil = evil_provider(stage.provider)
    back = at_the_provider(leave(bens, stage.link(ben)))
    edit(stage, token_url=evil.token)
    arrive(bens, back)
    assert evil.stolen == []
    # It went where the person had agreed to, and serves nobody there: the connection is another one now.
    assert [call.basic[0] for call in stage.provider.codes()] == [stage.connection.settings["client_id"]]
    with pytest.raises(CredentialUnavailable, match="oauth_not_finished"):
        method_of(stage.connection).credential(stage.connection, Caller(stage.agent, ben))


def test_a_code_of_a_public_client_does_not_follow_the_connection_either(stage, ben, bens, evil_provider):
    evil = evil_provider(stage.provider)
    public = making.make_connection(stage.connection.project, stage.agent, secret="")
    client = stage.provider.register(flow.Terms.now(public).redirect_uri, auth_method="none")
    at = stage.provider.at
    public.settings |= {"client_id": client.client_id, "client_auth": "none", "scopes": ["profile"]}
    public.settings |= {"authorization_url": at.authorize, "token_url": at.token}
    public.save()
    moved = Stage(stage.provider, public, stage.agent)
    back = at_the_provider(leave(bens, moved.link(ben)))
    edit(moved, token_url=evil.token, userinfo_url=evil.token, revocation_url=evil.token)
    arrive(bens, back)
    assert evil.received == []
    assert len(stage.provider.codes()) == 1
    with pytest.raises(ConsentRequired):
        method_of(public).credential(public, Caller(stage.agent, ben))


def test_a_new_client_secret_for_another_address_goes_neither_there_nor_here(stage, ben, bens, evil_provider):
    evil = evil_provider(stage.provider)
    back = at_the_provider(leave(bens, stage.link(ben)))
    edit(stage, token_url=evil.token)
    addresses = method_of(stage.connection).addresses(stage.connection, "client_secret")
    secrets.store(stage.connection, secrets.NewSecret("client_secret", 0, "", "new"), addresses, by=None)
    with stage.refuses("secret_unreadable", by=ben, ends_flow=True):
        arrive(bens, back)
    assert evil.received == []


def test_a_cleared_client_secret_ends_the_flow(stage, ben, bens):
    back = at_the_provider(leave(bens, stage.link(ben)))
    secrets.clear(stage.connection, "client_secret")
    with stage.refuses("secret_missing", by=ben, ends_flow=True):
        arrive(bens, back)


def test_an_edit_through_the_portal_ends_the_flow(stage, ana, ben, bens):
    back = at_the_provider(leave(bens, stage.link(ben)))
    edit(stage, scopes=["reviews:read"])
    method_of(stage.connection).drop_lost(stage.connection, ana)
    with stage.refuses("consent_flow_ended", by=ben):
        assert refused_page(arrive(bens, back), "This sign-in took too long")


def test_a_wider_scope_that_was_set_meanwhile_is_not_given_in_the_users_name(stage, ben, bens):
    asking = stage.link(ben)
    address = leave(bens, asking)
    edit(stage, scopes=[*stage.connection.settings["scopes"], "profile"])
    assert "profile" not in address
    arrive(bens, at_the_provider(address))
    assert "profile" not in Grant.objects.get().scopes_given


# Rows moved by hand


def test_a_verifier_of_another_request_does_not_open(stage, ben, bens, chloe, chloes):
    back = at_the_provider(leave(bens, stage.link(ben)))
    leave(chloes, stage.link(chloe))
    foreign = ConsentRequest.objects.get(user=chloe).verifier
    sql("UPDATE consent_consentrequest SET verifier = %s WHERE user_id = %s", foreign, ben.id)
    with stage.refuses("token_unreadable", by=ben, ends_flow=True):
        assert "refused" in arrive(bens, back).url


@pytest.mark.parametrize("value", ["", "x", "k1.AAAA", "v1:k1:AAAA:AAAA"])
def test_a_verifier_that_was_made_up_does_not_open(stage, ben, bens, value):
    back = at_the_provider(leave(bens, stage.link(ben)))
    sql("UPDATE consent_consentrequest SET verifier = %s", value)
    with stage.refuses("token_unreadable", by=ben, ends_flow=True):
        arrive(bens, back)


def test_a_request_that_was_moved_to_another_user_is_of_no_use_to_them(stage, ben, bens, chloe, chloes):
    """With Ben's cookie and everything else that his flow had."""
    back = at_the_provider(leave(bens, stage.link(ben)))
    sql("UPDATE consent_consentrequest SET user_id = %s", chloe.id)
    chloes.cookies["consent"] = bens.cookies["consent"].value
    with stage.refuses("token_unreadable", by=chloe, ends_flow=True):
        arrive(chloes, back)


def test_a_request_that_was_moved_to_another_agent_is_refused(stage, ben, bens, project):
    other = factories.make_agent(project, "other-agent")
    Given.objects.create(agent=other, connection=stage.connection)
    back = at_the_provider(leave(bens, stage.link(ben)))
    sql("UPDATE consent_consentrequest SET agent_id = %s", other.id)
    with stage.refuses("token_unreadable", by=ben, ends_flow=True):
        arrive(bens, back)


def test_a_request_whose_token_address_was_moved_is_refused(stage, ben, bens, evil_provider):
    evil = evil_provider(stage.provider)
    back = at_the_provider(leave(bens, stage.link(ben)))
    sql("UPDATE consent_consentrequest SET terms = jsonb_set(terms, '{token_url}', to_jsonb(%s::text))", evil.token)
    with stage.refuses("token_unreadable", by=ben, ends_flow=True):
        arrive(bens, back)
    assert evil.received == []


def test_a_client_secret_of_another_connection_does_not_open(stage, ben, bens):
    other = stage.another()
    back = at_the_provider(leave(bens, stage.link(ben)))
    foreign = Secret.objects.get(connection=other).value
    sql("UPDATE connections_secret SET value = %s WHERE connection_id = %s", foreign, stage.connection.id)
    with stage.refuses("secret_unreadable", by=ben, ends_flow=True):
        arrive(bens, back)


def test_a_grant_that_was_moved_to_another_user_serves_neither(stage, ben, bens, chloe):
    arrive(bens, at_the_provider(leave(bens, stage.link(ben))))
    method = method_of(stage.connection)
    assert method.credential(stage.connection, Caller(stage.agent, ben))
    sql("UPDATE consent_grant SET user_id = %s", chloe.id)
    sent = len(stage.provider.calls())
    for person in (ben, chloe):
        with pytest.raises(ConsentRequired):
            method.credential(stage.connection, Caller(stage.agent, person))
    assert len(stage.provider.calls()) == sent
    assert LogRow.objects.filter(event="consent.asked", reason="token_unreadable", on_behalf_of_id=chloe.id).exists()


@pytest.mark.parametrize("column", ["agent_id", "connection_id"])
def test_a_grant_that_was_moved_to_another_agent_or_connection_does_not_open(stage, ben, bens, project, column):
    arrive(bens, at_the_provider(leave(bens, stage.link(ben))))
    agent, connection = stage.agent, stage.connection
    if column == "agent_id":
        agent = factories.make_agent(project, "other-agent")
        Given.objects.create(agent=agent, connection=connection)
        sql("UPDATE consent_grant SET agent_id = %s", agent.id)
    else:
        connection = stage.another()
        sql("UPDATE consent_grant SET connection_id = %s", connection.id)
    with pytest.raises(ConsentRequired):
        method_of(connection).credential(connection, Caller(agent, ben))


def test_tokens_of_one_grant_do_not_open_in_another(stage, ben, bens, chloe, chloes):
    for browser, person, account in ((bens, ben, "octo-ben"), (chloes, chloe, "octo-chloe")):
        arrive(browser, at_the_provider(leave(browser, stage.link(person)), account))
    bens_token = Grant.objects.get(user=ben).access_token
    sql("UPDATE consent_grant SET access_token = %s WHERE user_id = %s", bens_token, chloe.id)
    with pytest.raises(ConsentRequired):
        method_of(stage.connection).credential(stage.connection, Caller(stage.agent, chloe))


def test_a_token_whose_terms_were_pointed_elsewhere_does_not_open(stage, ben, bens, evil_provider):
    evil = evil_provider(stage.provider)
    arrive(bens, at_the_provider(leave(bens, stage.link(ben))))
    sql("UPDATE consent_grant SET terms = jsonb_set(terms, '{endpoints}', to_jsonb(ARRAY[%s::text]))", evil.token)
    Connection.objects.update(endpoint=evil.token, interfaces=[])
    moved = Connection.objects.get(pk=stage.connection.pk)
    with pytest.raises(ConsentRequired):
        method_of(moved).credential(moved, Caller(stage.agent, ben))


def test_a_revocation_address_that_was_planted_in_a_grant_gets_no_token(stage, ben, bens, evil_provider):
    evil = evil_provider(stage.provider)
    arrive(bens, at_the_provider(leave(bens, stage.link(ben))))
    sql("UPDATE consent_grant SET terms = jsonb_set(terms, '{revocation_url}', to_jsonb(%s::text))", evil.token)
    bens.post(f"/consents/{Grant.objects.get().id}/disconnect")
    assert evil.received == []
    assert Grant.objects.get().state == "revoked"


def test_a_provider_that_refuses_is_told_apart_in_the_log(stage, ben, bens):
    back = at_the_provider(leave(bens, stage.link(ben)), deny=True)
    with stage.refuses("provider_denied", by=ben, event=PROVIDER, ends_flow=True):
        arrive(bens, back)
