"""Clickjacking, forged requests and what a browser keeps: the pages themselves (T28)."""

import re

import pytest
from django.test import Client

from consent.models import Block, ConsentRequest, Grant
from tests.consent import making
from tests.consent.attacks.stage import STORED, Stage, arrive, at_the_provider, leave


@pytest.fixture
def visited(stage, project, ben, bens, browse, ana) -> dict:
    """One answer of each page of a consent, by what it is."""
    asking = stage.link(ben)
    seen = {"question": bens.get(f"/consent/{asking.id}"), "with a slash": bens.get(f"/consent/{asking.id}/")}
    seen["leaving"] = bens.post(f"/consent/{asking.id}", {"decision": "continue"})
    back = at_the_provider(seen["leaving"].context["address"])
    seen["unknown answer"] = arrive(bens, back, state="x")
    seen["answer"] = arrive(bens, back)
    seen["done"] = bens.get(seen["answer"].url)
    grant = Grant.objects.get()
    seen["mine"] = bens.get("/consents/")
    seen["disconnect"] = bens.get(f"/consents/{grant.id}/disconnect")
    seen["foreign"] = browse(ana).get(f"/consent/{asking.id}")
    seen["unknown"] = bens.get("/consent/00000000-0000-4000-8000-000000000000")
    seen["undo"] = bens.post(f"/consent/{asking.id}/undo")
    seen["not connected any more"] = bens.get(f"/consent/{asking.id}/done")
    seen |= _ended(stage, bens, ben)
    seen["signed out"] = arrive(Client(), back)
    return seen


def _ended(stage: Stage, bens: Client, ben) -> dict:
    asking = ConsentRequest.objects.get(state="waiting")
    back = at_the_provider(leave(bens, asking), deny=True)
    seen = {"refused answer": arrive(bens, back), "refused": bens.get(f"/consent/{asking.id}/refused")}
    bens.post(f"/consent/{asking.id}", {"decision": "decline"})
    seen["declined"] = bens.get(f"/consent/{asking.id}")
    again = stage.link(ben)
    seen["not asked"] = bens.post(f"/consent/{again.id}", {"decision": "not_asked"}, follow=True)
    ConsentRequest.objects.filter(pk=again.pk).update(state="ended")
    seen["ended"] = bens.get(f"/consent/{again.id}")
    return seen


def test_no_page_is_framed_kept_told_or_scripted(visited):
    assert {visited[name].status_code for name in ("question", "leaving", "done", "refused", "ended")} == {200}
    for name, answer in visited.items():
        assert answer["X-Frame-Options"] == "DENY", name
        policy = answer["Content-Security-Policy"]
        for directive in ("frame-ancestors 'none'", "form-action 'self'", "base-uri 'none'", "script-src 'self'"):
            assert directive in policy, name
        assert "unsafe" not in policy, name
        assert "no-store" in answer["Cache-Control"], name
        assert answer["Referrer-Policy"] in ("no-referrer", "same-origin"), name
        assert answer["X-Content-Type-Options"] == "nosniff", name
        assert answer["Cross-Origin-Opener-Policy"] == "same-origin", name
        text = answer.content.decode()
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<iframe|<object|<embed|<base", text), name
        if name not in ("mine", "disconnect"):
            assert "<script" not in text, name


def test_an_answers_address_is_told_to_no_other_site(visited):
    """It holds the code until we have gone on from it."""
    for name in ("answer", "unknown answer", "refused answer", "signed out"):
        assert visited[name]["Referrer-Policy"] == "no-referrer"


def test_the_browsers_mark_is_out_of_reach_for_scripts_and_other_sites(stage, ben, bens):
    leave(bens, stage.link(ben))
    cookie = bens.cookies["consent"]
    assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/"
    assert cookie["domain"] == ""
    assert cookie.value not in str(ConsentRequest.objects.values().get())


def test_the_mark_is_gone_after_the_answer(stage, ben, bens):
    arrive(bens, at_the_provider(leave(bens, stage.link(ben))))
    assert bens.cookies["consent"].value == ""


@pytest.mark.parametrize("method", ["get", "head"])
def test_looking_changes_nothing(stage, ben, bens, method):
    asking = stage.link(ben)
    arrive(bens, at_the_provider(leave(bens, asking)))
    grant = Grant.objects.get()
    before = [list(model.objects.order_by("id").values()) for model in STORED]
    paths = [f"/consent/{asking.id}{rest}" for rest in ("", "/", "/done", "/refused", "?decision=decline")]
    paths += ["/consents/", f"/consents/{grant.id}/disconnect", f"/consent/callback/{stage.connection.id}"]
    for path in paths:
        assert getattr(bens, method)(path).status_code in (200, 302, 400, 405), path
    assert [list(model.objects.order_by("id").values()) for model in STORED] == before


