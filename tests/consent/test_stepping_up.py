"""An endpoint that answers `insufficient_scope`: asked for once more, marked as new, and never in a loop."""

from datetime import timedelta

import pytest
from django.utils import timezone

from connections.methods import method_of
from connections.methods.base import Caller, ConsentRequired
from consent import fitting, flow, stepping_up
from consent.discovery import challenge
from consent.models import ConsentRequest, Grant
from tests.connections.pages import page, text_of
from tests.consent import making
from tests.consent.given import again

pytestmark = pytest.mark.django_db
VAIN = stepping_up.ASKS_IN_VAIN
State = ConsentRequest.State


def wants(*scopes: str, **parameters: str) -> list[str]:
    listed = {"realm": "fake", "error": "insufficient_scope", "scope": " ".join(scopes), **parameters}
    return ["Bearer " + ", ".join(f'{name}="{value}"' for name, value in listed.items())]


# What the endpoint may make of it


@pytest.fixture
def caller(release_bot, ben) -> Caller:
    return Caller(release_bot, ben)


@pytest.fixture
def grant(review, release_bot, ben) -> Grant:
    return making.make_grant(review, release_bot, ben)


def refused(connection, caller, challenges: list[str]) -> str | ConsentRequest:
    """The code, or the request that was made."""
    try:
        return method_of(connection).refused_for_want(connection, caller, challenges)
    except ConsentRequired as required:
        return ConsentRequest.objects.get(pk=required.consent.id)


def decided(request: ConsentRequest, state: str = State.DECLINED, ago: timedelta = timedelta(0)) -> None:
    ConsentRequest.objects.filter(pk=request.pk).update(state=state, decided_at=timezone.now() - ago)


@pytest.mark.parametrize(
    ("values", "scopes"),
    [
        (wants("admin"), "admin"),
        (['bearer error=insufficient_scope, scope="admin write"'], "admin write"),
        (['Basic realm="x", Bearer realm="y", error="insufficient_scope", scope="admin"'], "admin"),
        (['Bearer realm="y"', *wants("admin")], "admin"),
        (['DPoP error="insufficient_scope", scope="admin"'], None),
        (['Bearer scope="admin", Basic error="insufficient_scope"'], None),
        (['Bearer error="insufficient_scope", Digest scope="admin"'], ""),
        (['Bearer realm="error=insufficient_scope, scope=admin"'], None),
        (['Bearer realm="a\\" , error=\\"insufficient_scope", scope="admin"'], None),
        (['Bearer error="invalid_token", error="insufficient_scope", scope="admin"'], None),
        (['Bearer error="insufficient_scope", scope="a", scope="b"'], ""),
        (['Bearer error="insufficient_scope"'], ""),
        (["Bearer"], None),
        (['=,=,,"\\'], None),
        ([], None),
        (["Bearer " + "a" * 100_000 + ' error="insufficient_scope"'], None),
        (["Basic x"] * 50 + wants("admin"), None),
    ],
    ids=lambda value: str(value)[:60],
)
def test_only_a_bearer_challenge_that_says_so_counts(values, scopes):
    assert challenge.insufficient_scope(values) == scopes


def test_only_names_that_can_be_scopes_are_put_to_anybody(grant, review, caller):
    made = refused(review, caller, wants('ad\\"min', "ok", "x" * 201, "naïve", "<script>"))
    assert made.asked.scopes == ("read:user", "repo", "ok", "<script>")
    assert refused(review, caller, wants("x" * 201)) == ""


def test_of_many_names_only_so_many_count(grant, review, caller):
    made = refused(review, caller, wants(*(f"s{number}" for number in range(500))))
    assert len(made.asked.scopes) == 2 + stepping_up.MOST_NAMED


def test_two_calls_that_want_different_things_share_one_link_that_grows_no_further(grant, review, caller):
    first = refused(review, caller, wants("a"))
    both = refused(review, caller, wants("b"))
    assert both.asked.scopes == ("read:user", "repo", "a", "b")
    for _ in range(3):
        assert refused(review, caller, wants("a")) == refused(review, caller, wants("b")) == both
    first.refresh_from_db()
    assert (first.state, ConsentRequest.objects.filter(state=State.WAITING).count()) == (State.ENDED, 1)
    for number in range(200):
        refused(review, caller, wants(f"n{number}"))
    assert max(len(row.asked.scopes) for row in ConsentRequest.objects.all()) <= stepping_up.MOST_ASKED


