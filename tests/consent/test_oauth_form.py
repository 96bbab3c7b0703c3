"""The connect and edit forms of OAuth identity passthrough: first save, redirect URL, and what an edit costs (T01)."""

import pytest

from connections import keeping, secrets
from connections.methods import method_of
from connections.methods.base import Caller, ConsentRequired, CredentialUnavailable
from connections.models import Connection
from consent import fitting, grants
from consent.models import ConsentRequest, Grant
from consent.terms import redirect_uri
from portal.audit.models import LogRow
from tests.connections.pages import page, text_of
from tests.consent import making

pytestmark = pytest.mark.django_db
QUESTION = "sets 1 consent to “needs consent again”"


def form(url: str, **changes) -> dict[str, str]:
    fields = {
        "action": "connect",
        "name": "review-agent",
        "endpoint": url,
        "card_path": "",
        "auth_method": making.METHOD,
        "settings-client_id": "gatehouse-1",
        "settings-authorization_url": f"{making.NOWHERE}/authorize",
        "settings-token_url": f"{making.NOWHERE}/token",
        "settings-scopes": "read:user  repo repo",
        "settings-scope_words": "repo = Read and write = all\nread:user = See your profile",
        "client_secret-0-value": "",
        "client_secret-0-expires_on": "",
    }
    fields.update({key.replace("__", "-"): value for key, value in changes.items()})
    return fields


def edit(client, connection: Connection, **changes):
    """What the edit page sends, with these changes."""
    connection.refresh_from_db()
    untouched = form(connection.endpoint, action="save") | {
        f"settings-{name}": " ".join(value) if isinstance(value, list) else value
        for name, value in connection.settings.items()
        if isinstance(value, str | list)
    }
    untouched |= {"read_at": connection.changed_at.isoformat()}
    changed = {key.replace("__", "-"): value for key, value in changes.items()}
    return client.post(page("connection-edit", connection.project, connection.name), untouched | changed)


class TestConnect:
    @pytest.fixture
    def address(self, project) -> str:
        return page("connection-new-a2a", project)

    def test_the_form_groups_its_fields_and_says_who_can_connect(self, browse, ana, address):
        shown = text_of(browse(ana).get(f"{address}?auth_method={making.METHOD}"))
        assert "You get it right after Connect." in shown and "More settings" in shown
        assert "People need at least the <strong>Azure AI User</strong> role" in shown
        order = ["Client ID", "Client secret", "Authorization URL", "Token URL", "Refresh URL", "PKCE", "More settings"]
        places = [shown.index(f">{label}") for label in order]
        assert places == sorted(places) and shown.index(">Issuer") > places[-1]
        assert '<details class="more" open>' not in shown

    def test_the_first_save_gives_the_redirect_url_and_waits_for_the_secret(
        self, browse, ana, project, address, fake_agent
    ):
        answer = browse(ana).post(address, form(fake_agent().url), follow=True)
        connection, shown = project.connections.get(), text_of(answer)
        assert answer.redirect_chain[-1][0] == page("connection-edit", project, "review-agent")
        assert redirect_uri(connection.id) in shown and "Not finished" in shown
        assert "review-agent is saved. Add the redirect URL to your app registration" in shown
        assert connection.settings["scopes"] == ["read:user", "repo"]
        assert connection.settings["scope_words"] == {"repo": "Read and write = all", "read:user": "See your profile"}

    def test_with_the_secret_it_is_finished_sealed_and_never_shown_again(
        self, browse, ana, project, address, fake_agent
    ):
        client = browse(ana)
        sent = form(fake_agent().url, client_secret__0__value=making.CLIENT_SECRET)
        shown = text_of(client.post(address, sent, follow=True))
        connection = project.connections.get()
        assert "Not finished" not in shown and "can't be tested without an agent" in shown
        assert redirect_uri(connection.id) in shown
        assert (
            f"<code>{making.NOWHERE}/token</code>" in shown and f"<code>{connection.endpoint}</code><br>" not in shown
        )
        assert making.CLIENT_SECRET not in shown + text_of(client.get(page("connection-edit", project, "review-agent")))
        addresses = method_of(connection).addresses(connection, "client_secret")
        assert addresses == (f"{making.NOWHERE}/token", f"{making.NOWHERE}/token")
        assert secrets.opened(connection, "client_secret", addresses)[0][1].reveal() == making.CLIENT_SECRET

    def test_without_a_client_id_it_is_not_finished(self, browse, ana, address, fake_agent):
        """Many providers give it only for a redirect URL, which is there from the first save on."""
        sent = form(fake_agent().url, settings__client_id="", settings__client_auth="none")
        assert "Not finished" in text_of(browse(ana).post(address, sent, follow=True))

    def test_a_public_client_needs_no_secret(self, browse, ana, project, address, fake_agent):
        answer = browse(ana).post(address, form(fake_agent().url, settings__client_auth="none"), follow=True)
        assert "Not finished" not in text_of(answer)

    def test_reading_the_card_first_needs_none_of_it(self, browse, ana, address, fake_agent):
        sent = form(fake_agent().url, action="read-card", settings__token_url="", settings__client_id="")
        answer = browse(ana).post(address, sent | {"client_secret-0-value": making.CLIENT_SECRET})
        assert answer.status_code == 200 and "Fake agent" in text_of(answer)
        assert making.CLIENT_SECRET not in text_of(answer)

    @pytest.mark.parametrize(
        ("field", "value", "sentence"),
        [
            ("token_url", "", "Enter the token URL."),
            ("authorization_url", "javascript:alert(1)", "must begin with https://"),
            ("authorization_url", "//evil.example/authorize", "must begin with https://"),
            ("token_url", "https://user:pass@idp.example/token", ""),
            ("token_url", "http://idp.example/token", ""),
            ("revocation_url", "https://10.0.0.1/revoke", "private network"),
            ("extra", "state = mine", "belongs to the flow itself"),
            ("extra", "REDIRECT_URI = https://evil.example", "belongs to the flow itself"),
            ("extra", "prompt", "Write one name = value on each line."),
            ("scopes", 'a "quoted"', "A scope has no quotation marks"),
            ("pkce", "plain", ""),
        ],
    )
    def test_what_can_not_be_used_is_refused_at_its_field(self, browse, ana, project, address, field, value, sentence):
        answer = browse(ana).post(address, form(f"{making.NOWHERE}/a2a", **{f"settings__{field}": value}))
        assert answer.status_code == 422 and not project.connections.exists()
        errors = " ".join(answer.context["entry"].settings.errors[field])
        assert errors and sentence in errors
        assert 'value="gatehouse-1"' in text_of(answer)

    def test_what_is_wrong_under_more_settings_is_seen(self, browse, ana, address):
        shown = text_of(browse(ana).post(address, form(f"{making.NOWHERE}/a2a", settings__issuer="idp")))
        assert '<details class="more" open>' in shown and "An issuer is an address" in shown


