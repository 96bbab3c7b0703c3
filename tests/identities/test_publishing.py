"""Publishing an agent on its page: which identity it uses before and after, who may, and what waits."""

import pytest

from portal.agents import publishing
from portal.agents.models import Agent
from portal.audit.models import LogRow
from portal.identities import roster
from portal.identities.models import Identity
from portal.projects.roles import Role
from tests import factories
from tests.agents.test_pages import AGENTS, text_of
from tests.identities.conftest import BLUEPRINT, CLIENT, PRINCIPAL

BOT = f"{AGENTS}support-bot/"
PUBLISH, MAKE, TAKE_BACK = f"{BOT}publish/", f"{BOT}publish/identity/", f"{BOT}take-back-publishing/"
OWN = "contoso-support-support-bot-AgentIdentity"


@pytest.fixture
def hr_agent(project, bot, acting):
    return factories.make_connection(
        project,
        "https://hr.contoso.example/a2a",
        name="hr-agent",
        given_to=bot,
        credential=None,
        auth_method="as-agent",
    )


def published(agent: Agent) -> bool:
    agent.refresh_from_db()
    return agent.is_published


def test_the_page_shows_the_identity_now_and_after_publishing_and_what_answers_403(browse, ben, project, bot, hr_agent):
    factories.make_agent(project, "release-bot")
    page = browse(ben).get(BOT)
    text = text_of(page)
    assert "support-bot Not published" in text
    assert (
        "Now Shared identity of the project contoso-support-AgentIdentity The same for release-bot, support-bot" in text
    )
    assert f"After publishing An identity of its own {OWN} Not created yet" in text
    assert (
        "Roles do not move with it. After publishing, hr-agent answers 403 unless its owner has assigned the role to "
        "the new identity." in text
    )
    assert PUBLISH not in page.content.decode()
    assert not Identity.objects.filter(kind="agent").exists()


def test_the_question_shows_both_identities_with_their_ids_before_anything_changes(browse, mia, bot, hr_agent):
    client = browse(mia)
    assert "Nothing yet: publishing makes" in text_of(client.get(PUBLISH))
    assert not Identity.objects.filter(kind="agent").exists()
    page = client.post(MAKE, follow=True)
    assert LogRow.objects.latest("id").event == "agent.identity_made"
    client.post(MAKE)
    assert LogRow.objects.filter(event="agent.identity_made").count() == 1
    own, shared = publishing.own_of(bot), roster.shared_by_agents(bot.project)
    text = text_of(page)
    for shown in (
        shared.principal_id,
        own.client_id,
        own.principal_id,
        "Please assign the role that hr-agent (hr.contoso.example)",
    ):
        assert shown in text
    assert not published(bot)
    assert publishing.identity_of(bot) == shared


def test_publishing_and_taking_it_back_say_which_identity_is_used_from_then_on(browse, mia, bot, hr_agent):
    client = browse(mia)
    own, shared = publishing.own_of(bot), roster.shared_by_agents(bot.project)
    page = text_of(client.post(PUBLISH, follow=True))
    assert f"support-bot is published. It acts as {OWN} from its next call on." in page
    assert "support-bot Published" in page
    assert f"Now An identity of its own {OWN} Only support-bot uses it Principal ID {own.principal_id}" in page
    assert published(bot)
    assert client.get(PUBLISH).status_code == 302

    question = text_of(client.get(TAKE_BACK))
    assert "The shared identity keeps the roles it had. If hr-agent answers 403, its owner has not" in question
    assert f"Principal ID (object ID): {shared.principal_id}" in question
    page = text_of(client.post(TAKE_BACK, follow=True))
    assert "support-bot acts as contoso-support-AgentIdentity again" in page
    assert f"After publishing An identity of its own {OWN} Principal ID {own.principal_id}" in page
    assert not published(bot)
    assert list(LogRow.objects.filter(event__startswith="agent.").order_by("id").values_list("event", flat=True)) == [
        "agent.registered",
        "agent.published",
        "agent.unpublished",
    ]
    assert client.get(TAKE_BACK).status_code == 302