def test_what_changes_something_is_not_there_for_looking(stage, ben, bens):
    asking = stage.link(ben)
    block = Block.objects.create(agent=stage.agent, user=ben)
    only_post = [
        f"/consent/{asking.id}/undo",
        f"/consents/blocks/{block.id}/unblock",
        f"/consents/connect/{stage.connection.id}/{stage.agent.id}",
    ]
    for path in only_post:
        assert bens.get(path).status_code == 405
    assert Block.objects.exists()


@pytest.mark.parametrize("decision", ["continue", "decline", "not_asked", "renew"])
def test_a_forged_answer_without_the_token_is_refused(stage, ben, decision):
    asking, before = stage.link(ben), ConsentRequest.objects.values().get()
    victim = Client(enforce_csrf_checks=True)
    victim.force_login(ben)
    assert victim.post(f"/consent/{asking.id}", {"decision": decision}).status_code == 403
    assert ConsentRequest.objects.values().get() == before
    assert not Block.objects.exists()


def test_no_other_act_goes_without_the_token(stage, ben):
    asking = stage.link(ben)
    block = Block.objects.create(agent=stage.agent, user=ben)
    grant = making.make_grant(stage.connection, stage.agent, ben)
    before = Grant.objects.values().get()
    victim = Client(enforce_csrf_checks=True)
    victim.force_login(ben)
    paths = [
        f"/consent/{asking.id}/undo",
        f"/consents/{grant.id}/disconnect",
        f"/consents/blocks/{block.id}/unblock",
        f"/consents/connect/{stage.connection.id}/{stage.agent.id}",
    ]
    for path in paths:
        assert victim.post(path).status_code == 403, path
    assert Grant.objects.values().get() == before and Block.objects.exists()


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "http://localhost:9999"])
def test_a_right_token_from_another_site_is_refused(stage, ben, origin):
    victim = Client(enforce_csrf_checks=True)
    victim.force_login(ben)
    asking = stage.link(ben)
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', victim.get(f"/consent/{asking.id}").content.decode())[1]
    form = {"decision": "not_asked", "csrfmiddlewaretoken": token}
    assert victim.post(f"/consent/{asking.id}", form, HTTP_ORIGIN=origin).status_code == 403
    assert not Block.objects.exists()
    # The same form from our own page.
    assert victim.post(f"/consent/{asking.id}", form, HTTP_ORIGIN="http://testserver").status_code == 302
    assert Block.objects.exists()


@pytest.mark.parametrize("checks", [True, False])
@pytest.mark.parametrize("method", ["post", "put", "delete", "patch"])
def test_an_answer_is_taken_from_the_address_only(stage, ben, method, checks):
    """`form_post` is sent across sites, without cookies: it could be tied to nobody."""
    browser = Client(enforce_csrf_checks=checks)
    browser.force_login(ben)
    back = at_the_provider(leave_with_token(browser, stage.link(ben)))
    before = ConsentRequest.objects.values().get()
    path, _, query = back.removeprefix("http://localhost:8000").partition("?")
    answer = getattr(browser, method)(path, query, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 405
    assert ConsentRequest.objects.values().get() == before
    assert stage.token_requests == 0


def leave_with_token(browser: Client, asking: ConsentRequest) -> str:
    page = browser.get(f"/consent/{asking.id}").content.decode()
    token = re.search(r'csrfmiddlewaretoken" value="(\w+)"', page)[1]
    answer = browser.post(f"/consent/{asking.id}", {"decision": "continue", "csrfmiddlewaretoken": token})
    return answer.context["address"]


def test_a_decision_is_read_from_the_form_alone(stage, ben, bens):
    asking = stage.link(ben)
    assert bens.post(f"/consent/{asking.id}?decision=not_asked").status_code == 302
    assert ConsentRequest.objects.get().state == "waiting"
    assert not Block.objects.exists()


@pytest.mark.parametrize("decision", ["CONTINUE", "granted", "continue\x00", "approve", "1", "renew"])
def test_no_other_word_is_a_decision(stage, ben, bens, decision):
    asking = stage.link(ben)
    before = ConsentRequest.objects.values().get()
    assert bens.post(f"/consent/{asking.id}", {"decision": decision}).status_code == 302
    assert ConsentRequest.objects.values().get() == before
