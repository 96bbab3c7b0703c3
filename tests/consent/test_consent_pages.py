"""The link, the way out, the way back: what each person sees, and what nobody can do for another."""

import re
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from connections.methods.base import Caller
from connections.troubleshooting import CATALOGUE
from consent import flow, oauth2
from consent.models import Block, ConsentRequest, Grant
from consent.tasks import mail_due
from portal.audit.models import LogRow
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import text_of
from tests.consent import making
from tests.consent.given import providers_are_told

pytestmark = pytest.mark.django_db
State = ConsentRequest.State


def url_of(asking: ConsentRequest) -> str:
    return f"/consent/{asking.id}"


def decide(client: Client, asking: ConsentRequest, decision: str):
    return client.post(url_of(asking), {"decision": decision})


class TestTheQuestion:
    def test_it_says_who_asks_for_what_and_where_it_goes(self, browse, ben, asking):
        shown = text_of(browse(ben).get(url_of(asking)))
        assert "Allow release-bot to use your account at 127.0.0.1:9?" in shown
        assert "Ben Okafor" in shown and "Registered by Ana Ruiz on" in shown
        assert "review-agent, project contoso-support" in shown
        assert "Continue only if you started it." in shown

    def test_a_scope_is_read_in_words_with_its_name_below_or_by_its_name(self, browse, ben, asking):
        shown = text_of(browse(ben).get(url_of(asking)))
        assert "See your profile<code>read:user</code>" in shown
        assert "repo<span" in shown and "Not explained by the administrator" in shown

    def test_no_script_is_loaded_and_nothing_is_kept_or_told_to_other_sites(self, browse, ben, asking):
        answer = browse(ben).get(url_of(asking))
        assert "<script" not in text_of(answer)
        assert answer["Cache-Control"] == "no-store" and answer["Referrer-Policy"] == "same-origin"
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        assert "form-action 'self'" in answer["Content-Security-Policy"]

    def test_looking_changes_nothing(self, browse, ben, asking):
        before = ConsentRequest.objects.values().get()
        browse(ben).get(url_of(asking))
        browse(ben).head(url_of(asking))
        assert ConsentRequest.objects.values().get() == before

    def test_with_and_without_a_slash(self, browse, ben, asking):
        assert browse(ben).get(f"{url_of(asking)}/").status_code == 200

    def test_whoever_is_not_signed_in_comes_back_after_signing_in(self, asking):
        answer = Client().get(url_of(asking))
        assert answer.url == f"/accounts/login/?next={url_of(asking)}"

    def test_not_you_leads_back_to_the_link_after_signing_out(self, browse, ben, asking):
        client = browse(ben)
        assert f'name="next" value="{url_of(asking)}"' in text_of(client.get(url_of(asking)))
        assert client.post(reverse("account_logout"), {"next": url_of(asking)}).url == url_of(asking)

    def test_hostile_names_and_words_are_text_and_are_cut(self, browse, ben, review, release_bot):
        release_bot.display_name = "<script>alert(1)</script> \u202e" + "x" * 80
        release_bot.save()
        review.settings["scope_words"]["repo"] = '<a href="https://evil.example">click</a>' + "y" * 90
        review.save()
        shown = browse(ben).get(url_of(flow.ask(review, Caller(release_bot, ben)))).content.decode()
        assert "<script" not in shown and '<a href="https://evil' not in shown and "\u202e" not in shown
        [(title, words)] = re.findall(r'<span title="([^"]*y{90})">([^<]*)</span>', shown)
        assert words.endswith("…") and len(title) > len(words)

    def test_begun_from_my_consents_it_speaks_of_no_conversation(self, browse, ben, review, release_bot):
        asking = flow.ask(review, Caller(release_bot, ben), begun_by="person")
        shown = text_of(browse(ben).get(url_of(asking)))
        assert "You started this from My consents." in shown and "conversation with" not in shown

    def test_asked_again_it_says_why(self, browse, ben, review, release_bot):
        asking = flow.ask(review, Caller(release_bot, ben), "refresh_token_ended")
        assert "The provider has ended the access" in text_of(browse(ben).get(url_of(asking)))


