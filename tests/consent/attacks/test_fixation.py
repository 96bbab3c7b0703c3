"""Cross-user session fixation and login CSRF: a link is its user's alone, and its flow one browser's (T14, T15)."""

import pytest
from django.test import Client
from django.utils import timezone

from consent.models import ConsentRequest, Grant
from portal.audit.models import LogRow
from tests.consent.attacks.stage import FOREIGN, LINK, arrive, at_the_provider, leave, refused_page

OTHER = "This link was made for someone else"


def test_without_an_attack_the_user_is_connected(stage, ben, bens):
    back = at_the_provider(leave(bens, stage.link(ben)))
    answer = bens.get(arrive(bens, back).url)
    assert "octo-ben" in answer.content.decode()
    assert Grant.objects.get().user == ben
    assert len(stage.provider.codes()) == 1


def test_a_victim_who_opens_the_attackers_link_sees_no_question(stage, ben, chloe, chloes):
    asking = stage.link(ben)
    with stage.refuses("consent_wrong_person", by=chloe, event=FOREIGN):
        answer = chloes.get(f"/consent/{asking.id}")
        assert answer.status_code == 403
        assert refused_page(answer, OTHER)
    page = answer.content.decode()
    for told in ("Ben", ben.email, stage.agent.name, stage.connection.name):
        assert told not in page


@pytest.mark.parametrize("decision", ["continue", "decline", "not_asked", "renew", ""])
def test_a_victim_can_not_answer_the_attackers_link(stage, ben, chloe, chloes, decision):
    asking = stage.link(ben)
    with stage.refuses("consent_wrong_person", by=chloe, event=FOREIGN):
        assert chloes.post(f"/consent/{asking.id}", {"decision": decision}).status_code == 403


@pytest.mark.parametrize("page", ["done", "refused", "undo"])
def test_nobody_sees_or_undoes_how_anothers_link_ended(stage, ben, bens, chloe, chloes, page):
    asking = stage.link(ben)
    arrive(bens, at_the_provider(leave(bens, asking)))
    with stage.refuses("consent_wrong_person", by=chloe, event=FOREIGN):
        visit = chloes.post if page == "undo" else chloes.get
        assert visit(f"/consent/{asking.id}/{page}").status_code == 403


def test_a_victim_who_is_sent_to_the_provider_from_the_attackers_flow_is_refused_on_the_way_back(
    stage, ben, bens, chloe, chloes
):
    address = leave(bens, stage.link(ben))
    back = at_the_provider(address, "octo-chloe")
    with stage.refuses("consent_wrong_person", by=chloe):
        answer = arrive(chloes, back)
        assert answer.status_code == 403
        assert refused_page(answer, OTHER)
    assert stage.agent.name not in answer.content.decode()


def test_the_attackers_flow_does_not_open_with_the_attackers_cookie_in_the_victims_browser(
    stage, ben, bens, chloe, chloes
):
    """As a neighbouring host could plant it, where the portal runs without its __Host- prefix."""
    back = at_the_provider(leave(bens, stage.link(ben)), "octo-chloe")
    chloes.cookies["consent"] = bens.cookies["consent"].value
    with stage.refuses("consent_wrong_person", by=chloe):
        assert arrive(chloes, back).status_code == 403


def test_the_attackers_code_in_the_victims_own_flow_is_refused_by_the_provider(stage, ben, bens, chloe, chloes):
    """Code injection (T18): the provider compares the code with the verifier of the flow that it was made for."""
    attackers = at_the_provider(leave(bens, stage.link(ben)))
    victims = at_the_provider(leave(chloes, stage.link(chloe)), "octo-chloe")
    code = dict(part.split("=") for part in attackers.partition("?")[2].split("&"))["code"]
    arrive(chloes, victims, code=code)
    assert len(stage.provider.codes()) == 1
    assert not Grant.objects.exists()
    assert ConsentRequest.objects.get(user=chloe).error == "code_refused"
    assert chloes.get(f"/consent/{ConsentRequest.objects.get(user=chloe).id}/refused").status_code == 200


def test_an_attackers_whole_answer_in_a_victims_browser_connects_nobody(stage, ben, bens, chloe, chloes):
    """Login CSRF: the victim has a flow of their own open, and is led to the attacker's callback address."""
    attackers = at_the_provider(leave(bens, stage.link(ben)))
    leave(chloes, stage.link(chloe))
    with stage.refuses("consent_wrong_person", by=chloe):
        assert arrive(chloes, attackers).status_code == 403


def test_a_stranger_with_the_link_learns_nothing_and_changes_nothing(stage, ben, eve, browse):
    asking = stage.link(ben)
    with stage.refuses("consent_wrong_person", by=eve, event=FOREIGN):
        assert browse(eve).get(f"/consent/{asking.id}").status_code == 403


def test_an_administrator_can_not_consent_for_somebody(stage, ana, ben, browse):
    asking = stage.link(ben)
    with stage.refuses("consent_wrong_person", by=ana, event=FOREIGN):
        assert browse(ana).post(f"/consent/{asking.id}", {"decision": "continue"}).status_code == 403


