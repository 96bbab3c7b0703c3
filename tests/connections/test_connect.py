"""Connect a tool: the form, what it says to bad input, and what is saved."""

import pytest
from django.test import override_settings

from connections.models import Connection, Health, Secret
from connections.secrets import opened
from portal.audit.models import LogRow
from portal.projects.roles import Role
from tests import factories
from tests.connections.pages import CANARY, key_form, page, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def form(project):
    return page("connection-new-a2a", project)


def sentence_for(response, field: str) -> list[str]:
    return next(bound.errors for bound in response.context["entry"] if bound.html_name == field)


class TestTheWayThere:
    def test_the_custom_tab_has_the_tile_and_create_leads_to_the_form(self, browse, ana, project):
        shown = text_of(browse(ana).get(page("connection-new", project)))
        assert "Agent2Agent (A2A)" in shown and "Create" in shown and "Catalog" not in shown

    def test_the_form_offers_the_installed_methods_and_says_whether_user_context_persists(self, browse, ana, form):
        shown = text_of(browse(ana).get(form))
        assert shown.count("User context persists: <strong>No</strong>") == 4
        assert shown.count("User context persists: <strong>Yes</strong>") == 2
        assert "Provide an API key or access token to authenticate with the A2A endpoint." in shown
        assert "Use one shared identity for all users" in shown
        assert "Connect to an A2A endpoint that doesn't require auth" in shown

    def test_a_goal_without_an_installed_method_is_not_shown(self, browse, ana, form, settings):
        assert "Preserve each user" in text_of(browse(ana).get(form))
        settings.AUTH_METHODS = [path for path in settings.AUTH_METHODS if "OAuth" not in path]
        assert "Preserve each user" not in text_of(browse(ana).get(form))

    def test_the_address_names_the_method(self, browse, ana, form):
        shown = text_of(browse(ana).get(f"{form}?auth_method=unauthenticated"))
        assert "Unauthenticated access needs no further fields." in shown

    @pytest.mark.parametrize("role", [Role.AI_USER, Role.READER])
    def test_who_may_not_create_gets_the_page_that_names_the_role(self, browse, project, form, role):
        person = factories.make_member(project, role)
        answer = browse(person).post(form, key_form("http://127.0.0.1:9/a2a"))
        assert answer.status_code == 403
        assert "Create or change a connection" in text_of(answer) or "create or change a connection" in text_of(answer)
        assert not Connection.objects.exists()


