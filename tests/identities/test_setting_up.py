"""The verbs: what changes ids or source forgets what was obtained before, clears what no longer fits, and is logged."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from portal import vault
from portal.audit.models import ChangeCounter, LogRow
from portal.identities import audiences, entra, roster, setting_up, tokens
from portal.identities.models import Identity, IdentitySource, IdentityToken, Proof, Source
from portal.identities.setting_up import Blueprint, IdTaken, NoTenant, WouldClear
from portal.projects.access import NeedsRole
from portal.projects.roles import Role
from tests import factories
from tests.identities.conftest import BLUEPRINT, CLIENT, PRINCIPAL, SECRET, TENANT

ENTERED = Blueprint(TENANT, BLUEPRINT, Proof.CLIENT_SECRET, value=SECRET)


def events() -> list[str]:
    return list(LogRow.objects.order_by("id").values_list("event", flat=True))


def last_details() -> dict:
    return json.loads(LogRow.objects.latest("id").details)


def source_of(project) -> IdentitySource:
    return IdentitySource.objects.get(project=project)


def kept_token(identity) -> IdentityToken:
    return IdentityToken.objects.create(identity=identity, audience="api://contoso-hr", value="sealed")


def test_choosing_a_source_forgets_tokens_keeps_ids_and_is_logged_once(project, mia):
    of_portal = roster.shared_by_agents(project)
    kept_token(of_portal)
    before = ChangeCounter.objects.get_or_create(id=1)[0].value

    setting_up.choose_source(project, Source.ENTRA, mia)
    setting_up.choose_source(project, Source.ENTRA, mia)

    assert roster.shared_by_agents(project).source == Source.ENTRA
    assert not IdentityToken.objects.exists()
    assert events() == ["identity.source_chosen"]
    assert ChangeCounter.objects.get().value > before
    setting_up.choose_source(project, Source.PORTAL, mia)
    assert roster.shared_by_agents(project).client_id == of_portal.client_id


def test_the_secret_is_sealed_to_the_tenants_token_endpoint(of_entra):
    source = source_of(of_entra)
    assert SECRET not in source.proof_value
    binding = source.binding(entra.token_endpoint_of(TENANT))
    assert vault.open_sealed(source.proof_value, binding).reveal() == SECRET
    with pytest.raises(vault.SealBroken):
        vault.open_sealed(source.proof_value, source.binding(entra.token_endpoint_of("fabrikam.example")))
    assert all(SECRET not in row.details for row in LogRow.objects.all())
    assert last_details()["value"] == "replaced"


def test_a_secret_left_empty_is_kept(of_entra, mia):
    before = source_of(of_entra).proof_value
    setting_up.set_blueprint(of_entra, replace(ENTERED, value="", expires_on=timezone.localdate()), mia)
    assert source_of(of_entra).proof_value == before
    assert source_of(of_entra).proof_expires_on == timezone.localdate()


@pytest.mark.parametrize(
    "change",
    [{"tenant": "fabrikam.example"}, {"blueprint": CLIENT}, {"proof": Proof.CERTIFICATE}],
    ids=lambda change: next(iter(change)),
)
def test_another_tenant_blueprint_or_proof_asks_before_it_clears_the_stored_value(of_entra, mia, change):
    other = replace(ENTERED, value="", **change)
    before = source_of(of_entra).proof_value
    with pytest.raises(WouldClear) as question:
        setting_up.set_blueprint(of_entra, other, mia)
    assert question.value.proof
    assert source_of(of_entra).proof_value == before

    setting_up.set_blueprint(of_entra, other, mia, clearing=True)
    assert (source_of(of_entra).proof_value, source_of(of_entra).proof_set_by) == ("", None)


def test_a_new_value_typed_with_the_change_needs_no_question(of_entra, mia):
    setting_up.set_blueprint(of_entra, replace(ENTERED, tenant="fabrikam.example", value="another~secret"), mia)
    source = source_of(of_entra)
    binding = source.binding(entra.token_endpoint_of("fabrikam.example"))
    assert vault.open_sealed(source.proof_value, binding).reveal() == "another~secret"


def test_another_blueprint_takes_the_ids_of_its_agent_identities_with_it(shared, mia):
    setting_up.enter_ids(shared, CLIENT, PRINCIPAL, mia)
    other = replace(ENTERED, blueprint="aaaaaaaa-0000-0000-0000-000000000002")
    with pytest.raises(WouldClear) as question:
        setting_up.set_blueprint(shared.project, other, mia)
    assert [identity.name for identity in question.value.identities] == ["contoso-support-AgentIdentity"]
    assert not question.value.proof

    setting_up.set_blueprint(shared.project, other, mia, clearing=True)
    shared.refresh_from_db()
    assert (shared.client_id, shared.principal_id, shared.state) == ("", "", Identity.State.NOT_SET_UP)


def test_entered_ids_belong_to_the_blueprints_tenant_and_forget_what_was_obtained(shared, mia):
    kept_token(shared)
    setting_up.enter_ids(shared, CLIENT, PRINCIPAL, mia)
    shared.refresh_from_db()
    assert (shared.tenant, shared.client_id, shared.principal_id) == (TENANT, CLIENT, PRINCIPAL)
    assert (shared.set_up_by, shared.state) == (mia, Identity.State.READY)
    assert not IdentityToken.objects.exists()
    assert events()[-1] == "identity.set_up"
    assert last_details()["client_id"] == CLIENT


def test_ids_wait_for_the_blueprint(project, mia):
    setting_up.choose_source(project, Source.ENTRA, mia)
    with pytest.raises(NoTenant):
        setting_up.enter_ids(roster.shared_by_agents(project), CLIENT, PRINCIPAL, mia)


@pytest.mark.parametrize("whose", [roster.shared_by_agents, roster.managed_of])
def test_nobody_chooses_the_ids_that_the_portals_own_issuer_signs(of_entra, mia, whose):
    """They could be another project's, and its endpoints would believe it."""
    identity = whose(of_entra, Source.PORTAL)
    before = (identity.tenant, identity.client_id, identity.principal_id)
    with pytest.raises(NoTenant):
        setting_up.enter_ids(identity, CLIENT, PRINCIPAL, mia)
    identity.refresh_from_db()
    assert (identity.tenant, identity.client_id, identity.principal_id) == before


