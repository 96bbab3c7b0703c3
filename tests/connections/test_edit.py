"""Edit connection: what stays, what asks first, and what is cleared (T01)."""

import pytest

from connections import secrets
from connections.methods import method_of
from connections.methods.base import Caller, CredentialUnavailable
from connections.models import Connection
from portal.audit.models import LogRow
from tests import factories
from tests.connections.pages import CANARY, edit_form, key_form, page, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def endpoint(fake_agent):
    return fake_agent()


@pytest.fixture
def saved(browse, ana, project, endpoint):
    """Saved through the form, card and all."""
    browse(ana).post(page("connection-new-a2a", project), key_form(endpoint.url))
    return project.connections.get()


def edit(browse, ana, connection, **changes):
    connection.refresh_from_db()
    return browse(ana).post(
        page("connection-edit", connection.project, connection.name), edit_form(connection, **changes)
    )


def value_of(connection: Connection) -> str:
    found = Connection.objects.get(pk=connection.pk)
    return secrets.opened(found, "credential", found.addresses())[0][1].reveal()


def errors_of(response, field: str) -> str:
    return " ".join(next(bound.errors for bound in response.context["entry"] if bound.html_name == field))


def test_the_page_shows_everything_but_the_value(browse, ana, project, saved):
    shown = text_of(browse(ana).get(page("connection-edit", project, saved.name)))
    assert f'value="{saved.endpoint}"' in shown and 'value="x-api-key"' in shown and CANARY not in shown
    assert "by Ana Ruiz. Leave empty to keep it." in shown and 'name="name"' not in shown
    assert "gh1:" not in shown


def test_an_untouched_secret_keeps_its_value(browse, ana, saved):
    sealed = saved.secrets.get().value
    assert edit(browse, ana, saved, display_name="Ledger").status_code == 302
    assert saved.secrets.get().value == sealed and value_of(saved) == CANARY
    saved.refresh_from_db()
    assert saved.display_name == "Ledger"


def test_only_the_expiry_date_changes_without_the_value(browse, ana, saved):
    edit(browse, ana, saved, credential__0__expires_on="2031-05-01")
    assert str(saved.secrets.get().expires_on) == "2031-05-01" and value_of(saved) == CANARY


def test_replacing_the_only_value_does_not_offer_to_keep_it(browse, ana, saved):
    client, project = browse(ana), saved.project
    assert "Leave empty to keep it" in text_of(client.get(page("connection-edit", project, saved.name)))
    assert "Leave empty to keep it" not in text_of(client.get(page("connection-replace", project, saved.name)))


def test_a_new_value_replaces_the_old(browse, ana, saved):
    edit(browse, ana, saved, credential__0__value="second-value")
    assert value_of(saved) == "second-value"
    row = LogRow.objects.get(event="connection.secret_replaced")
    assert "x-api-key" in row.details and "second-value" not in row.details


def test_a_changed_credential_name_needs_its_value_again(browse, ana, saved):
    answer = edit(browse, ana, saved, credential__0__name="x-other-key")
    assert answer.status_code == 422
    assert "Enter the credential value again: it is stored under its name." in errors_of(answer, "credential-0-value")
    assert value_of(saved) == CANARY


class TestAnotherAddress:
    def test_it_asks_first_and_nothing_is_changed_yet(self, browse, ana, saved, fake_agent):
        before = saved.endpoint
        elsewhere = fake_agent()
        answer = edit(browse, ana, saved, endpoint=elsewhere.url)
        shown = text_of(answer)
        assert "This clears the credential value" in shown and "Change address" in shown and "Keep it" in shown
        assert before in shown and elsewhere.url in shown
        saved.refresh_from_db()
        assert saved.endpoint == before and value_of(saved) == CANARY

    def test_confirmed_it_clears_the_value_and_asks_for_a_new_one(self, browse, ana, project, saved, fake_agent):
        elsewhere = fake_agent()
        answer = edit(browse, ana, saved, endpoint=elsewhere.url, clearing="yes")
        assert answer.url == page("connection-replace", project, saved.name)
        saved.refresh_from_db()
        assert saved.endpoint == elsewhere.url and saved.interfaces[0]["url"] == elsewhere.url
        assert not saved.secrets.get().is_set and saved.secrets.get().name == "x-api-key"
        with pytest.raises(CredentialUnavailable, match="secret_missing"):
            method_of(saved).credential(saved, Caller(agent=None))
        assert LogRow.objects.filter(event="connection.secrets_cleared").count() == 1

    def test_the_question_carries_what_was_typed_and_no_value(self, browse, ana, saved, fake_agent):
        """Sending exactly what the question's page holds makes the change."""
        elsewhere = fake_agent()
        question = edit(browse, ana, saved, endpoint=elsewhere.url, display_name="Moved")
        echo = {name: field.initial for name, field in question.context["echo"].fields.items()}
        assert "credential-0-value" not in echo
        client = browse(ana)
        client.post(page("connection-edit", saved.project, saved.name), echo | {"clearing": "yes", "action": "save"})
        saved.refresh_from_db()
        assert (saved.endpoint, saved.display_name) == (elsewhere.url, "Moved")

    def test_with_a_new_value_in_the_same_form_nothing_is_asked(self, browse, ana, saved, fake_agent):
        elsewhere = fake_agent(required_header=("x-api-key", "for-the-new-one"))
        edit(browse, ana, saved, endpoint=elsewhere.url, credential__0__value="for-the-new-one")
        assert value_of(saved) == "for-the-new-one"
        assert [call.header("x-api-key") for call in elsewhere.calls()] == [["for-the-new-one"]]

    def test_the_old_value_never_reaches_the_new_address(self, browse, ana, project, saved, fake_agent):
        elsewhere = fake_agent()
        edit(browse, ana, saved, endpoint=elsewhere.url)
        edit(browse, ana, saved, endpoint=elsewhere.url, clearing="yes")
        browse(ana).post(page("connection-test", project, saved.name))
        assert elsewhere.received and CANARY not in str([received.headers for received in elsewhere.received])

    def test_one_typed_value_of_two_is_not_enough(self, browse, ana, saved, fake_agent):
        edit(
            browse,
            ana,
            saved,
            **{"credential-1-name": "x-tenant", "credential-1-value": "second", "credential-1-expires_on": ""},
        )
        answer = edit(
            browse,
            ana,
            saved,
            endpoint=fake_agent().url,
            credential__0__value="new",
            **{"credential-1-name": "x-tenant", "credential-1-value": "", "credential-1-expires_on": ""},
        )
        assert answer.status_code == 422
        assert "Enter the value for the new address." in errors_of(answer, "credential-1-value")
        assert value_of(saved) == CANARY

    def test_an_address_changed_in_the_database_makes_the_value_unreadable(self, saved):
        """T01, T33: no form was asked, so the seal must hold."""
        Connection.objects.filter(pk=saved.pk).update(endpoint="https://evil.example/a2a", interfaces=[])
        moved = Connection.objects.get(pk=saved.pk)
        with pytest.raises(CredentialUnavailable, match="secret_unreadable"):
            method_of(moved).credential(moved, Caller(agent=None))

    def test_a_swapped_ciphertext_does_not_open(self, project, saved):
        other = factories.make_connection(
            project, saved.endpoint, credential=("x-api-key", "other"), interfaces=saved.interfaces
        )
        other.secrets.update(value=saved.secrets.get().value)
        with pytest.raises(CredentialUnavailable, match="secret_unreadable"):
            method_of(other).credential(other, Caller(agent=None))


