"""Default deny, and one table for everybody: each address answers each person as its view declares (T02, T03, T04)."""

from datetime import timedelta

import pytest
from django.apps import apps
from django.core import serializers
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connections.models import Given
from portal.middleware import ALLAUTH_VIEWS, is_declared
from portal.projects.roles import PERMISSIONS, Permission, Role
from tests import factories, worlds
from tests.worlds import MARK, World, own_routes, routes

# A page, a redirect, "only POST", or a link that is no longer open: all say "you may".
OPEN = {200, 302, 405}
NOT_COMPARED = {"portal.logrow", "portal.logkey", "portal.changecounter", "portal.installation", "sessions.session"}


@pytest.fixture
def here(db) -> World:
    return worlds.make("alpha")


@pytest.fixture
def elsewhere(db) -> World:
    return worlds.make("beta", MARK)


def test_every_view_declares_who_may_open_it():
    undeclared = [route.name for route in own_routes() if not is_declared(route.view, route.name)]
    assert not undeclared
    assert len(own_routes()) > 20


def test_a_view_without_a_declaration_does_not_answer(db, ana, browse, monkeypatch):
    monkeypatch.delattr(_view_named("home"), "declares")
    assert browse(ana).get("/").status_code == 404


def test_allauth_answers_only_where_the_portal_uses_it(db):
    values = {"uidb36": "1", "key": "k", "pk": 1}
    for route in routes():
        if route.view.__module__.startswith("allauth.") and route.name not in ALLAUTH_VIEWS:
            assert Client().get(route.url(values)).status_code == 404, route.name


@pytest.mark.parametrize("name", ["account_signup", "account_email", "account_set_password"])
def test_sign_up_and_a_change_of_address_are_closed_to_everybody(name, ana, browse):
    assert browse(ana).get(reverse(name)).status_code == 404
    assert Client().post(reverse(name), {"email": "x@contoso.example"}).status_code == 404


def test_who_is_not_signed_in_is_led_to_sign_in(here):
    for route in own_routes():
        answers = _both(Client(), route.url(here.addresses_of(route)))
        # Prometheus comes without a session; who else may not is told by tests/test_metrics.py.
        if route.declares in ("public", "prometheus"):
            # 503 is what /readyz says to everybody while nothing of this test is committed.
            assert answers <= OPEN | {503}, route.name
        else:
            assert _denied(answers, 302), route.name


def test_a_stranger_finds_nothing(here, eve, browse):
    client = browse(eve)
    for route in own_routes():
        if isinstance(route.declares, Permission):
            answers = _both(client, route.url(here.addresses_of(route)))
            assert _denied(answers, 403 if route.on_portal else 404), route.name


@pytest.mark.parametrize("on_portal", [False, True], ids=["on the project", "on the portal"])
@pytest.mark.parametrize("role", Role)
def test_a_role_opens_what_it_permits_and_nothing_else(role, on_portal, here, browse):
    client = browse(factories.make_member(None if on_portal else here.project, role))
    for route in own_routes():
        if not isinstance(route.declares, Permission):
            continue
        url = route.url(here.addresses_of(route))
        if route.needs <= PERMISSIONS[role] and (on_portal or not route.on_portal):
            assert client.get(url).status_code in OPEN, route.name
            to_change = getattr(route.view, "to_change", None)
            assert not to_change or to_change in PERMISSIONS[role] or client.post(url).status_code == 403, route.name
        else:
            assert _denied(_both(client, url), 403), route.name


def test_roles_with_an_end_count_until_then_and_not_after(here, browse):
    person = factories.make_member(here.project)
    assignment = factories.give(person, Role.OWNER, here.project, until=timezone.now() + timedelta(hours=1))
    client, url = browse(person), reverse("access-control", args=[here.project.name])
    assert client.get(url).status_code == 200
    assignment.until = timezone.now()
    assignment.save()
    assert client.get(url).status_code == 404


def test_a_removed_role_is_gone_at_the_next_request(here, browse):
    client = browse(here.person)
    url = reverse("project-settings", args=[here.project.name])
    assert client.get(url).status_code == 200
    here.assignment.delete()
    assert client.get(url).status_code == 404