def test_a_link_that_was_opened_before_the_sign_in_belongs_to_its_user_all_the_same(stage, ben, chloe):
    asking, visitor = stage.link(ben), Client()
    answer = visitor.get(f"/consent/{asking.id}")
    assert answer.status_code == 302
    assert answer.url == f"/accounts/login/?next=/consent/{asking.id}"
    visitor.force_login(chloe)
    with stage.refuses("consent_wrong_person", by=chloe, event=FOREIGN):
        assert visitor.get(f"/consent/{asking.id}").status_code == 403


# The browser


def test_an_answer_without_the_browsers_cookie_is_refused(stage, ben, bens):
    back = at_the_provider(leave(bens, stage.link(ben)))
    del bens.cookies["consent"]
    with stage.refuses("consent_other_browser", by=ben):
        assert refused_page(arrive(bens, back), "This sign-in was begun in another browser")


@pytest.mark.parametrize("value", ["", "x", "x" * 43, "ä", "\x00"])
def test_an_answer_with_a_made_up_cookie_is_refused(stage, ben, bens, value):
    back = at_the_provider(leave(bens, stage.link(ben)))
    bens.cookies["consent"] = value
    with stage.refuses("consent_other_browser", by=ben):
        assert arrive(bens, back).status_code == 400


def test_an_answer_with_the_cookie_of_another_flow_is_refused(stage, ben, bens, chloe, chloes):
    back = at_the_provider(leave(bens, stage.link(ben)))
    leave(chloes, stage.link(chloe))
    bens.cookies["consent"] = chloes.cookies["consent"].value
    with stage.refuses("consent_other_browser", by=ben):
        assert arrive(bens, back).status_code == 400


def test_an_answer_in_another_browser_of_the_same_user_is_refused(stage, ben, bens, browse):
    back = at_the_provider(leave(bens, stage.link(ben)))
    with stage.refuses("consent_other_browser", by=ben):
        assert arrive(browse(ben), back).status_code == 400


def test_an_answer_after_signing_out_leads_back_to_the_link_and_leaves_the_code_alone(stage, ben, bens):
    asking = stage.link(ben)
    back = at_the_provider(leave(bens, asking))
    bens.post("/accounts/logout/")
    with stage.refuses("consent_other_browser", by=None):
        answer = arrive(bens, back)
        assert answer.url == f"/accounts/login/?next=/consent/{asking.id}"
    assert "code" not in answer.url
    assert answer["Referrer-Policy"] == "no-referrer"


def test_an_answer_that_nobody_waits_for_is_not_worth_a_row(stage, client):
    """Otherwise anybody on the network could fill the log."""
    answer = client.get(f"/consent/callback/{stage.connection.id}", {"state": "made-up", "code": "x"})
    assert answer.url == "/accounts/login/?next=/consents/"
    assert not LogRow.objects.filter(event__startswith="consent.").exists()


def test_who_signs_in_as_somebody_else_in_the_same_browser_is_refused(stage, ben, bens, chloe):
    back = at_the_provider(leave(bens, stage.link(ben)))
    bens.force_login(chloe)
    with stage.refuses("consent_wrong_person", by=chloe):
        assert arrive(bens, back).status_code == 403


def test_a_person_who_was_deactivated_on_the_way_is_not_connected(stage, ben, bens):
    back = at_the_provider(leave(bens, stage.link(ben)))
    ben.is_active = False
    ben.save()
    with stage.refuses("consent_other_browser", by=None):
        assert arrive(bens, back).status_code == 302


# The link's own end


def test_an_expired_link_can_only_be_renewed_and_by_its_user(stage, ben, bens, chloe, chloes):
    asking = stage.link(ben)
    ConsentRequest.objects.update(expires_at=timezone.now())
    for decision in ("continue", "decline", "not_asked"):
        with stage.refuses("consent_link_ended", by=ben, event=LINK):
            assert bens.post(f"/consent/{asking.id}", {"decision": decision}).status_code == 302
    with stage.refuses("consent_wrong_person", by=chloe, event=FOREIGN):
        chloes.post(f"/consent/{asking.id}", {"decision": "renew"})
    answer = bens.post(f"/consent/{asking.id}", {"decision": "renew"})
    assert answer.url != f"/consent/{asking.id}"
    assert ConsentRequest.objects.get(pk=answer.url.rpartition("/")[2]).user == ben


@pytest.mark.parametrize("first", ["decline", "not_asked", "granted"])
@pytest.mark.parametrize("then", ["continue", "decline", "not_asked"])
def test_a_decided_link_can_not_be_decided_again(stage, ben, bens, first, then):
    asking = stage.link(ben)
    if first == "granted":
        arrive(bens, at_the_provider(leave(bens, asking)))
    else:
        bens.post(f"/consent/{asking.id}", {"decision": first})
    with stage.refuses("consent_link_ended", by=ben, event=LINK):
        assert bens.post(f"/consent/{asking.id}", {"decision": then}).url == f"/consent/{asking.id}"


def test_a_link_that_never_was_says_so(stage, bens):
    answer = bens.get("/consent/00000000-0000-4000-8000-000000000000")
    assert answer.status_code == 404
    assert refused_page(answer, "There is no such link")