class TestConnect:
    def test_it_saves_sealed_reads_the_card_and_tests_once(self, browse, ana, project, form, fake_agent):
        endpoint = fake_agent(required_header=("x-api-key", CANARY))
        answer = browse(ana).post(form, key_form(endpoint.url), follow=True)
        connection = project.connections.get()
        assert answer.redirect_chain[-1][0] == page("connection", project, "ledger-agent")
        assert connection.card["name"] == "Fake agent"
        assert {i["url"] for i in connection.interfaces} == {endpoint.url}
        assert opened(connection, "credential", connection.addresses())[0][1].reveal() == CANARY
        assert connection.health.state == Health.State.HEALTHY
        assert "The endpoint accepted the credential." in text_of(answer)
        assert CANARY not in text_of(answer)
        assert [call.header("x-api-key") for call in endpoint.calls()] == [[CANARY]]

    def test_the_act_is_logged_with_method_and_host_and_no_secret(self, browse, ana, project, form, fake_agent):
        browse(ana).post(form, key_form(fake_agent().url))
        row = LogRow.objects.get(event="connection.created")
        assert row.actor_name == "Ana Ruiz" and row.connection_name == "ledger-agent"
        assert '"host": "127.0.0.1"' in row.details and '"method": "key-based"' in row.details
        assert not [r for r in LogRow.objects.all() if CANARY in str(r.__dict__)]

    def test_unauthenticated_needs_no_secret(self, browse, ana, project, form, fake_agent):
        sent = key_form(fake_agent().url, auth_method="unauthenticated", credential__0__value=None)
        browse(ana).post(form, sent)
        connection = project.connections.get()
        assert connection.auth_method == "unauthenticated" and not connection.secrets.exists()
        assert connection.health.state == Health.State.HEALTHY

    def test_a_refused_credential_is_saved_and_shown_as_failing(self, browse, ana, project, form, fake_agent):
        endpoint = fake_agent(required_header=("x-api-key", "another"))
        shown = text_of(browse(ana).post(form, key_form(endpoint.url), follow=True))
        assert project.connections.get().health.state == Health.State.FAILING
        assert "The endpoint refused the credential." in shown and "Who must act: An administrator" in shown

    def test_without_a_card_it_is_saved_with_bindings_at_the_endpoint(self, browse, ana, project, form, fake_agent):
        endpoint = fake_agent(card_below="/elsewhere")
        browse(ana).post(form, key_form(endpoint.url))
        connection = project.connections.get()
        assert connection.card is None
        assert connection.interfaces == [
            {"url": endpoint.url, "binding": "JSONRPC", "version": "1.0"},
            {"url": endpoint.url, "binding": "JSONRPC", "version": "0.3"},
        ]

    def test_from_an_agents_page_it_is_given_and_comes_back(self, browse, ana, project, form, fake_agent):
        agent = factories.make_agent(project, "support-bot")
        answer = browse(ana).post(form, key_form(fake_agent().url, for_agent="support-bot"))
        assert answer.url == page("agent", project, "support-bot")
        assert agent.given.get().connection.name == "ledger-agent"
        assert LogRow.objects.filter(event="connection.given", agent_name="support-bot").count() == 1

    def test_an_agent_of_another_project_gets_nothing(self, browse, ana, project, form, fake_agent):
        stranger = factories.make_agent(factories.make_project(), "other-bot")
        browse(ana).post(form, key_form(fake_agent().url, for_agent="other-bot"))
        assert not stranger.given.exists()

    def test_fields_that_the_form_does_not_have_change_nothing(self, browse, ana, project, form, fake_agent):
        """T12."""
        extra = {
            "given_to_all": "on",
            "project": "x",
            "created_by": "x",
            "interfaces": "[]",
            "disabled_at": "2020-01-01",
        }
        browse(ana).post(form, key_form(fake_agent().url) | extra)
        connection = project.connections.get()
        assert not connection.given_to_all and connection.created_by == ana and connection.is_enabled