class TestAnotherPerson:
    def test_is_refused_and_told_neither_who_nor_which_agent(self, browse, chloe, asking):
        answer = browse(chloe).get(url_of(asking))
        shown = text_of(answer)
        assert answer.status_code == 403 and "This link was made for someone else" in shown
        assert "Chloe Martin" in shown
        assert not any(word in shown for word in ("Ben", "release-bot", "review-agent", "contoso-support"))
        row = LogRow.objects.get(event="consent.wrong_person")
        assert (row.actor_name, row.on_behalf_of_name) == ("Chloe Martin", "Ben Okafor")

    @pytest.mark.parametrize("decision", ["continue", "decline", "not_asked", "renew"])
    def test_decides_nothing(self, browse, chloe, asking, decision):
        assert decide(browse(chloe), asking, decision).status_code == 403
        asking.refresh_from_db()
        assert asking.state == State.WAITING and not asking.state_digest and not Block.objects.exists()

    @pytest.mark.parametrize("page", ["consent-done", "consent-refused"])
    def test_sees_no_ending_either(self, browse, chloe, asking, page):
        assert browse(chloe).get(reverse(page, args=[asking.id])).status_code == 403

    def test_an_unknown_link_reads_alike_for_everybody(self, browse, ben):
        answer = browse(ben).get(f"/consent/{uuid4()}")
        assert answer.status_code == 404 and "There is no such link" in text_of(answer)


class TestLeaving:
    def test_the_answer_is_a_page_that_leads_on_by_markup(self, browse, ben, asking):
        answer = decide(browse(ben), asking, "continue")
        shown, address = text_of(answer), answer.context["address"]
        assert answer.status_code == 200 and address.startswith("http://127.0.0.1:9/authorize?")
        escaped = address.replace("&", "&amp;")
        assert f'<meta http-equiv="refresh" content="1;url={escaped}">' in shown
        assert f'href="{escaped}" rel="noopener noreferrer">Go to 127.0.0.1:9</a>' in shown
        assert "before you enter a password." in shown and "<script" not in shown

    def test_the_browser_is_bound_by_a_cookie_that_no_script_reads(self, browse, ben, asking):
        cookie = decide(browse(ben), asking, "continue").cookies["consent"]
        assert cookie["httponly"] and cookie["samesite"] == "Lax" and cookie["path"] == "/"
        assert cookie["max-age"] == 600
        asking.refresh_from_db()
        assert asking.browser_digest == flow.digest(cookie.value)

    def test_without_the_role_the_page_says_so_and_has_no_continue(self, browse, project, review, release_bot):
        owner = factories.make_member(project, Role.OWNER, Role.CONTRIBUTOR, name="Olga Owner")
        asking = flow.ask(review, Caller(release_bot, owner))
        shown = text_of(browse(owner).get(url_of(asking)))
        assert "at least the Azure AI User role" in shown and "Owner or Contributor alone does not" in shown
        assert 'value="continue"' not in shown and 'value="decline"' in shown
        assert decide(browse(owner), asking, "continue").status_code == 403

    @pytest.mark.parametrize("thing", ["agent", "connection"])
    def test_what_is_disabled_asks_nobody(self, browse, ben, asking, thing):
        disabled = getattr(asking, thing)
        disabled.disabled_at = timezone.now()
        disabled.save()
        assert "Nothing can be allowed at present" in text_of(browse(ben).get(url_of(asking)))
        assert decide(browse(ben), asking, "continue").status_code == 400

    def test_a_form_from_another_site_is_refused(self, ben, asking):
        strict = Client(enforce_csrf_checks=True)
        strict.force_login(ben)
        assert decide(strict, asking, "continue").status_code == 403
        asking.refresh_from_db()
        assert not asking.state_digest


