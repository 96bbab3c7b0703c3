"""Hostile words of agents, administrators and providers: shown as text, cut, without links, or not at all (T27)."""

import re
from html.parser import HTMLParser

import pytest

from consent.models import ConsentRequest, Grant
from consent.tasks import mail_due
from portal.audit.models import LogRow
from tests import factories
from tests.consent import making
from tests.consent.attacks.stage import PROVIDER, Stage, arrive, at_the_provider, leave
from tests.fakes.misbehaviour import answers, refuses
from tests.fakes.signing_in import query_of

POLYGLOTS = [
    "<script>window.__xss=1</script>",
    '"><img src=x onerror=window.__xss=1>',
    "'><svg/onload=window.__xss=1>",
    "</title></style></textarea><script>window.__xss=1</script>",
    "javascript:/*--></title></style></textarea></script><svg onload=window.__xss=1>//",
    "{{ request.user.email }}{% now 'Y' %}",
    "<a href=https://evil.example>Continue here</a>",
    "https://evil.example/click",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<form action=https://evil.example><button>Continue</button></form>",
    "&lt;script&gt;&#x3c;script&#x3e;",
    "\u202egnp.exe\u2066\u200b\x1b[2J",
]
ALL = " ".join(POLYGLOTS)


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, answer) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.feed(answer.content.decode())

    def handle_starttag(self, tag: str, attributes: list) -> None:
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def check(answer, *ours: str) -> str:
    """Nothing of the words became a script, a handler or a link; returns what is read. `ours`: links that may be."""
    page = Page(answer)
    for tag, attributes in page.tags:
        assert tag != "script" or attributes.get("src", "").startswith("/static/"), attributes
        assert not [name for name in attributes if name.startswith("on") or name in ("style", "srcdoc")], attributes
        for name in ("href", "src", "action", "formaction"):
            target = attributes.get(name) or ""
            assert target == "" or target.startswith(("/", "#", "?", *ours)), target
        if tag == "meta" and attributes.get("http-equiv"):
            assert ours and attributes["content"].startswith(tuple(f"1;url={address}" for address in ours))
    read = " ".join(page.words)
    assert "\u202e" not in read and "\x1b" not in read
    return read


@pytest.fixture
def hostile(provider, project, ana) -> Stage:
    """Every word that somebody else chooses is an attack."""
    octo = provider()
    agent = factories.make_agent(project, POLYGLOTS[1][:60], display_name=ALL[:100], registered_by=ana)
    connection = making.connection_to(octo, project, agent, name=POLYGLOTS[0][:60])
    scopes = connection.settings["scopes"]
    connection.settings["scope_words"] = dict(zip(scopes, [ALL * 20, POLYGLOTS[6]], strict=True))
    connection.save()
    type(ana).objects.filter(pk=ana.pk).update(name=POLYGLOTS[2])
    type(project).objects.filter(pk=project.pk).update(display_name=POLYGLOTS[3])
    return Stage(octo, connection, agent)


def test_every_page_on_the_way_shows_hostile_words_as_words(hostile, ben, bens):
    asking = hostile.link(ben)
    read = check(bens.get(f"/consent/{asking.id}"))
    assert POLYGLOTS[1] in read
    leaving = bens.post(f"/consent/{asking.id}", {"decision": "continue"})
    assert POLYGLOTS[1] in check(leaving, hostile.provider.at.authorize)
    back = at_the_provider(leaving.context["address"])
    check(bens.get(arrive(bens, back).url))
    mine = check(bens.get("/consents/"), "mailto:ana")
    assert POLYGLOTS[6] in mine
    check(bens.get(f"/consents/{Grant.objects.get().id}/disconnect"))
    check(bens.post(f"/consents/{Grant.objects.get().id}/disconnect", follow=True), "mailto:ana")


@pytest.mark.parametrize("decision", ["decline", "not_asked"])
def test_the_ends_show_hostile_words_as_words(hostile, ben, bens, decision):
    asking = hostile.link(ben)
    assert POLYGLOTS[1] in check(bens.post(f"/consent/{asking.id}", {"decision": decision}, follow=True))
    check(bens.get("/consents/"), "mailto:ana")


def test_the_administrator_reads_hostile_words_as_words(hostile, ben, bens, ana, browse, project):
    arrive(bens, at_the_provider(leave(bens, hostile.link(ben))))
    Grant.objects.update(account=ALL[:200], scopes_given=POLYGLOTS[:3])
    hostile.connection.name = "free-emojis"
    hostile.connection.save()
    for page in ("", "consents/", f"consents/{Grant.objects.get().id}/revoke/"):
        check(browse(ana).get(f"/projects/{project.name}/tools/free-emojis/{page}"), "http://127.0.0.1")


