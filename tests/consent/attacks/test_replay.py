"""Replayed, late and downgraded answers: a state works once, for ten minutes, with its own verifier (T17, T18)."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.utils import timezone

from connections.methods.base import Caller
from consent import flow
from consent.models import Block, ConsentRequest, Grant
from portal.audit.models import LogRow
from tests import factories
from tests.consent.attacks.stage import PROVIDER, Stage, arrive, at_the_provider, leave, refused_page
from tests.consent.given import providers_are_told
from tests.fakes.misbehaviour import Held
from tests.fakes.signing_in import query_of

UNKNOWN = "This sign-in is not known here"


def test_an_answer_that_has_connected_is_refused_the_second_time(stage, ben, bens):
    back = at_the_provider(leave(bens, stage.link(ben)))
    cookie = bens.cookies["consent"].value
    arrive(bens, back)
    bens.cookies["consent"] = cookie
    with stage.refuses("consent_answer_unknown", by=ben):
        assert refused_page(arrive(bens, back), UNKNOWN)
    assert Grant.objects.get().generation == 1


@pytest.mark.django_db(transaction=True)
def test_of_twenty_identical_answers_at_once_exactly_one_is_exchanged(stage, ben, bens):
    back = at_the_provider(leave(bens, stage.link(ben)))
    held = Held()
    stage.provider.next(held, at="code")
    cookies = {name: morsel.value for name, morsel in bens.cookies.items()}
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(_answer, cookies, back) for _ in range(20)]
        assert held.reached.wait(10)
        held.release()
        statuses = sorted(answer.result(20) for answer in answers)
    assert statuses == [302] + [400] * 19
    assert len(stage.provider.codes()) == 1
    assert Grant.objects.count() == 1
    refused = LogRow.objects.filter(event="consent.callback_refused", actor_id=ben.id)
    assert refused.count() == 19
    assert set(refused.values_list("reason", flat=True)) <= {"consent_answer_used", "consent_answer_unknown"}


def _answer(cookies: dict[str, str], back: str) -> int:
    browser = Client()
    for name, value in cookies.items():
        browser.cookies[name] = value
    try:
        return arrive(browser, back).status_code
    finally:
        database.close()


@pytest.mark.parametrize("state", ["", "x", "%00", "ä" * 500, "a" * 20_000, "' OR 1=1 --"])
def test_a_made_up_state_finds_nothing(stage, ben, bens, state):
    back = at_the_provider(leave(bens, stage.link(ben)))
    with stage.refuses("consent_answer_unknown", by=ben):
        assert refused_page(arrive(bens, back, state=state), UNKNOWN)


def test_the_stored_digest_is_no_state(stage, ben, bens):
    """Who can read the database can't go on with what stands there."""
    asking = stage.link(ben)
    back = at_the_provider(leave(bens, asking))
    asking.refresh_from_db()
    assert query_of(back)["state"] != asking.state_digest
    with stage.refuses("consent_answer_unknown", by=ben):
        arrive(bens, back, state=asking.state_digest)


def test_an_answer_after_ten_minutes_is_refused(stage, ben, bens):
    back = at_the_provider(leave(bens, stage.link(ben)))
    ConsentRequest.objects.update(flow_ends_at=timezone.now())
    with stage.refuses("consent_flow_ended", by=ben):
        assert refused_page(arrive(bens, back), "This sign-in took too long")


def test_a_flow_lives_no_longer_than_ten_minutes(stage, ben, bens):
    leave(bens, stage.link(ben))
    left = ConsentRequest.objects.get().flow_ends_at - timezone.now()
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)
    assert bens.cookies["consent"]["max-age"] == 600


def test_beginning_again_ends_the_first_flow(stage, ben, bens):
    asking = stage.link(ben)
    first = at_the_provider(leave(bens, asking))
    leave(bens, asking)
    with stage.refuses("consent_answer_unknown", by=ben):
        assert refused_page(arrive(bens, first), UNKNOWN)


def test_renewing_a_link_ends_the_flow_of_the_old_one(stage, ben, bens):
    asking = stage.link(ben)
    back = at_the_provider(leave(bens, asking))
    ConsentRequest.objects.update(expires_at=timezone.now())
    bens.post(f"/consent/{asking.id}", {"decision": "renew"})
    with stage.refuses("consent_flow_ended", by=ben):
        assert refused_page(arrive(bens, back), "This sign-in took too long")


@pytest.mark.parametrize("decision", ["decline", "not_asked"])
def test_who_said_no_in_another_tab_is_not_connected_by_the_answer(stage, ben, bens, decision):
    asking = stage.link(ben)
    back = at_the_provider(leave(bens, asking))
    bens.post(f"/consent/{asking.id}", {"decision": decision})
    with stage.refuses("consent_answer_unknown", by=ben):
        assert arrive(bens, back).status_code == 400


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("meanwhile", ["not_asked", "connection deleted", "role removed", "agent disabled", "ended"])
def test_what_ends_while_the_code_is_exchanged_is_not_stored_and_is_given_back(stage, ben, bens, meanwhile):
    asking = stage.link(ben)
    back = at_the_provider(leave(bens, asking))
    held = Held()
    stage.provider.next(held, at="code")
    cookies = {name: morsel.value for name, morsel in bens.cookies.items()}
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(_answer, cookies, back)
        assert held.reached.wait(10)
        _happens(meanwhile, stage, asking)
        held.release()
        assert answer.result(20) in (400, 403)
    assert not Grant.objects.exists()
    providers_are_told()
    assert stage.provider.living_approvals() == []
    refused = LogRow.objects.filter(event="consent.callback_refused", actor_id=ben.id)
    assert refused.get().reason in ("consent_flow_ended", "role_needed_to_connect", "consent_not_possible")
    assert (meanwhile == "not_asked") == Block.objects.exists()