class TestAnswers:
    def test_declining_is_recorded_and_shares_nothing(self, browse, ben, asking):
        shown = text_of(decide_and_follow(browse(ben), asking, "decline"))
        assert "You declined" in shown and "release-bot was told that you don't want this." in shown
        assert LogRow.objects.filter(event="consent.declined").count() == 1 and not Grant.objects.exists()

    def test_not_asked_for_blocks_the_agent_and_names_who_sees_it(self, browse, ben, asking):
        shown = text_of(decide_and_follow(browse(ben), asking, "not_asked"))
        assert "Thank you. release-bot is blocked for you" in shown and "Ana Ruiz sees it" in shown
        assert Block.objects.get().user == ben

    def test_the_owner_gets_mail_where_the_portal_sends_any(self, browse, ben, asking, settings, mailoutbox):
        settings.EMAIL_HOST = "mail.contoso.example"
        shown = text_of(decide_and_follow(browse(ben), asking, "not_asked"))
        assert "Ana Ruiz is told by mail." in shown
        assert not mailoutbox
        assert (mail_due(), mail_due()) == (1, 0)
        [mail] = mailoutbox
        assert mail.to == ["ana.ruiz@contoso.example"] and "release-bot" in mail.body

    def test_a_blocked_agent_gets_no_consent_through_an_older_link(self, browse, ben, asking, project, release_bot):
        other = making.make_connection(project, release_bot, name="other-agent")
        older = flow.ask(other, Caller(release_bot, ben))
        decide(browse(ben), asking, "not_asked")
        assert "The user has blocked the agent" in text_of(browse(ben).get(url_of(older)))
        assert decide(browse(ben), older, "continue").status_code == 400

    @pytest.mark.parametrize("decision", ["", "renew", "grant"])
    def test_another_word_decides_nothing(self, browse, ben, asking, decision):
        decide(browse(ben), asking, decision)
        asking.refresh_from_db()
        assert asking.state in (State.WAITING, State.ENDED) and not Grant.objects.exists()

    def test_an_ended_link_makes_a_new_one_for_the_same_person(self, browse, ben, asking):
        ConsentRequest.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
        client = browse(ben)
        shown = text_of(client.get(url_of(asking)))
        assert "This link has ended" in shown and "Make a new one" in shown
        decide(client, asking, "continue")
        asking.refresh_from_db()
        assert not asking.state_digest
        new = ConsentRequest.objects.get(pk=decide(client, asking, "renew").url.rpartition("/")[2])
        assert new.pk != asking.pk and new.is_live and new.user == ben

    @pytest.mark.parametrize("state", [State.DECLINED, State.NOT_ASKED, State.GRANTED])
    def test_what_was_answered_is_not_answered_again(self, browse, ben, asking, state):
        ConsentRequest.objects.update(state=state)
        for decision in ("continue", "decline", "not_asked", "renew"):
            decide(browse(ben), asking, decision)
        assert [row.state for row in ConsentRequest.objects.all()] == [state]