def test_long_words_are_cut_where_people_decide(hostile, ben, bens):
    read = check(bens.get(f"/consent/{hostile.link(ben).id}"))
    assert ALL[:100] not in read
    assert max(map(len, re.split(r"\s{2,}", read))) < 1000


def test_scopes_that_were_not_given_are_told_as_words(hostile, ben, bens):
    back = at_the_provider(leave(bens, hostile.link(ben)), scopes={hostile.connection.settings["scopes"][1]})
    read = check(bens.get(arrive(bens, back).url))
    assert "gave less than was asked" in read
    assert "Not given" in check(bens.get("/consents/"), "mailto:ana")


def test_a_scope_is_never_explained_by_a_link(hostile, ben, bens):
    page = Page(bens.get(f"/consent/{hostile.link(ben).id}"))
    links = {attributes.get("href") for tag, attributes in page.tags if tag == "a"}
    assert links == {"/consents/"}


@pytest.mark.parametrize("words", [*POLYGLOTS, "x" * 5000])
def test_what_a_provider_says_of_its_error_is_neither_shown_nor_logged(stage, ben, bens, words):
    asking = stage.link(ben)
    back = at_the_provider(leave(bens, asking), deny=True)
    with stage.refuses("provider_failed", by=ben, event=PROVIDER, ends_flow=True):
        answer = arrive(bens, back, error=words, error_description=words, error_uri=words)
    shown = bens.get(answer.url).content.decode()
    row = str(LogRow.objects.filter(event=PROVIDER).values().get())
    for text in (shown, row, str(ConsentRequest.objects.values().get())):
        assert words not in text and "__xss" not in text and "evil.example" not in text


def test_what_the_token_endpoint_says_is_neither_shown_nor_logged(stage, ben, bens):
    back = at_the_provider(leave(bens, stage.link(ben)))
    stage.provider.next(refuses("invalid_grant", error_description=ALL, error_uri="https://evil.example"), at="code")
    shown = bens.get(arrive(bens, back).url).content.decode()
    assert "The provider did not accept its own answer" in shown
    assert "__xss" not in shown and "evil.example" not in shown
    assert "__xss" not in str(LogRow.objects.filter(event=PROVIDER).values().get())


@pytest.mark.parametrize("name", [*POLYGLOTS, "x" * 5000])
def test_an_account_name_is_text_and_short(stage, ben, bens, name):
    stage.provider.next(answers({"sub": "1", "preferred_username": name}), at="userinfo")
    done = bens.get(arrive(bens, at_the_provider(leave(bens, stage.link(ben)))).url)
    read = check(done)
    assert "You connected" in read
    assert len(Grant.objects.get().account) <= 200
    assert "x" * 100 not in read
    check(bens.get("/consents/"), "mailto:")


@pytest.mark.parametrize("name", [None, 1, True, ["x"], {"a": 1}, "", "a\nb", "\x00"])
def test_an_odd_account_name_is_left_out(stage, ben, bens, name):
    stage.provider.next(answers({"preferred_username": name}), at="userinfo")
    arrive(bens, at_the_provider(leave(bens, stage.link(ben))))
    assert Grant.objects.get().account == ""


def test_the_leaving_page_leads_to_the_provider_and_nowhere_else(stage, ben, bens):
    """Also where an address holds what a meta refresh could read in another way."""
    stage.connection.settings["authorization_url"] += "?a=1;url=https://evil.example&b='%22>&c=\"x"
    stage.connection.save()
    answer = bens.post(f"/consent/{stage.link(ben).id}", {"decision": "continue"})
    page = Page(answer)
    [refresh] = [attributes["content"] for tag, attributes in page.tags if attributes.get("http-equiv") == "refresh"]
    [link] = [attributes for tag, attributes in page.tags if attributes.get("rel") == "noopener noreferrer"]
    assert refresh == f"1;url={answer.context['address']}"
    assert link["href"] == answer.context["address"]
    assert link["href"].startswith(stage.provider.at.authorize)
    assert query_of(link["href"])["a"] == "1;url=https://evil.example"


def test_the_mail_about_an_unasked_consent_holds_one_line_for_a_subject(hostile, ben, bens, settings, mailoutbox):
    settings.EMAIL_HOST = "mail.example"
    type(hostile.agent).objects.filter(pk=hostile.agent.pk).update(name="x\r\nBcc: all@evil.example")
    bens.post(f"/consent/{hostile.link(ben).id}", {"decision": "not_asked"})
    assert mail_due() == 1
    [mail] = mailoutbox
    assert "\n" not in mail.subject and mail.recipients() == ["ana.ruiz@contoso.example"]