def test_a_deactivated_person_is_nobody_at_the_next_request(here, browse):
    client = browse(here.person)
    type(here.person).objects.filter(pk=here.person.pk).update(is_active=False)
    answer = client.get(reverse("project-settings", args=[here.project.name]))
    assert (answer.status_code, answer["Location"][:16]) == (302, "/accounts/login/")


def _both(client: Client, url: str) -> set[int]:
    answers = client.get(url), client.post(url)
    signing_in = [a["Location"].startswith("/accounts/login/") for a in answers if a.status_code == 302]
    return {answer.status_code for answer in answers} | ({200} if signing_in and not all(signing_in) else set())


def _denied(answers: set[int], status: int) -> bool:
    """Exactly this status; a view that takes only GET or only POST says so to everybody alike."""
    return status in answers and answers <= {status, 405}


def _foreign_addresses(here: World, elsewhere: World):
    """Each route of a project with the other project's name, and with each other parameter from over there."""
    mine, theirs = here.named_in_addresses(), elsewhere.named_in_addresses()
    for route in own_routes():
        if not isinstance(route.declares, Permission) or route.on_portal:
            continue
        for parameter in route.parameters:
            yield route, parameter, route.url(mine | {parameter: theirs[parameter]})
        yield route, "everything", route.url(theirs)


def test_no_name_or_id_of_another_project_answers(here, elsewhere, browse):
    client = browse(_everything_on(here))
    before = _rows()
    for route, parameter, url in _foreign_addresses(here, elsewhere):
        for method in (client.get, client.post):
            answer = method(url, elsewhere.in_queries())
            assert answer.status_code in {404, 405}, (route.name, parameter)
            assert MARK not in answer.content.decode(errors="replace"), (route.name, parameter)
    assert _rows() == before


def test_no_id_of_another_project_in_a_query_shows_anything(here, elsewhere, browse):
    client = browse(_everything_on(here))
    foreign = {k: v for k, v in elsewhere.in_queries().items() if MARK not in v}
    for route in own_routes():
        answer = client.get(route.url(here.addresses_of(route)), foreign)
        assert MARK not in _text(answer), route.name


def test_no_id_of_another_project_in_a_body_reaches_anything(elsewhere, browse):
    before = _rows_of(elsewhere)
    for number, route in enumerate(own_routes()):
        # Each in a project of its own: many of these posts do something lawful to it.
        here = worlds.make(f"alpha-{number}")
        answer = browse(_everything_on(here)).post(route.url(here.addresses_of(route)), elsewhere.in_queries())
        assert MARK not in _text(answer), route.name
        assert _rows_of(elsewhere) == before, route.name
        assert not Given.objects.exclude(connection__project=F("agent__project")).exists(), route.name


def _text(answer) -> str:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode(errors="replace")


def _view_named(name: str):
    return next(route.view for route in own_routes() if route.name == name)


def _everything_on(here: World):
    """Somebody who may do all that can be done in one project, and nothing on the portal."""
    return factories.make_member(here.project, *Role, name="Alma All")


def _rows() -> dict[str, str]:
    models = [m for m in apps.get_models() if m._meta.label_lower not in NOT_COMPARED]
    return {m._meta.label: serializers.serialize("json", m._base_manager.order_by("pk")) for m in models}


def _rows_of(world: World) -> list[str]:
    querysets = (
        type(world.project).objects.filter(pk=world.project.pk),
        type(world.person).objects.filter(pk=world.person.pk),
        world.project.agents.order_by("pk"),
        world.agent.keys.order_by("pk"),
        type(world.connection).objects.filter(project=world.project).order_by("pk"),
        world.project.role_assignments.order_by("pk"),
        world.project.invitations.order_by("pk"),
        world.project.identities.order_by("pk"),
        Given.objects.filter(agent__project=world.project).order_by("pk"),
        Given.objects.filter(connection__project=world.project).order_by("pk"),
    )
    return [serializers.serialize("json", rows) for rows in querysets]