@pytest.mark.parametrize("role", [Role.AI_USER, Role.READER, Role.CONTRIBUTOR, Role.ACCOUNT_OWNER])
def test_who_may_not_publish_is_told_who_can_give_the_role(browse, project, bot, role):
    client = browse(factories.make_member(project, role))
    for page in (PUBLISH, MAKE, TAKE_BACK):
        answer = client.post(page)
        assert answer.status_code == 403
        assert "Azure AI Project Manager" in text_of(answer)
    assert not published(bot)


def test_with_entra_the_question_shows_the_commands_and_takes_the_ids(browse, mia, bot, of_entra):
    client = browse(mia)
    page = client.get(PUBLISH).content.decode()
    assert "servicePrincipals/microsoft.graph.agentIdentity" in page
    assert OWN in page and BLUEPRINT in page
    assert OWN not in text_of(client.get("/projects/contoso-support/identities/"))
    client.post(PUBLISH, {"client_id": CLIENT, "principal_id": PRINCIPAL})
    assert published(bot)
    assert publishing.identity_of(bot).client_id == CLIENT
    assert "Waits" not in text_of(client.get(AGENTS))


def test_an_identity_of_entra_is_not_made_by_the_portal(browse, mia, bot, of_entra):
    browse(mia).post(MAKE)
    assert not Identity.objects.filter(kind="agent").exists()


def test_without_ids_the_agent_waits_and_every_page_says_so(browse, mia, bot, of_entra):
    client = browse(mia)
    page = text_of(client.post(PUBLISH, {"client_id": "", "principal_id": ""}, follow=True))
    assert f"It waits for its identity: enter the IDs of {OWN}." in page
    assert f"support-bot waits for its identity: {OWN} is not set up" in page
    assert f"Waits for its identity {OWN}" in text_of(client.get(AGENTS))
    assert "support-bot waits for it" in text_of(client.get("/projects/contoso-support/identities/"))
    own = publishing.own_of(bot)
    assert "support-bot waits for it, and its calls get errors" in text_of(
        client.get(f"/projects/contoso-support/identities/{own.id}/")
    )


@pytest.mark.parametrize(
    ("ids", "why"),
    [
        ({"client_id": CLIENT}, "Enter both IDs"),
        ({"client_id": "mine", "principal_id": PRINCIPAL}, "This is not an ID"),
    ],
)
def test_ids_that_can_not_be_publish_nothing_and_stay_in_the_form(browse, mia, bot, of_entra, ids, why):
    answer = browse(mia).post(PUBLISH, ids)
    assert answer.status_code == 422
    assert why in text_of(answer)
    assert f'value="{ids["client_id"]}"' in answer.content.decode()
    assert not published(bot)


def test_ids_that_another_identity_has_publish_nothing(browse, mia, ana, bot, of_entra):
    other = factories.make_agent(of_entra, "release-bot")
    client = browse(mia)
    client.post(f"{AGENTS}release-bot/publish/", {"client_id": CLIENT, "principal_id": PRINCIPAL})
    answer = client.post(PUBLISH, {"client_id": CLIENT, "principal_id": PRINCIPAL})
    assert answer.status_code == 422
    assert "in use on this portal already" in text_of(answer)
    assert published(other) and not published(bot)


def test_deleting_an_agent_says_that_its_identity_stays_in_entra(browse, ana, mia, bot, of_entra):
    browse(mia).post(PUBLISH, {"client_id": CLIENT, "principal_id": PRINCIPAL})
    assert f"Its identity {OWN} stays in Microsoft Entra" in text_of(browse(ana).get(f"{BOT}delete/"))


def test_an_agent_of_another_project_can_not_be_published(browse, ana, eve, bot):
    for page in (PUBLISH, MAKE, TAKE_BACK):
        assert browse(eve).post(page).status_code == 404
        assert browse(ana).post(page.replace("contoso-support", "fabrikam")).status_code == 404
    assert not published(bot)