def test_a_client_id_has_one_owner_whatever_the_tenant_is_called(shared, mia, ana):
    setting_up.enter_ids(shared, CLIENT, PRINCIPAL, mia)
    other = factories.make_project("fabrikam")
    setting_up.choose_source(other, Source.ENTRA, ana)
    elsewhere = replace(ENTERED, tenant="contoso.onmicrosoft.com")
    for taken in (BLUEPRINT, CLIENT):
        with pytest.raises(IdTaken):
            setting_up.set_blueprint(other, replace(elsewhere, blueprint=taken), ana)
    setting_up.set_blueprint(other, replace(elsewhere, blueprint="aaaaaaaa-0000-0000-0000-000000000002"), ana)
    for taken in (BLUEPRINT, CLIENT):
        with pytest.raises(IdTaken):
            setting_up.enter_ids(roster.shared_by_agents(other), taken, PRINCIPAL, ana)
    with pytest.raises(IdTaken):
        setting_up.allot(other, Proof.MANAGED_IDENTITY, TENANT, CLIENT, PRINCIPAL, ana)
    setting_up.enter_ids(shared, CLIENT, PRINCIPAL, mia)


OF_HOST = replace(ENTERED, proof=Proof.MANAGED_IDENTITY, host_identity=CLIENT, value="")


@pytest.mark.parametrize(
    "change",
    [{}, {"blueprint": CLIENT}, {"tenant": "fabrikam.example"}, {"host_identity": PRINCIPAL}],
    ids=["chosen", "another blueprint", "another tenant", "another identity"],
)
def test_what_the_host_is_can_only_be_used_by_the_owner_of_the_portal(project, mia, ana, change):
    if change:
        setting_up.set_blueprint(project, OF_HOST, ana)
    with pytest.raises(NeedsRole):
        setting_up.set_blueprint(project, replace(OF_HOST, **change), mia, clearing=True)
    setting_up.set_blueprint(project, replace(OF_HOST, **change), ana, clearing=True)
    assert source_of(project).host_identity == change.get("host_identity", CLIENT)


def test_who_may_not_choose_the_host_may_still_leave_it(project, mia, ana):
    setting_up.set_blueprint(project, OF_HOST, ana)
    setting_up.set_blueprint(project, ENTERED, mia)
    assert source_of(project).host_identity == ""


def test_a_project_owner_can_not_allot_an_identity_of_the_host(project, mia):
    owner = factories.make_member(project, Role.OWNER)
    for person in (mia, owner):
        with pytest.raises(NeedsRole):
            setting_up.allot(project, Proof.MANAGED_IDENTITY, TENANT, CLIENT, PRINCIPAL, person)
        with pytest.raises(NeedsRole):
            setting_up.take_back_allotted(project, person)
    assert not Identity.objects.exclude(client_id="").exists()


def test_an_allotted_identity_is_the_projects_until_it_is_taken_back(project, ana):
    identity = setting_up.allot(project, Proof.TOKEN_FILE, TENANT, CLIENT, PRINCIPAL, ana)
    kept_token(identity)
    assert identity.state == Identity.State.READY
    assert source_of(project).project_proof == Proof.TOKEN_FILE
    assert source_of(project).kind == Source.PORTAL

    setting_up.take_back_allotted(project, ana)
    setting_up.take_back_allotted(project, ana)
    identity.refresh_from_db()
    assert (identity.client_id, source_of(project).project_proof) == ("", "")
    assert not IdentityToken.objects.exists()
    assert events() == ["identity.allotted", "identity.taken_back"]


def test_a_disabled_identity_gets_no_token_until_it_is_enabled(project, mia, ana):
    audiences.enter("api://contoso-hr", ["https://hr.contoso.example"], "", ana)
    shared = roster.shared_by_agents(project)
    tokens.access_token(shared, "api://contoso-hr", [])
    for _ in range(2):
        setting_up.disable(shared, mia)
    shared.refresh_from_db()
    with pytest.raises(tokens.TokenUnavailable, match="identity_disabled"):
        tokens.access_token(shared, "api://contoso-hr", [])
    assert (shared.disabled_by, IdentityToken.objects.count()) == (mia, 0)

    for _ in range(2):
        setting_up.enable(shared, mia)
    shared.refresh_from_db()
    assert tokens.access_token(shared, "api://contoso-hr", [])
    assert events()[-2:] == ["identity.disabled", "identity.enabled"]


def test_failing_is_what_the_newest_attempt_says(shared, mia):
    setting_up.enter_ids(shared, CLIENT, PRINCIPAL, mia)
    token = kept_token(shared)
    token.failure, token.retry_at = "entra_secret_expired", timezone.now() + timedelta(seconds=5)
    token.save()
    assert Identity.objects.get(pk=shared.pk).state == Identity.State.FAILING