def _happens(meanwhile: str, stage: Stage, asking: ConsentRequest) -> None:
    if meanwhile == "not_asked":
        flow.not_asked(asking)
    elif meanwhile == "connection deleted":
        stage.connection.delete()
    elif meanwhile == "role removed":
        asking.user.role_assignments.all().delete()
    elif meanwhile == "agent disabled":
        type(stage.agent).objects.update(disabled_at=timezone.now())
    else:
        ConsentRequest.objects.update(state=ConsentRequest.State.ENDED)


def test_what_the_provider_has_given_can_not_be_declined_any_more(stage, ben, bens):
    """A decision that was read before the grant and is written after it changes nothing."""
    asking = stage.link(ben)
    arrive(bens, at_the_provider(leave(bens, asking)))
    assert asking.state == "waiting"
    for say_no in (flow.decline, flow.not_asked):
        with pytest.raises(flow.FlowRefused, match="consent_link_ended"), transaction.atomic():
            say_no(asking)
    assert ConsentRequest.objects.get().state == "granted"
    assert not Block.objects.exists()


# PKCE and codes


def test_a_flow_without_pkce_fails_where_the_provider_requires_it(stage, ben, bens):
    plain = Stage(stage.provider, stage.another(pkce="off"), stage.agent)
    address = leave(bens, plain.link(ben))
    assert "code_challenge" not in address
    with plain.refuses("provider_failed", by=ben, event=PROVIDER, ends_flow=True):
        arrive(bens, httpx.get(address).headers["location"])


@pytest.mark.parametrize("method", ["plain", "", "S512"])
def test_a_challenge_that_is_stripped_or_weakened_on_the_way_fails(stage, ben, bens, method):
    address = leave(bens, stage.link(ben))
    weakened = address.replace("code_challenge_method=S256", f"code_challenge_method={method}")
    if not method:
        weakened = address[: address.index("&code_challenge=")]
    with stage.refuses("provider_failed", by=ben, event=PROVIDER, ends_flow=True):
        arrive(bens, httpx.get(weakened).headers["location"])


def test_each_flow_has_a_verifier_of_its_own_that_is_sealed(stage, ben, bens):
    asking = stage.link(ben)
    challenges = {query_of(leave(bens, asking))["code_challenge"] for _ in range(3)}
    assert len(challenges) == 3
    back = at_the_provider(leave(bens, asking))
    sealed = ConsentRequest.objects.get().verifier
    arrive(bens, back)
    verifier = stage.provider.codes()[0].form["code_verifier"]
    assert len(verifier) == 43
    assert verifier not in sealed
    assert ConsentRequest.objects.get().verifier == ""


def test_the_challenge_of_another_flow_does_not_fit(stage, ben, bens, chloe, chloes):
    """The code of a flow whose challenge was exchanged for another's: the provider refuses it at the token URL."""
    mine, other = leave(bens, stage.link(ben)), leave(chloes, stage.link(chloe))
    swapped = mine.replace(query_of(mine)["code_challenge"], query_of(other)["code_challenge"])
    arrive(bens, at_the_provider(swapped))
    assert len(stage.provider.codes()) == 1
    assert ConsentRequest.objects.get(user=ben).error == "code_refused"
    assert not Grant.objects.exists()
    assert LogRow.objects.filter(event=PROVIDER, reason="code_refused", actor_id=ben.id).exists()


def test_a_code_of_another_client_is_refused_by_the_provider(stage, ben, bens):
    """Code injection across connections: a code is bound to its client."""
    second = Stage(stage.provider, stage.another(), stage.agent)
    foreign = query_of(at_the_provider(leave(bens, second.link(ben))))["code"]
    back = at_the_provider(leave(bens, stage.link(ben)))
    answer = arrive(bens, back, code=foreign)
    assert "refused" in answer.url
    assert not Grant.objects.exists()


@pytest.mark.parametrize(
    "code", ["", "x", "a\r\nX-Injected: 1", "\x00", "c&grant_type=client_credentials", "c" * 20_000]
)
def test_a_hostile_code_reaches_no_header_and_no_other_parameter(stage, ben, bens, code):
    back = at_the_provider(leave(bens, stage.link(ben)))
    assert arrive(bens, back, code=code).status_code == 302
    assert not Grant.objects.exists()
    for call in stage.provider.codes():
        assert call.form["grant_type"] == "authorization_code"
        assert call.received.header("x-injected") == []


def test_the_same_link_is_given_out_while_it_lives(stage, ben):
    """An agent can't flood a person with links, nor end the one that is open."""
    first = stage.link(ben)
    assert {stage.link(ben).id for _ in range(5)} == {first.id}
    assert ConsentRequest.objects.count() == 1


def test_two_agents_never_share_a_link(stage, ben, project):
    other = factories.make_agent(project, "other-agent")
    assert flow.ask(stage.connection, Caller(other, ben)).id != stage.link(ben).id


def test_no_address_of_the_portal_holds_a_code(stage, ben, bens):
    answer = arrive(bens, at_the_provider(leave(bens, stage.link(ben))))
    assert urlsplit(answer.url).query == ""
    assert urlsplit(answer.url).path.endswith("/done")