def test_another_method_asks_and_then_destroys_the_value(browse, ana, saved):
    changes = {"auth_method": "unauthenticated", "credential__0__name": None, "credential__0__value": None}
    assert "This clears the credential value" in text_of(edit(browse, ana, saved, **changes))
    assert value_of(saved) == CANARY
    edit(browse, ana, saved, **changes, clearing="yes")
    saved.refresh_from_db()
    assert saved.auth_method == "unauthenticated" and not saved.secrets.exists()


def test_a_removed_credential_is_destroyed(browse, ana, saved):
    second = {"credential-1-name": "x-tenant", "credential-1-value": "second", "credential-1-expires_on": ""}
    edit(browse, ana, saved, **second)
    assert saved.secrets.count() == 2
    edit(browse, ana, saved, **{**second, "credential-1-value": "", "credential-1-remove": "on"})
    assert saved.secrets.get().name == "x-api-key"


def test_somebody_elses_change_meanwhile_is_noticed(browse, ana, saved):
    stale = edit_form(saved, display_name="Mine")
    edit(browse, ana, saved, display_name="Theirs")
    answer = browse(ana).post(page("connection-edit", saved.project, saved.name), stale)
    assert answer.status_code == 422 and "Somebody else changed this connection" in text_of(answer)
    saved.refresh_from_db()
    assert saved.display_name == "Theirs"


def test_an_edit_without_the_moment_of_reading_saves_nothing(browse, ana, saved):
    assert edit(browse, ana, saved, read_at="").status_code == 422
    assert edit(browse, ana, saved, read_at="9999-99-99").status_code == 422


class TestAChangedCard:
    def test_a_test_notices_it_and_moves_nothing(self, browse, ana, project, saved, endpoint):
        before = saved.interfaces
        endpoint.card.description = "Something else now"
        shown = text_of(browse(ana).post(page("connection-test", project, saved.name), follow=True))
        assert "another agent card than the one that was confirmed" in shown
        saved.refresh_from_db()
        assert saved.interfaces == before and saved.card["description"] != "Something else now"

    def test_both_are_shown_and_confirming_takes_it_over(self, browse, ana, project, saved, endpoint):
        endpoint.card.description = "Something else now"
        client, url = browse(ana), page("connection-card", project, saved.name)
        question = client.get(url)
        assert "Something else now" in text_of(question) and "Does what the first word" in text_of(question)
        client.post(url, {"digest": question.context["look"].digest, "read_at": question.context["read_at"]})
        saved.refresh_from_db()
        assert saved.card["description"] == "Something else now" and value_of(saved) == CANARY
        assert LogRow.objects.filter(event="connection.card_confirmed").count() == 1

    def test_other_addresses_in_it_clear_the_value_and_say_so(self, browse, ana, project, saved, endpoint):
        for interface in endpoint.card.supported_interfaces:
            interface.url = f"{endpoint.origin}/moved"
        client, url = browse(ana), page("connection-card", project, saved.name)
        question = client.get(url)
        assert "Confirming it clears the credential value" in text_of(question)
        sent = {"digest": question.context["look"].digest, "read_at": question.context["read_at"]}
        client.post(url, sent)
        assert value_of(saved) == CANARY
        client.post(url, sent | {"clearing": "yes"})
        saved.refresh_from_db()
        assert saved.interfaces[0]["url"] == f"{endpoint.origin}/moved" and not saved.secrets.get().is_set

    def test_a_card_that_changed_again_is_not_taken_over(self, browse, ana, project, saved, endpoint):
        client, url = browse(ana), page("connection-card", project, saved.name)
        endpoint.card.description = "First"
        question = client.get(url)
        endpoint.card.description = "Second"
        answer = client.post(url, {"digest": question.context["look"].digest, "read_at": question.context["read_at"]})
        assert "The card changed again" in text_of(answer)
        saved.refresh_from_db()
        assert saved.card["description"] not in ("First", "Second")
