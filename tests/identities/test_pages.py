"""A project's pages of identities: what each person sees and may do, and what stays in a form that was refused."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from portal.agents import publishing
from portal.audit.models import LogRow
from portal.identities import audiences, checking, roster, setting_up, tokens
from portal.identities.models import Identity, IdentitySource, IdentityToken, Source
from portal.identities.obtaining import TokenUnavailable
from portal.projects.roles import Role
from tests import factories
from tests.agents.test_pages import text_of
from tests.identities.conftest import BLUEPRINT, CLIENT, PRINCIPAL, SECRET, TENANT
from tests.identities.test_proofs import OTHER, certificate, private

LIST = "/projects/contoso-support/identities/"
HR = "api://contoso-hr"
ENTERED = {"tenant": TENANT, "blueprint": BLUEPRINT, "proof": "client_secret"}


def at(identity: Identity, page: str = "") -> str:
    return f"{LIST}{identity.id}/{page}"


def ids() -> dict:
    return {"client_id": CLIENT, "principal_id": PRINCIPAL}


@pytest.fixture
def hr(ana):
    return audiences.enter(HR, ["https://hr.contoso.example"], "The HR service", ana)


def test_the_list_says_of_each_identity_who_uses_it_and_how_it_is(browse, ben, ana, bot, project):
    factories.make_agent(project, "release-bot")
    publishing.publish(bot, ana)
    text = text_of(browse(ben).get(LIST))
    shared, own = roster.shared_by_agents(project), publishing.own_of(bot)
    assert (
        f"contoso-support-AgentIdentity Agent identity shared by the project release-bot {shared.principal_id}" in text
    )
    assert f"contoso-support-support-bot-AgentIdentity Agent identity support-bot {own.principal_id} Ready" in text
    assert "Project managed identity release-bot , support-bot" in text
    assert "This portal's own issuer" in text


def test_one_identity_shows_its_ids_and_what_an_endpoints_owner_assigns(browse, ben, project, bot, acting):
    factories.make_connection(
        project, "https://hr.contoso.example:8443/a2a", name="hr-agent", given_to=bot, auth_method="as-agent",
        settings={"audience": HR}, credential=None,
    )  # fmt: skip
    shared = roster.shared_by_agents(project)
    page = browse(ben).get(at(shared))
    text = text_of(page)
    for shown in (shared.client_id, shared.principal_id, shared.tenant, "http://localhost:8000/identities"):
        assert shown in text
    assert "Please assign the role that hr-agent (hr.contoso.example:8443) needs to this identity" in text
    assert f"Audience: {HR}" in text
    assert 'href="/projects/contoso-support/tools/hr-agent/"' in page.content.decode()
    assert "Check" not in text


def test_the_projects_identity_is_used_by_the_connections_that_act_as_the_project(browse, ben, project, bot, acting):
    factories.make_connection(project, name="storage", auth_method="as-project", credential=None, given_to=bot)
    factories.make_connection(project, name="hr-agent", auth_method="as-agent", credential=None)
    assert "storage" in text_of(browse(ben).get(at(roster.managed_of(project))))
    assert "hr-agent" not in text_of(browse(ben).get(at(roster.managed_of(project))))
    # Given to no agent, so nobody calls it as the shared identity.
    assert "hr-agent" not in text_of(browse(ben).get(at(roster.shared_by_agents(project))))


def test_what_is_given_to_all_agents_is_called_as_shared_until_every_agent_is_published(
    browse, ben, ana, project, bot, acting
):
    factories.make_connection(project, name="hr-agent", auth_method="as-agent", credential=None, given_to_all=True)
    shared = roster.shared_by_agents(project)
    assert "hr-agent" in text_of(browse(ben).get(at(shared)))
    publishing.publish(bot, ana)
    assert "hr-agent" not in text_of(browse(ben).get(at(shared)))
    assert "hr-agent" in text_of(browse(ben).get(at(publishing.own_of(bot))))


def test_a_failing_identity_says_for_what_since_when_why_and_who_must_act(browse, ben, project):
    shared = roster.shared_by_agents(project)
    now = timezone.now()
    IdentityToken.objects.create(
        identity=shared, audience=HR, failure="key_unavailable", failing_since=now - timedelta(hours=3), retry_at=now
    )
    text = text_of(browse(ben).get(at(shared)))
    assert "Failing" in text
    assert f"No token for {HR} since" in text
    assert "Who must act: The owner of this portal" in text
    assert f"Failing {HR} :" in text_of(browse(ben).get(LIST)).replace(f"{HR}:", f"{HR} :")


@pytest.mark.parametrize("page", ["source/", "blueprint/"])
def test_who_may_not_set_identities_up_is_told_who_can_give_the_role(browse, ben, project, page):
    assert "Change" not in text_of(browse(ben).get(LIST))
    assert browse(ben).post(f"{LIST}{page}", {"kind": "entra", "confirmed": "yes"}).status_code == 403
    assert not IdentitySource.objects.exists()


@pytest.mark.parametrize("page", ["set-up/", "check/", "disable/", "enable/"])
def test_nothing_of_one_identity_is_changed_without_the_permission(browse, ben, shared, page):
    assert f"{LIST}{shared.id}/{page}" not in browse(ben).get(at(shared)).content.decode()
    assert browse(ben).post(at(shared, page), ids()).status_code == 403
    shared.refresh_from_db()
    assert (shared.client_id, shared.disabled_at) == ("", None)


def test_another_source_is_taken_after_a_question_that_names_what_it_changes(browse, mia, project, bot, acting):
    factories.make_connection(
        project,
        "https://hr.contoso.example/a2a",
        name="hr-agent",
        given_to=bot,
        credential=None,
        auth_method="as-agent",
    )
    client = browse(mia)
    question = client.post(f"{LIST}source/", {"kind": "entra"})
    assert not IdentitySource.objects.exists()
    text = text_of(question)
    assert "an endpoint answers 403 unless its owner has assigned the role" in text
    assert "keep the roles they had" not in text
    assert "hr-agent at hr.contoso.example, as the agent that calls" in text
    assert "contoso-support-AgentIdentity, now of support-bot" in text
    answer = client.post(f"{LIST}source/", {"kind": "entra", "confirmed": "yes"})
    assert answer["location"] == f"{LIST}blueprint/"
    assert IdentitySource.objects.get().kind == Source.ENTRA
    back = text_of(client.post(f"{LIST}source/", {"kind": "portal"}))
    assert "Take identities from this portal's own issuer?" in back
    assert "The identities that were used before keep the roles they had." in back


def test_a_source_that_is_none_is_refused(browse, mia, project):
    assert browse(mia).post(f"{LIST}source/", {"kind": "elsewhere"}).status_code == 422
    assert browse(mia).get(f"{LIST}blueprint/")["location"] == f"{LIST}source/"


def test_the_blueprint_page_shows_the_commands_with_the_projects_names(browse, mia, of_entra):
    page = browse(mia).get(f"{LIST}blueprint/").content.decode()
    for part in (
        "https://graph.microsoft.com/beta/applications/microsoft.graph.agentIdentityBlueprint",
        "microsoft.graph.agentIdentityBlueprintPrincipal",
        "contoso-support-Blueprint",
        "sponsors@odata.bind",
        "addPassword",
        "The last step adds a client secret;",
        BLUEPRINT,
    ):
        assert part in page
    assert SECRET not in page


def test_the_blueprint_is_saved_and_its_secret_never_shown_again(browse, mia, project):
    setting_up.choose_source(project, Source.ENTRA, mia)
    client = browse(mia)
    saved = client.post(f"{LIST}blueprint/", ENTERED | {"secret": SECRET, "expires_on": "2030-01-31"}, follow=True)
    source = IdentitySource.objects.get()
    assert (source.tenant, source.blueprint, str(source.proof_expires_on)) == (TENANT, BLUEPRINT, "2030-01-31")
    for page in (saved, client.get(f"{LIST}blueprint/"), client.get(LIST)):
        assert SECRET not in page.content.decode()
    assert "by Mia Lang" in text_of(client.get(f"{LIST}blueprint/"))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"tenant": "contoso"}, "Enter the tenant's ID, or a domain name"),
        ({"tenant": "common"}, "stands for no tenant"),
        ({"tenant": "../evil.example"}, "Enter the tenant's ID, or a domain name"),
        ({"tenant": "evil.example/x?"}, "Enter the tenant's ID, or a domain name"),
        ({"blueprint": "contoso-blueprint"}, "This is not an ID"),
        ({"blueprint": ""}, "Enter the blueprint's client ID"),
        ({"secret": "dddddddd-0000-0000-0000-000000000001"}, "This is the secret's ID"),
        ({"proof": "password"}, "Select a valid choice"),
    ],
)
def test_a_blueprint_that_can_not_be_says_why_keeps_what_was_typed_and_never_the_secret(
    browse, mia, project, change, why
):
    setting_up.choose_source(project, Source.ENTRA, mia)
    typed = ENTERED | {"secret": SECRET, "expires_on": "2030-01-31"} | change
    answer = browse(mia).post(f"{LIST}blueprint/", typed)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert why in text_of(answer)
    assert "2030-01-31" in page
    assert typed["secret"] not in page
    assert "Enter the secret or the certificate again" in page
    assert not IdentitySource.objects.get().proof_value


def test_a_certificate_is_judged_sealed_and_never_shown(browse, mia, project):
    setting_up.choose_source(project, Source.ENTRA, mia)
    client, by_certificate = browse(mia), ENTERED | {"proof": "certificate"}
    wrong = client.post(f"{LIST}blueprint/", by_certificate | {"certificate": certificate() + private(OTHER)})
    assert wrong.status_code == 422
    assert "The private key is not that of the first certificate" in text_of(wrong)
    right = client.post(f"{LIST}blueprint/", by_certificate | {"certificate": certificate() + private()}, follow=True)
    source = IdentitySource.objects.get()
    assert source.proof_value.startswith("gh1:")
    assert source.proof_expires_on == (timezone.now() + timedelta(days=90)).date()
    for page in (wrong, right, client.get(f"{LIST}blueprint/")):
        assert "PRIVATE KEY" not in page.content.decode()
    client.post(f"{LIST}blueprint/", by_certificate)
    assert IdentitySource.objects.get().proof_expires_on == source.proof_expires_on


def test_a_change_that_clears_the_secret_asks_and_carries_no_secret_through_the_question(browse, mia, shared):
    setting_up.enter_ids(shared, CLIENT, PRINCIPAL, mia)
    client, moved = browse(mia), ENTERED | {"tenant": "fabrikam.example", "secret": "another~quetzalcoatlus"}
    question = client.post(f"{LIST}blueprint/", moved)
    assert "the IDs of 1 identity" in text_of(question)
    assert "contoso-support-AgentIdentity" in text_of(question)
    assert "another~quetzalcoatlus" not in question.content.decode()
    assert IdentitySource.objects.get().tenant == TENANT
    del moved["secret"]
    client.post(f"{LIST}blueprint/", moved | {"clearing": "yes"})
    source = IdentitySource.objects.get()
    assert (source.tenant, source.proof_value) == ("fabrikam.example", "")
    assert "has no client secret" in text_of(client.get(LIST))


def test_the_hosts_own_proofs_are_for_the_owner_of_the_portal_and_others_see_who_that_is(browse, mia, ana, of_entra):
    page = browse(mia).get(f"{LIST}blueprint/")
    assert 'value="managed_identity" disabled' in page.content.decode()
    assert "Ana Ruiz (ana.ruiz@contoso.example)" in text_of(page)
    by_host = ENTERED | {"proof": "managed_identity", "host_identity": CLIENT, "clearing": "yes"}
    refused = browse(mia).post(f"{LIST}blueprint/", by_host)
    assert refused.status_code == 422
    assert "Only the owner of this portal" in text_of(refused)
    assert browse(ana).post(f"{LIST}blueprint/", by_host).status_code == 302
    # Now it is there: keeping it is no choice, moving what it proves is.
    moved = browse(mia).post(f"{LIST}blueprint/", by_host | {"blueprint": CLIENT})
    assert moved.status_code == 403
    assert IdentitySource.objects.get().blueprint == BLUEPRINT
    assert "Enter the client ID" in text_of(browse(ana).post(f"{LIST}blueprint/", by_host | {"host_identity": ""}))


def test_an_identity_that_is_not_set_up_shows_the_commands_and_takes_the_ids(browse, mia, shared):
    client = browse(mia)
    assert "Not set up: an administrator of the tenant makes it" in text_of(client.get(at(shared)))
    page = client.get(at(shared, "set-up/")).content.decode()
    assert "servicePrincipals/microsoft.graph.agentIdentity" in page
    assert "contoso-support-AgentIdentity" in page and BLUEPRINT in page
    done = client.post(at(shared, "set-up/"), {"client_id": f"{{{CLIENT.upper()}}}", "principal_id": PRINCIPAL})
    shared.refresh_from_db()
    assert (done.status_code, shared.client_id, shared.principal_id) == (302, CLIENT, PRINCIPAL)
    assert f"Issuer: https://login.microsoftonline.com/{TENANT}/v2.0" in text_of(client.get(at(shared)))


def test_ids_that_can_not_be_say_why_and_stay_in_the_form(browse, mia, shared):
    answer = browse(mia).post(at(shared, "set-up/"), {"client_id": "mine", "principal_id": PRINCIPAL})
    assert answer.status_code == 422
    assert "This is not an ID" in text_of(answer)
    assert 'value="mine"' in answer.content.decode() and PRINCIPAL in answer.content.decode()


def test_a_client_id_of_another_project_is_refused_without_naming_anybody(browse, mia, ana, shared):
    other = factories.make_project("fabrikam-secret-project")
    setting_up.allot(other, setting_up.Proof.MANAGED_IDENTITY, TENANT, CLIENT, PRINCIPAL, ana)
    answer = browse(mia).post(at(shared, "set-up/"), ids())
    assert answer.status_code == 422
    assert "in use on this portal already" in text_of(answer)
    assert "fabrikam" not in answer.content.decode()


def test_a_blueprint_of_another_project_is_refused_without_naming_anybody(browse, mia, ana, of_entra):
    other = factories.make_project("fabrikam-secret-project")
    setting_up.choose_source(other, Source.ENTRA, ana)
    taken = "aaaaaaaa-0000-0000-0000-000000000002"
    setting_up.set_blueprint(other, setting_up.Blueprint(TENANT, taken, setting_up.Proof.CLIENT_SECRET), ana)
    answer = browse(mia).post(f"{LIST}blueprint/", ENTERED | {"blueprint": taken, "secret": SECRET})
    assert answer.status_code == 422
    assert "in use on this portal already" in text_of(answer)
    assert "fabrikam" not in answer.content.decode() and SECRET not in answer.content.decode()
    assert IdentitySource.objects.get(project=of_entra).blueprint == BLUEPRINT


def test_the_projects_managed_identity_is_asked_of_the_owner_of_the_portal(browse, mia, ana, of_entra):
    managed = roster.managed_of(of_entra)
    text = text_of(browse(mia).get(at(managed)))
    assert "The owner of this portal allots one" in text
    assert "Ana Ruiz (ana.ruiz@contoso.example)" in text
    assert browse(mia).post(at(managed, "set-up/"), ids()).status_code == 302
    managed.refresh_from_db()
    assert managed.client_id == ""


def test_disabling_names_who_is_hit(browse, mia, bot, project, acting):
    factories.make_connection(project, name="hr-agent", given_to=bot, auth_method="as-agent", credential=None)
    shared, client = roster.shared_by_agents(project), browse(mia)
    assert "The next call of support-bot through hr-agent gets an error" in text_of(client.get(at(shared, "disable/")))
    assert "Disabled by Mia Lang" in text_of(client.post(at(shared, "disable/"), follow=True))
    assert "carries its tokens again" in text_of(client.get(at(shared, "enable/")))
    client.post(at(shared, "enable/"))
    shared.refresh_from_db()
    assert shared.disabled_at is None


def test_check_shows_what_the_token_says_and_not_the_token_and_is_logged(browse, mia, project, hr):
    shared = roster.shared_by_agents(project)
    page = browse(mia).post(at(shared, "check/"), {"audience": HR})
    text = text_of(page)
    assert f"A token for {HR} is there" in text
    assert "Roles do not stand in this token; the endpoint looks them up by sub" in text
    for claim in (shared.principal_id, shared.client_id, "http://localhost:8000/identities"):
        assert claim in text
    token = tokens.access_token(shared, HR, []).value.reveal()
    assert not any(part in page.content.decode() for part in token.split("."))
    rows = LogRow.objects.filter(event="identity.checked").order_by("id")
    assert [(row.kind, row.outcome) for row in rows] == [("attempt", "in_progress"), ("outcome", "succeeded")]
    assert json.loads(rows[0].details) == {"identity": shared.name, "audience": HR}


def test_roles_are_looked_for_in_a_token_of_entra(browse, mia, shared, hr, monkeypatch):
    setting_up.enter_ids(shared, CLIENT, PRINCIPAL, mia)

    def jwt(identity, audience):
        return tokens.Obtained(tokens.vault.Secret("e30.e30.c2ln"), timezone.now() + timedelta(minutes=5))

    monkeypatch.setitem(tokens.SOURCES, "entra", jwt)
    monkeypatch.setattr(checking, "claims_of", lambda token: [checking.Claim("roles", "HR.Read")])
    text = text_of(browse(mia).post(at(shared, "check/"), {"audience": HR}))
    assert "roles appear under roles once they are assigned" in text and "looks them up" not in text


def test_check_takes_only_listed_audiences(browse, mia, project, hr):
    answer = browse(mia).post(at(roster.shared_by_agents(project), "check/"), {"audience": "api://evil"})
    assert answer.status_code == 422
    assert not LogRow.objects.filter(event="identity.checked").exists()
    assert "What to ask for" in text_of(answer)


def test_a_check_that_fails_says_why_and_who_must_act(browse, mia, project, hr, monkeypatch):
    def refuse(identity, audience):
        raise TokenUnavailable("key_unavailable")

    monkeypatch.setitem(tokens.SOURCES, "portal", refuse)
    text = text_of(browse(mia).post(at(roster.shared_by_agents(project), "check/"), {"audience": HR}))
    assert "Who must act: The owner of this portal" in text
    assert LogRow.objects.filter(event="identity.checked", kind="outcome").get().reason == "key_unavailable"


def test_what_a_token_says_is_only_text(browse, mia, project, hr, monkeypatch):
    def jwt(identity, audience):
        claims = '{"name": "<script>alert(1)</script>", "roles": ["HR.Read\\u202e"], "exp": "soon"}'
        body = checking.base64.urlsafe_b64encode(claims.encode()).decode().rstrip("=")
        value = tokens.vault.Secret(f"e30.{body}.c2ln")
        return tokens.Obtained(value, timezone.now() + timedelta(minutes=5))

    monkeypatch.setitem(tokens.SOURCES, "portal", jwt)
    page = browse(mia).post(at(roster.shared_by_agents(project), "check/"), {"audience": HR}).content.decode()
    assert "&lt;script&gt;alert(1)" in page and "<script>alert" not in page
    assert "HR.Read" in page and "\u202e" not in page


@pytest.mark.parametrize("token", ["opaque", "a.b.c", "e30.W10.x", "e30.e30", ""])
def test_a_token_that_is_no_jwt_has_nothing_to_show(token):
    assert checking.claims_of(token) == []


def test_whoever_needs_another_audience_sees_who_lists_it_and_what_to_ask(browse, ben, ana, project, hr):
    text = text_of(browse(ben).get(LIST))
    assert f"{HR} The HR service" in text
    assert "Ana Ruiz (ana.ruiz@contoso.example)" in text
    assert "Please list an audience for the project contoso-support" in text


@pytest.mark.parametrize("page", ["", "set-up/", "check/", "disable/", "enable/"])
def test_an_identity_of_another_project_is_not_there(browse, ana, eve, shared, page):
    assert browse(ana).get(f"/projects/fabrikam/identities/{shared.id}/{page}").status_code == 404
    assert browse(eve).get(at(shared, page)).status_code == 404


def test_the_list_takes_the_same_few_queries_for_many_agents(browse, ben, project, django_assert_max_num_queries):
    for number in range(20):
        factories.make_agent(project, f"bot-{number}", published_at=timezone.now())
    client = browse(ben)
    client.get(LIST)
    with django_assert_max_num_queries(30):
        client.get(LIST)


def test_a_reader_sees_and_changes_nothing(browse, project):
    reader = factories.make_member(project, Role.READER)
    page = browse(reader).get(LIST).content.decode()
    assert "contoso-support-AgentIdentity" in page
    assert "/source/" not in page and "/blueprint/" not in page