class TestKeepAlive:
    def test_days_are_kept_as_a_number_and_none_is_left_out(self, browse, ana, project, review):
        edit(browse(ana), review, settings__keep_alive_days="30")
        review.refresh_from_db()
        assert review.settings["keep_alive_days"] == 30
        edit(browse(ana), review, settings__keep_alive_days="")
        review.refresh_from_db()
        assert review.settings["keep_alive_days"] is None

    def test_it_costs_no_consent(self, browse, ana, review, release_bot, ben):
        making.make_grant(review, release_bot, ben)
        assert QUESTION not in text_of(edit(browse(ana), review, settings__keep_alive_days="30"))
        assert Grant.objects.get().state == Grant.State.ACTIVE

    def test_no_number_is_refused(self, browse, ana, review):
        assert "greater than or equal to 1" in text_of(edit(browse(ana), review, settings__keep_alive_days="0"))


class TestEdit:
    @pytest.fixture
    def grant(self, review, release_bot, ben) -> Grant:
        return making.make_grant(review, release_bot, ben)

    @pytest.mark.parametrize(
        "change",
        [
            {"settings__scopes": "read:user"},
            {"settings__authorization_url": f"{making.NOWHERE}/other"},
            {"display_name": "Review"},
        ],
    )
    def test_what_moves_no_token_asks_nothing(self, browse, ana, review, grant, change):
        assert edit(browse(ana), review, **change).status_code == 302
        grant.refresh_from_db()
        assert grant.state == Grant.State.ACTIVE and review.secrets.get().is_set

    @pytest.mark.parametrize("field", ["token_url", "refresh_url", "revocation_url"])
    def test_an_address_of_tokens_asks_first_then_clears_secret_and_consents(self, browse, ana, review, grant, field):
        client, change = browse(ana), {f"settings__{field}": f"{making.NOWHERE}/moved"}
        shown = text_of(edit(client, review, **change))
        assert f"This clears the client secret and {QUESTION}" in shown
        assert "Change address" in shown and "Keep it" in shown
        grant.refresh_from_db()
        assert grant.state == Grant.State.ACTIVE and review.secrets.get().is_set
        answer = edit(client, review, clearing="yes", **change)
        assert answer.url == page("connection-replace", review.project, review.name)
        assert not review.secrets.get().is_set
        self._has_ended(grant)

    def _has_ended(self, grant: Grant) -> None:
        generation = grant.generation
        grant.refresh_from_db()
        assert (grant.state, grant.reason) == (Grant.State.NEEDS_CONSENT, "address_changed")
        assert (grant.access_token, grant.refresh_token, grant.generation) == ("", "", generation + 1)
        row = LogRow.objects.get(event="grant.ended")
        assert (row.actor_name, row.on_behalf_of_id, row.reason) == ("Ana Ruiz", grant.user_id, "address_changed")

    def test_another_endpoint_ends_consents_although_the_secret_stays(self, browse, ana, review, grant, fake_agent):
        client, elsewhere = browse(ana), fake_agent().url
        shown = text_of(edit(client, review, endpoint=elsewhere))
        assert f"This {QUESTION}" in shown and "clears" not in shown and elsewhere in shown
        edit(client, review, endpoint=elsewhere, clearing="yes")
        assert review.secrets.get().is_set
        self._has_ended(grant)

    def test_another_client_id_ends_consents(self, browse, ana, review, grant):
        client = browse(ana)
        assert f"This {QUESTION}" in text_of(edit(client, review, settings__client_id="another"))
        edit(client, review, settings__client_id="another", clearing="yes")
        self._has_ended(grant)

    def test_another_method_ends_consents(self, browse, ana, review, grant):
        client = browse(ana)
        assert QUESTION in text_of(edit(client, review, auth_method="unauthenticated"))
        edit(client, review, auth_method="unauthenticated", clearing="yes")
        review.refresh_from_db()
        assert review.auth_method == "unauthenticated"
        self._has_ended(grant)

    def test_a_value_typed_with_the_change_is_asked_for_again_after_the_question(self, browse, ana, review, grant):
        client, typed = browse(ana), {"client_secret__0__value": "new-canary-value", "settings__client_id": "another"}
        question = edit(client, review, **typed)
        assert "not kept through this question" in text_of(question) and "new-canary" not in text_of(question)
        edit(client, review, settings__client_id="another", clearing="yes", value_again="yes")
        self._has_ended(grant)

    def test_the_next_call_asks_the_user_again_and_says_why(self, browse, ana, review, grant, release_bot, ben):
        edit(browse(ana), review, settings__client_id="another", clearing="yes")
        found = Connection.objects.get(pk=review.pk)
        with pytest.raises(ConsentRequired) as required:
            method_of(found).credential(found, Caller(release_bot, ben))
        asking = ConsentRequest.objects.get(pk=required.value.consent.id)
        assert asking.reason == "address_changed" and asking.asked.client_id == "another"

    def test_an_open_link_that_shows_the_old_terms_has_ended(self, browse, ana, ben, review, asking):
        edit(browse(ana), review, settings__scopes="read:user repo admin", clearing="yes")
        assert "This link has ended" in text_of(browse(ben).get(f"/consent/{asking.id}"))

    def test_revoked_and_foreign_consents_are_not_counted(self, browse, ana, project, review, release_bot, ben, chloe):
        making.make_grant(review, release_bot, ben, state=Grant.State.REVOKED)
        other = making.make_connection(project, release_bot, name="other-agent")
        kept = making.make_grant(other, release_bot, chloe)
        assert edit(browse(ana), review, settings__client_id="another").status_code == 302
        kept.refresh_from_db()
        assert kept.state == Grant.State.ACTIVE

    def test_tokens_and_connection_change_together_or_not_at_all(self, review, grant, ana, monkeypatch):
        """What ends the consents fails: the address has not moved either."""

        def fail(*_):
            raise RuntimeError

        monkeypatch.setattr(fitting, "_log", fail)
        card = {"name": "x"}
        moved = [{"url": f"{making.NOWHERE}/moved", "binding": "JSONRPC", "version": "1.0"}]
        with pytest.raises(RuntimeError):
            keeping.confirm_card(review, card, moved, ana, clearing=True)
        grant.refresh_from_db()
        review.refresh_from_db()
        assert grant.state == Grant.State.ACTIVE and review.interfaces != moved

    def test_a_confirmed_card_with_other_addresses_costs_the_same(self, review, grant, ana):
        moved = [{"url": f"{making.NOWHERE}/moved", "binding": "JSONRPC", "version": "1.0"}]
        with pytest.raises(keeping.WouldClear) as question:
            keeping.confirm_card(review, {"name": "x"}, moved, ana, clearing=False)
        assert question.value.costs == QUESTION and not question.value.lost
        keeping.confirm_card(review, {"name": "x"}, moved, ana, clearing=True)
        self._has_ended(grant)

    def test_deleting_names_the_consents(self, browse, ana, project, review, grant):
        shown = text_of(browse(ana).get(page("connection-delete", project, review.name)))
        assert "1 person's consent is ended at once." in shown

    def test_a_cleared_secret_does_not_stop_an_edit(self, browse, ana, review):
        secrets.clear(review, "client_secret")
        assert edit(browse(ana), review, display_name="Review").status_code == 302


def test_a_grant_given_for_the_old_address_is_never_opened_for_the_new(review, release_bot, ben):
    """The row moves behind the page's back: the engine itself refuses."""
    grant = making.make_grant(review, release_bot, ben)
    Connection.objects.update(interfaces=[{"url": f"{making.NOWHERE}/x", "binding": "JSONRPC", "version": "1.0"}])
    with pytest.raises(grants.NeedsConsent, match="address_changed"):
        grants.fresh_token(Grant.objects.get(pk=grant.pk))


def test_the_portal_itself_speaks_for_nobody(review, release_bot, ben):
    making.make_grant(review, release_bot, ben)
    with pytest.raises(CredentialUnavailable, match="test_needs_agent"):
        method_of(review).credential(review, Caller(agent=None))