def test_who_has_given_it_already_is_not_asked(grant, review, caller):
    assert refused(review, caller, wants("repo")) == VAIN
    assert not ConsentRequest.objects.exists()


def test_who_declines_three_times_is_left_alone_for_a_week(grant, review, caller):
    for _ in range(3):
        decided(refused(review, caller, wants("admin")))
    assert refused(review, caller, wants("admin")) == VAIN
    assert isinstance(refused(review, caller, wants("other")), ConsentRequest)
    ConsentRequest.objects.update(decided_at=timezone.now() - stepping_up.WITHIN)
    assert isinstance(refused(review, caller, wants("admin")), ConsentRequest)
    assert again(grant).state == Grant.State.ACTIVE


def test_an_endpoint_that_invents_names_stops_after_ten_answers(grant, review, caller):
    for number in range(10):
        decided(refused(review, caller, wants(f"n{number}")))
    assert refused(review, caller, wants("n11")) == VAIN


def test_another_refusal_stays_what_it_is(grant, review, caller):
    assert refused(review, caller, ['Bearer realm="x"']) == "" == refused(review, caller, [])


# The link


def test_the_page_says_that_the_endpoint_asks_and_marks_what_is_new(browse, ben, grant, review, caller):
    made = refused(review, caller, wants("admin"))
    answer = browse(ben).get(f"/consent/{made.id}")
    shown = text_of(answer)
    assert "The endpoint asks for more than was allowed" in shown
    assert [(one.name, one.is_new) for one in answer.context["scopes"]] == [
        ("admin", True),
        ("read:user", False),
        ("repo", False),
    ]
    assert "Named by the endpoint, not explained by the administrator" in shown
    assert "What you allowed before stays as it is if you decline." in shown


def test_declining_leaves_what_was_given(grant, review, caller, ben, browse):
    made = refused(review, caller, wants("admin"))
    browse(ben).post(f"/consent/{made.id}", {"decision": "decline"})
    kept = again(grant)
    assert (kept.state, kept.generation, bool(kept.access_token)) == (Grant.State.ACTIVE, grant.generation, True)


def test_a_new_link_and_a_change_of_other_settings_keep_what_was_asked(grant, review, caller, ana):
    made = refused(review, caller, wants("admin"))
    review.settings |= {"deadline_seconds": 20}
    review.save()
    fitting.end_what_no_longer_fits(review, making.METHOD, ana)
    made.refresh_from_db()
    assert made.is_live
    ConsentRequest.objects.update(expires_at=timezone.now())
    assert flow.renew(again_of(made)).asked.scopes == made.asked.scopes
    review.settings |= {"client_id": "another"}
    fitting.end_what_no_longer_fits(review, making.METHOD, ana)
    assert not ConsentRequest.objects.filter(state=State.WAITING).exists()


def again_of(request: ConsentRequest) -> ConsentRequest:
    return ConsentRequest.objects.select_related("connection", "agent", "user").get(pk=request.pk)


def test_the_administrator_sees_what_the_endpoint_wants_and_how_people_answer(
    browse, ana, project, grant, review, caller
):
    decided(refused(review, caller, wants("admin")), State.GRANTED)
    refused(review, caller, wants("<b>wide</b>"))
    for shown in (
        browse(ana).get(page("connection", project, "review-agent")).content.decode(),
        browse(ana).get(page("connection-consents", project, "review-agent")).content.decode(),
    ):
        assert "The endpoint asks for more" in shown and "<code>admin</code>" in shown
        assert "<b>wide</b>" not in shown and "&lt;b&gt;wide&lt;/b&gt;" in shown
    by_name = {one.scope: one for one in stepping_up.lately(review)}
    assert (by_name["admin"].asked, by_name["admin"].allowed, by_name["admin"].declined) == (1, 1, 0)
    review.settings["scopes"] = ["read:user", "repo", "admin", "<b>wide</b>"]
    assert stepping_up.lately(review) == []