class TestReadAgentCard:
    def test_it_shows_the_card_and_keeps_what_was_typed_except_secrets(self, browse, ana, form, fake_agent):
        endpoint = fake_agent()
        answer = browse(ana).post(form, key_form(endpoint.url, action="read-card"))
        shown = text_of(answer)
        assert answer.status_code == 200 and "Fake agent" in shown and "Read without credentials from" in shown
        assert 'value="ledger-agent"' in shown and f'value="{endpoint.url}"' in shown and 'value="x-api-key"' in shown
        assert CANARY not in shown and "A value is not kept until the connection is saved." in shown
        assert not Connection.objects.exists() and not Secret.objects.exists()

    def test_it_sends_no_credential_without_being_told(self, browse, ana, form, fake_agent):
        endpoint = fake_agent()
        browse(ana).post(form, key_form(endpoint.url, action="read-card"))
        assert endpoint.received and all(not r.header("x-api-key") for r in endpoint.received)

    def test_the_suggestion_marks_the_method_and_fills_the_credential_name(self, browse, ana, form, fake_agent):
        endpoint = fake_agent()
        scheme = endpoint.card.security_schemes["key"].api_key_security_scheme
        scheme.name, scheme.location = "x-ledger-key", "header"
        endpoint.card.security_requirements.add().schemes["key"].SetInParent()
        sent = key_form(endpoint.url, action="read-card", credential__0__name="")
        shown = text_of(browse(ana).post(form, sent))
        assert "Suggested: Key-based" in shown and 'value="x-ledger-key"' in shown

    @pytest.mark.parametrize(
        ("typed", "chosen"),
        [
            ({"credential__0__value": ""}, "unauthenticated"),
            ({}, "key-based"),
            ({"credential__0__value": "", "method_chosen": "1"}, "key-based"),
            ({"auth_method": "oauth-identity-passthrough"}, "oauth-identity-passthrough"),
        ],
        ids=["nothing chosen", "a value typed", "fields shown", "another chosen"],
    )
    def test_the_suggested_method_is_selected_unless_somebody_chose(self, browse, ana, form, fake_agent, typed, chosen):
        shown = text_of(browse(ana).post(form, key_form(fake_agent().url, action="read-card", **typed)))
        assert "Suggested: Unauthenticated access" in shown
        assert f'value="{chosen}" checked data-shown' in shown

    def test_fields_that_were_shown_count_as_a_choice(self, browse, ana, form):
        shown = text_of(browse(ana).post(form, {"action": "show-fields", "auth_method": "key-based"}))
        assert '<input type="hidden" name="method_chosen" value="1">' in shown

    def test_a_card_that_is_not_there_says_so_and_asks_for_bindings(self, browse, ana, form, hostile):
        shown = text_of(browse(ana).post(form, key_form(hostile.url("html-404"), action="read-card")))
        assert "Not read" in shown and "You can connect without a card." in shown
        assert "What the endpoint speaks" in shown

    def test_a_card_that_is_read_later_ends_the_question_for_bindings(self, browse, ana, form, fake_agent):
        sent = key_form(fake_agent().url, action="read-card", asks_bindings="1") | {"bindings": ["JSONRPC 1.0"]}
        shown = text_of(browse(ana).post(form, sent))
        assert "What the endpoint speaks" not in shown and 'name="card_shown"' in shown

    @pytest.mark.parametrize("action", ["show-fields", "add-credential", "connect"])
    def test_a_card_that_was_shown_stays_with_the_next_press(self, browse, ana, form, fake_agent, action):
        sent = key_form(fake_agent().url, action=action, name="not a name")
        client = browse(ana)
        assert "This is what the endpoint says about itself" in text_of(client.post(form, sent | {"card_shown": "1"}))
        assert "This is what the endpoint says about itself" not in text_of(client.post(form, sent))

    def test_show_fields_switches_the_method_and_saves_nothing(self, browse, ana, form):
        sent = key_form("https://a.example/x", action="show-fields", auth_method="unauthenticated")
        shown = text_of(browse(ana).post(form, sent))
        assert "Unauthenticated access needs no further fields." in shown and 'value="ledger-agent"' in shown

    def test_add_another_credential_gives_three_more_rows(self, browse, ana, form):
        shown = text_of(browse(ana).post(form, key_form("https://a.example/x", action="add-credential")))
        assert [n for n in range(6) if f'name="credential-{n}-value"' in shown] == [0, 1, 2, 3]

    def test_the_chosen_bindings_are_saved(self, browse, ana, project, form, fake_agent):
        endpoint = fake_agent(card_below="/elsewhere")
        sent = key_form(endpoint.url, asks_bindings="1") | {"bindings": ["HTTP+JSON 1.0"]}
        browse(ana).post(form, sent)
        assert project.connections.get().interfaces == [{"url": endpoint.url, "binding": "HTTP+JSON", "version": "1.0"}]