class TestTheWayBack:
    def test_it_ends_at_an_address_without_the_code(self, browse, ben, connected, release_bot):
        asking, client = flow.ask(connected, Caller(release_bot, ben)), browse(ben)
        answer = making.through_the_provider(client, decide(client, asking, "continue"))
        assert answer.status_code == 302 and answer.url == f"{url_of(asking)}/done"
        assert answer["Referrer-Policy"] == "no-referrer" and answer["Cache-Control"] == "no-store"
        assert answer.cookies["consent"].value == ""
        shown = text_of(client.get(answer.url))
        assert "You connected octo-ben" in shown and "You can go back to your conversation." in shown

    def test_undo_takes_it_back_here_and_there_and_asks_again(self, browse, ben, connected, release_bot, github):
        asking, client = flow.ask(connected, Caller(release_bot, ben)), browse(ben)
        making.through_the_provider(client, decide(client, asking, "continue"), "octo-chloe")
        answer = client.post(f"{url_of(asking)}/undo")
        grant = Grant.objects.get()
        assert grant.state == Grant.State.REVOKED and not grant.access_token and not grant.refresh_token
        providers_are_told()
        assert github.calls("revoke") and not github.living_approvals()
        assert answer.url != url_of(asking)
        shown = text_of(client.get(answer.url))
        assert "octo-chloe is disconnected." in shown and 'value="continue"' in shown
        assert "disconnected since" in text_of(client.get(f"{url_of(asking)}/done"))

    def test_denied_at_the_provider_reads_in_our_words_and_can_be_tried_again(
        self, browse, ben, connected, release_bot
    ):
        asking, client = flow.ask(connected, Caller(release_bot, ben)), browse(ben)
        answer = making.through_the_provider(client, decide(client, asking, "continue"), deny=True)
        assert answer.url == f"{url_of(asking)}/refused"
        shown = text_of(client.get(answer.url))
        assert "You did not allow it at the provider" in shown and f'href="{url_of(asking)}">Try again' in shown
        answer = making.through_the_provider(client, decide(client, asking, "continue"))
        assert answer.url.endswith("/done")

    def test_fewer_scopes_than_asked_are_named(self, browse, ben, connected, release_bot):
        asking, client = flow.ask(connected, Caller(release_bot, ben)), browse(ben)
        answer = making.through_the_provider(client, decide(client, asking, "continue"), scopes={"reviews:read"})
        assert "gave less than was asked: reviews:comment is missing" in text_of(client.get(answer.url))

    def test_without_a_session_the_code_goes_nowhere(self, browse, ben, connected, release_bot, github):
        asking = flow.ask(connected, Caller(release_bot, ben))
        answer = making.through_the_provider(Client(), decide(browse(ben), asking, "continue"))
        assert answer.url == f"/accounts/login/?next={url_of(asking)}" and not github.codes()

    def test_another_browser_of_the_same_person_is_refused(self, browse, ben, connected, release_bot, github):
        asking = flow.ask(connected, Caller(release_bot, ben))
        answer = making.through_the_provider(browse(ben), decide(browse(ben), asking, "continue"))
        assert answer.status_code == 400 and "begun in another browser" in text_of(answer)
        assert not github.codes() and not Grant.objects.exists()

    def test_only_get_is_taken(self, browse, ben, review):
        url = reverse("consent-callback", args=[review.id])
        assert browse(ben).post(url, {"state": "x", "code": "y"}).status_code == 405
        assert browse(ben).head(f"{url}?state=x&code=y").status_code == 405

    def test_an_unknown_answer_is_refused_and_repeats_nothing_of_it(self, browse, ben, review):
        url = reverse("consent-callback", args=[review.id])
        sent = {"state": "nobody", "code": "canary-code", "error": "<b>x", "error_description": "canary-words"}
        answer = browse(ben).get(url, sent)
        assert answer.status_code == 400 and "This sign-in is not known here" in text_of(answer)
        assert "canary" not in text_of(answer).replace(answer.request["QUERY_STRING"], "")
        assert "<script" not in text_of(answer)


def decide_and_follow(client: Client, asking: ConsentRequest, decision: str):
    return client.post(url_of(asking), {"decision": decision}, follow=True)


def test_every_reason_that_the_engine_can_give_is_in_the_catalogue():
    kinds = oauth2.TokenRefused.__subclasses__()
    assert len(kinds) >= 5 and {kind.code for kind in kinds} <= CATALOGUE.keys()
    said = set()
    for module in ("flow", "grants", "method", "fitting"):
        source = Path(import_module(f"consent.{module}").__file__).read_text()
        said |= set(re.findall(r'(?:FlowRefused|NeedsConsent|CredentialUnavailable|_fail)\([^"()]*"(\w+)"', source))
    assert len(said) > 10 and said <= CATALOGUE.keys()
