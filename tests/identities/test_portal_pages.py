"""The portal owner's lists: audiences, what of the host is allotted, the issuer's keys; and what everybody may read."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from portal.audit.models import LogRow
from portal.identities import audiences, roster, setting_up, signing_keys
from portal.identities.models import Audience, Identity, Proof, SigningKey, Source
from portal.projects.roles import Role
from portal.tasks import rotate_signing_key
from tests import factories
from tests.agents.test_pages import text_of
from tests.identities.conftest import CLIENT, PRINCIPAL, TENANT

PORTAL = "/portal/identities/"
NEW = f"{PORTAL}audiences/new/"
HR = {"name": "api://contoso-hr", "description": "The HR service", "origins": "https://hr.contoso.example"}


def event() -> str:
    return LogRow.objects.latest("id").event


def test_an_audience_is_listed_with_its_origins_in_one_spelling(browse, ana):
    client = browse(ana)
    assert "No audience is listed" in text_of(client.get(PORTAL))
    origins = "https://HR.contoso.example/a2a\n\n https://hr.contoso.example:443 \nhttps://pay.contoso.example"
    page = client.post(NEW, HR | {"origins": origins}, follow=True)
    assert Audience.objects.get().origins == ["https://hr.contoso.example", "https://pay.contoso.example"]
    assert "api://contoso-hr The HR service https://hr.contoso.example" in text_of(page)
    assert event() == "audience.listed"


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"origins": "https://*.contoso.example"}, "List each origin by name"),
        ({"origins": "*"}, "List each origin by name"),
        ({"origins": "hr.contoso.example"}, "must begin with https://"),
        ({"origins": "https://hr.contoso.example\nftp://x"}, "ftp://x: The address must begin with https://"),
        ({"origins": "http://hr.contoso.example"}, "Plain http is only accepted"),
        ({"origins": "https://169.254.169.254"}, "belongs to the network or the cloud itself"),
        ({"origins": "https://ana:pw@hr.contoso.example"}, "user name or password"),
        ({"origins": " \n "}, "Enter at least one origin"),
        ({"name": ""}, "Enter the audience"),
        ({"name": "api://contoso-hr/.default"}, "Leave out /.default"),
        ({"name": "api://contoso hr"}, "without spaces"),
        ({"name": "api://*"}, "without spaces or *"),
    ],
)
def test_an_audience_that_can_not_be_listed_says_why_and_keeps_what_was_typed(browse, ana, settings, change, why):
    settings.ALLOWED_OUTBOUND_NETWORKS = []
    answer = browse(ana).post(NEW, HR | change)
    assert answer.status_code == 422
    assert any(part in text_of(answer) for part in why.split("|"))
    assert "The HR service" in answer.content.decode()
    assert not Audience.objects.exists()


def test_every_wrong_origin_is_reported(browse, ana):
    answer = text_of(browse(ana).post(NEW, HR | {"origins": "ftp://x\nhttps://fine.example\nhttps://*.example"}))
    assert "ftp://x: The address must begin with https://" in answer
    assert "https://*.example: An origin with * would let" in answer


def test_an_audience_is_listed_once(browse, ana):
    browse(ana).post(NEW, HR)
    assert "is listed already" in text_of(browse(ana).post(NEW, HR))


def test_an_audience_is_edited_and_removed_with_what_stops(browse, ana, project, acting):
    audience = audiences.enter("api://contoso-hr", ["https://hr.contoso.example"], "", ana)
    factories.make_connection(
        project, "https://hr.contoso.example/a2a", name="hr-agent", auth_method="as-agent", credential=None,
        settings={"audience": audience.name},
    )  # fmt: skip
    client, page = browse(ana), f"{PORTAL}audiences/{audience.id}/"
    assert "1 connection" in text_of(client.get(PORTAL))
    assert "https://hr.contoso.example" in client.get(page).content.decode()
    client.post(page, {"origins": "https://hr.contoso.example\nhttps://pay.contoso.example"})
    taken = {"name": "api://other", "origins": "https://pay.contoso.example", "description": "Pay"}
    question = client.post(page, taken)
    assert "no longer sent to: https://hr.contoso.example The next call gets an error through: hr-agent of" in text_of(
        question
    )
    assert 'name="description" value="Pay"' in question.content.decode()
    audience.refresh_from_db()
    assert len(audience.origins) == 2
    client.post(page, taken | {"confirmed": "yes"})
    audience.refresh_from_db()
    assert (audience.name, audience.origins) == ("api://contoso-hr", ["https://pay.contoso.example"])
    assert event() == "audience.changed"
    assert client.post(page, {"origins": "https://*"}).status_code == 422
    question = text_of(client.get(f"{page}remove/"))
    assert "The next call gets an error through: hr-agent of contoso-support." in question
    client.post(f"{page}remove/")
    assert not Audience.objects.exists()
    assert event() == "audience.removed"


ALLOTTED = {"proof": "managed_identity", "tenant": TENANT, "client_id": CLIENT, "principal_id": PRINCIPAL}


def test_an_identity_of_the_host_is_allotted_changed_and_taken_back(browse, ana, project):
    client, page = browse(ana), f"{PORTAL}managed/contoso-support/"
    assert "contoso-support Identities from: This portal's own issuer None allotted" in text_of(
        client.get(f"{PORTAL}managed/")
    )
    listed = text_of(client.post(page, ALLOTTED, follow=True))
    assert f"{CLIENT} Principal {PRINCIPAL}" in listed and "Managed identity of this host" in listed
    client.post(page, ALLOTTED | {"proof": "token_file", "client_id": PRINCIPAL})
    identity = roster.managed_of(project, Source.ENTRA)
    assert (identity.client_id, roster.source_of(project).project_proof) == (PRINCIPAL, Proof.TOKEN_FILE)
    assert "No connection uses it." in text_of(client.get(f"{page}take-back/"))
    client.post(f"{page}take-back/")
    identity.refresh_from_db()
    assert identity.client_id == ""


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"proof": "client_secret"}, "Select a valid choice"),
        ({"client_id": ""}, "Enter the client ID"),
        ({"principal_id": "me"}, "This is not an ID"),
        ({"tenant": "organizations"}, "stands for no tenant"),
    ],
)
def test_what_can_not_be_allotted_says_why(browse, ana, project, change, why):
    answer = browse(ana).post(f"{PORTAL}managed/contoso-support/", ALLOTTED | change)
    assert answer.status_code == 422
    assert why in text_of(answer)
    assert not Identity.objects.exclude(client_id="").exists()


def test_one_managed_identity_is_allotted_to_one_project(browse, ana, project):
    setting_up.allot(factories.make_project("fabrikam"), Proof.MANAGED_IDENTITY, TENANT, CLIENT, PRINCIPAL, ana)
    answer = browse(ana).post(f"{PORTAL}managed/contoso-support/", ALLOTTED)
    assert "in use on this portal already" in text_of(answer)


def test_the_keys_page_shows_which_signs_and_waits_and_no_private_part(browse, ana):
    page = browse(ana).get(f"{PORTAL}keys/")
    keys = signing_keys.current()
    text = text_of(page)
    assert f"{keys.signing.kid} Just now Just now Signs" in text
    assert f"{keys.waiting.kid} Just now In 59 minutes Waits" in text
    assert "Rotate Can be rotated in 59 minutes" in text
    assert f"{PORTAL}keys/rotate/" not in page.content.decode()
    assert "http://localhost:8000/identities/jwks.json" in text
    assert all(key.private not in page.content.decode() for key in SigningKey.objects.all())


def test_a_key_is_rotated_after_a_question_and_not_too_soon(browse, ana):
    client, before = browse(ana), signing_keys.current()
    assert "No call breaks" in text_of(client.get(f"{PORTAL}keys/rotate/"))
    early = text_of(client.post(f"{PORTAL}keys/rotate/", follow=True))
    assert "The key was not rotated." in early and "Rotate it in 59 minutes." in early
    SigningKey.objects.update(made_at=timezone.now() - timedelta(hours=2))
    assert f"{PORTAL}keys/rotate/" in client.get(f"{PORTAL}keys/").content.decode()
    page = text_of(client.post(f"{PORTAL}keys/rotate/", follow=True))
    assert f"{before.signing.kid} Today" in page and "Still published" in page
    assert signing_keys.current().signing.kid == before.waiting.kid
    assert event() == "signing_key.rotated"


def test_the_sweep_rotates_a_key_when_it_is_old(db, settings):
    assert rotate_signing_key() is False
    first = signing_keys.current()
    assert rotate_signing_key() is False
    old = timezone.now() - timedelta(days=settings.SIGNING_KEY_DAYS + 1)
    SigningKey.objects.update(made_at=old)
    SigningKey.objects.filter(pk=first.signing.pk).update(signs_from=old)
    assert rotate_signing_key() is True
    assert signing_keys.current().signing.pk == first.waiting.pk
    assert LogRow.objects.get(event="signing_key.rotated").actor_kind == "system"
    assert settings.CELERY_BEAT_SCHEDULE["rotate-signing-key"]["task"] == rotate_signing_key.name


PAGES = ["", "audiences/new/", "managed/", "managed/contoso-support/", "keys/", "keys/rotate/"]


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("role", [Role.AI_OWNER, Role.CONTRIBUTOR, Role.READER, Role.AUDITOR])
def test_only_an_owner_of_the_portal_opens_its_lists(browse, project, role, page):
    owner_here = factories.make_member(project, Role.OWNER)
    factories.give(owner_here, role)
    assert browse(owner_here).get(f"{PORTAL}{page}").status_code == 403
    assert browse(owner_here).post(f"{PORTAL}{page}", HR | ALLOTTED).status_code in {403, 405}


def test_the_lists_stand_in_the_pane_of_whoever_may_open_them(browse, ana, ben):
    assert PORTAL in browse(ana).get("/").content.decode()
    assert PORTAL not in browse(ben).get("/").content.decode()


def test_an_endpoint_finds_the_keys_by_the_issuers_address(db):
    client = Client()
    found = client.get("/identities/.well-known/openid-configuration")
    assert found.json()["issuer"] == "http://localhost:8000/identities"
    assert found.json()["jwks_uri"] == "http://localhost:8000/identities/jwks.json"
    keys = client.get("/identities/jwks.json")
    assert [key["kid"] for key in keys.json()["keys"]] == [key["kid"] for key in signing_keys.jwks()["keys"]]
    assert all(not {"d", "p", "q", "dp", "dq", "qi"} & set(key) for key in keys.json()["keys"])
    for answer in (found, keys):
        assert answer["Cache-Control"] == "public, max-age=300"
    again = client.get("/identities/jwks.json", headers={"If-None-Match": keys["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.post("/identities/jwks.json").status_code == 405
    assert not client.cookies