class TestBadInput:
    """Each: a clear sentence at its field, everything typed but secrets stays, nothing is saved."""

    CASES = [
        ("name", "ab", "3 to 33 letters"),
        ("name", "has space", "3 to 33 letters"),
        ("name", "-begins", "3 to 33 letters"),
        ("name", "connect", "for a page of its own"),
        ("name", "", "Enter a name."),
        ("endpoint", "", "Enter the address of the A2A agent"),
        ("endpoint", "ledger", "must begin with https://"),
        ("endpoint", "ftp://ledger.example/a2a", "must begin with https://"),
        ("endpoint", "https://user:pass@ledger.example/", "user name or password"),
        ("endpoint", "https://10.1.2.3/a2a", "Ask the owner of this portal to allow it."),
        ("endpoint", "https://169.254.169.254/latest", "can't be used, nor be allowed"),
        ("endpoint", "https://ledger.contoso.exmaple/a2a", "can't be found"),
        ("endpoint", "http://127.0.0.1:9/a2a?key=1", "a part after ?"),
        ("credential-0-name", "has space", "This is not a header name."),
        ("credential-0-name", "Transfer-Encoding", "belongs to HTTP itself"),
        ("credential-0-name", "", "Enter the credential name."),
        ("credential-0-value", "", "Enter the credential value."),
        ("credential-0-value", "abc\r\nx-evil: 1", "line break"),
        ("credential-0-value", "schl\u00fcssel", "outside ASCII"),
        ("credential-0-expires_on", "2020-01-31", "This date has passed."),
        ("auth_method", "nonsense", "Select a valid choice"),
        ("send_credentials_for_card", "on", "only over https"),
    ]

    @pytest.mark.parametrize(("field", "value", "sentence"), CASES, ids=[f"{c[0]}={c[1][:24]!r}" for c in CASES])
    def test_the_field_says_what_is_wrong(self, browse, ana, form, field, value, sentence):
        sent = key_form("http://127.0.0.1:9/a2a") | {field: value}
        answer = browse(ana).post(form, sent)
        assert answer.status_code == 422
        assert any(sentence in error for error in sentence_for(answer, field)), sentence_for(answer, field)
        assert "The connection was not saved." in text_of(answer)
        assert CANARY not in text_of(answer)
        assert not Connection.objects.exists() and not Secret.objects.exists()

    @override_settings(ALLOWED_OUTBOUND_NETWORKS=[])
    def test_plain_http_and_private_addresses_are_refused_where_nothing_is_allowed(self, browse, ana, form):
        client = browse(ana)
        assert "Use https" in " ".join(
            sentence_for(client.post(form, key_form("http://ledger.example/a2a")), "endpoint")
        )
        private = client.post(form, key_form("https://127.0.0.1/a2a"))
        assert "Ask the owner of this portal to allow it." in " ".join(sentence_for(private, "endpoint"))

    def test_a_taken_name_is_named_as_it_is_written_there(self, browse, ana, project, form):
        factories.make_connection(project, name="ledger-agent")
        answer = browse(ana).post(form, key_form("http://127.0.0.1:9/a2a", name="Ledger-Agent"))
        assert sentence_for(answer, "name") == [
            "A connection named ledger-agent already exists in this project. Upper and lower case count as the same."
        ]

    def test_the_same_name_in_another_project_is_free(self, browse, ana, project, form, fake_agent):
        factories.make_connection(factories.make_project(), name="ledger-agent")
        assert browse(ana).post(form, key_form(fake_agent().url)).status_code == 302

    def test_a_typed_value_must_be_typed_again_and_the_rest_stays(self, browse, ana, form):
        answer = browse(ana).post(
            form, key_form("http://127.0.0.1:9/a2a", name="x", credential__0__expires_on="2030-01-31")
        )
        assert sentence_for(answer, "credential-0-value") == [
            "Enter the credential value again. A value is not kept until the connection is saved."
        ]
        shown = text_of(answer)
        assert 'value="x-api-key"' in shown and 'value="2030-01-31"' in shown and "127.0.0.1:9/a2a" in shown

    def test_two_credentials_of_one_name_are_refused(self, browse, ana, form):
        more = {"credential-1-name": "X-API-Key", "credential-1-value": "other", "credential-1-expires_on": ""}
        answer = browse(ana).post(form, key_form("http://127.0.0.1:9/a2a") | more)
        assert "Another credential has this name already." in " ".join(sentence_for(answer, "credential-1-name"))

    def test_several_credentials_are_kept_in_order_and_empty_rows_do_not_count(
        self, browse, ana, project, form, fake_agent
    ):
        more = {
            "credential-1-name": "x-tenant-key",
            "credential-1-value": "other",
            "credential-2-name": "",
            "credential-2-value": "",
        }
        browse(ana).post(form, key_form(fake_agent().url) | more)
        assert list(project.connections.get().secrets.values_list("name", flat=True)) == ["x-api-key", "x-tenant-key"]

    def test_a_card_on_another_host_gets_no_credentials(self, browse, ana, form):
        sent = key_form(
            "https://127.0.0.1/a2a", card_path="https://127.0.0.2/card.json", send_credentials_for_card="on"
        )
        answer = browse(ana).post(form, sent)
        assert "endpoint's own host" in " ".join(sentence_for(answer, "send_credentials_for_card"))
