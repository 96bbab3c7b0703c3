"""The two methods of Microsoft Entra on the connection's pages, with the portal's own issuer."""

import pytest
from starlette.datastructures import Headers
from starlette.responses import JSONResponse

from connections import keeping, probes
from connections.drafts import Draft
from connections.methods import method_of
from connections.methods.base import Caller, CredentialUnavailable
from connections.models import Given, Health
from portal.agents import publishing
from portal.identities import audiences, claims, roster
from portal.identities.models import Audience, Identity, IdentityToken
from portal.vault import Secret
from tests import factories
from tests.connections.pages import page, text_of, words_of

pytestmark = pytest.mark.django_db

HR = "api://contoso-hr"
AGENT, PROJECT = "microsoft-entra-agent-identity", "microsoft-entra-project-managed-identity"
both = pytest.mark.parametrize("method", [AGENT, PROJECT])


def form(endpoint: str, method: str = AGENT, **changes) -> dict:
    filled = {"action": "connect", "name": "hr-agent", "endpoint": endpoint, "card_path": "", "auth_method": method}
    return filled | {"settings-audience": HR} | changes


@pytest.fixture
def endpoint(fake_agent):
    return fake_agent()


@pytest.fixture
def listed(endpoint, ana) -> Audience:
    return audiences.enter(HR, [audiences.origin_of(endpoint.url)], "Holidays and hours", ana)


@pytest.fixture
def connected(project, endpoint, listed, ana):
    def connect(method: str = AGENT, **options):
        draft = Draft(endpoint.url, "/card", False, method, {"audience": HR}, name="hr-agent")
        interfaces = [{"url": endpoint.url, "binding": "JSONRPC", "version": "1.0"}]
        return keeping.connect(project, draft.with_card(None, interfaces), ana, **options)

    return connect


class TestTheForm:
    @both
    def test_it_asks_for_the_audience_and_says_which_identity_is_used(self, browse, ana, project, method):
        shown = words_of(browse(ana).get(f"{page('connection-new-a2a', project)}?auth_method={method}"))
        assert "Audience" in shown and "for example api://contoso-hr. Not the endpoint's address." in shown
        identity = roster.managed_of(project) if method == PROJECT else roster.shared_by_agents(project)
        assert identity.name in shown and identity.principal_id in shown
        assert "https://ai.azure.com" in shown and "api://<app-id>".replace("<", "&lt;").replace(">", "&gt;") in shown

    def test_it_offers_what_is_listed_for_the_endpoint(self, browse, ana, project, endpoint, listed):
        audiences.enter("api://elsewhere", ["https://other.example"], "", ana)
        shown = text_of(browse(ana).post(page("connection-new-a2a", project), form(endpoint.url, action="show-fields")))
        assert f'<option value="{HR}">' in shown and "api://elsewhere" not in shown

    @both
    def test_it_is_saved_and_the_endpoint_gets_a_token(self, browse, ana, project, endpoint, listed, method):
        answer = browse(ana).post(page("connection-new-a2a", project), form(endpoint.url, method), follow=True)
        connection = project.connections.get()
        assert connection.settings == {"audience": HR}
        assert "The endpoint accepted the credential." in text_of(answer)
        [bearer] = endpoint.calls()[-1].header("authorization")
        assert bearer.startswith("Bearer ey") and bearer.removeprefix("Bearer ") not in text_of(answer)

    @pytest.mark.parametrize("audience", ["api://other", "API://contoso-hr", " "])
    def test_an_audience_that_is_not_listed_for_the_endpoint_is_refused(
        self, browse, ana, project, endpoint, listed, audience
    ):
        sent = form(endpoint.url, **{"settings-audience": audience})
        answer = browse(ana).post(page("connection-new-a2a", project), sent)
        assert answer.status_code == 422
        assert "has not listed" in text_of(answer) or "Enter the audience" in text_of(answer)
        assert not project.connections.exists() and endpoint.calls() == []

    def test_a_listed_audience_is_refused_at_a_host_of_somebody_else(self, browse, ana, project, listed, fake_agent):
        """T01: the company's identity can't be pointed at a host that its owner did not list."""
        answer = browse(ana).post(page("connection-new-a2a", project), form(fake_agent().url))
        assert answer.status_code == 422 and "has not listed api://contoso-hr for http://127.0.0.1:" in text_of(answer)

    def test_a_pasted_scope_is_taken_as_its_audience(self, browse, ana, project, endpoint, listed):
        browse(ana).post(
            page("connection-new-a2a", project), form(endpoint.url, **{"settings-audience": f"{HR}/.default"})
        )
        assert project.connections.get().settings == {"audience": HR}

    def test_who_can_list_one_is_named(self, browse, ana, project, endpoint):
        shown = words_of(
            browse(ana).post(page("connection-new-a2a", project), form(endpoint.url, action="show-fields"))
        )
        assert f"No audience is listed for {audiences.origin_of(endpoint.url)} yet" in shown
        assert "Ask Ana Ruiz to list it" in shown


class TestEditing:
    def test_what_to_ask_for_stands_beside_other_audiences_too(self, browse, ana, project, endpoint, listed):
        origin = audiences.origin_of(endpoint.url)
        filled = form(endpoint.url, **{"settings-audience": "api://other"})
        shown = words_of(browse(ana).post(page("connection-new-a2a", project), filled))
        assert f"This audience is not listed for {origin}. Ask Ana Ruiz to list it:" in shown
        assert f"Please list the audience api://other for {origin}." in shown

    def test_the_audience_is_there_when_the_connection_is_edited(self, browse, ana, project, connected):
        """Foundry's users report that theirs is lost (new-foundry-portal #59)."""
        connected()
        shown = text_of(browse(ana).get(page("connection-edit", project, "hr-agent")))
        assert f'value="{HR}"' in shown

    def test_an_endpoint_elsewhere_needs_the_audience_to_be_listed_there(self, browse, ana, project, connected):
        connection = connected()
        sent = form("http://127.0.0.1:9/elsewhere", action="save", read_at=connection.changed_at.isoformat())
        answer = browse(ana).post(page("connection-edit", project, "hr-agent"), sent)
        assert answer.status_code == 422 and "has not listed" in text_of(answer)
        connection.refresh_from_db()
        assert connection.endpoint != "http://127.0.0.1:9/elsewhere"


class TestThePage:
    def test_it_names_each_identity_that_the_endpoint_sees(self, browse, ana, project, connected):
        connection = connected()
        quiet, loud = (factories.make_agent(project, name) for name in ("quiet-bot", "loud-bot"))
        for agent in (quiet, loud):
            Given.objects.create(connection=connection, agent=agent)
        publishing.publish(loud, ana)
        shown = words_of(browse(ana).get(page("connection", project, "hr-agent")))
        assert "contoso-support-AgentIdentity" in shown and "contoso-support-loud-bot-AgentIdentity" in shown
        assert publishing.own_of(loud).principal_id in shown and f"Audience {HR}" in shown


class TestTesting:
    def test_the_claims_are_shown_without_the_token(self, browse, ana, project, connected, endpoint):
        connected()
        shown = words_of(browse(ana).post(page("connection-test", project, "hr-agent"), follow=True))
        shared = roster.shared_by_agents(project)
        assert "What the token says" in shown and f"sub {shared.principal_id}" in shown and f"aud {HR}" in shown
        [bearer] = endpoint.calls()[-1].header("authorization")
        assert bearer.removeprefix("Bearer ") not in shown

    def test_it_calls_as_every_identity_that_agents_use(self, project, connected, endpoint, ana):
        connection = connected()
        agents = [factories.make_agent(project, name) for name in ("first-bot", "second-bot", "third-bot")]
        for agent in agents:
            Given.objects.create(connection=connection, agent=agent)
        for agent in agents[1:]:
            publishing.publish(agent, ana)
        result = probes.test(connection, ana)
        assert result.ok
        prepared = [step.detail for step in result.steps if step.name == "Prepare the credential"]
        assert [words.split()[2] for words in prepared] == [
            "contoso-support-AgentIdentity",
            "contoso-support-second-bot-AgentIdentity",
            "contoso-support-third-bot-AgentIdentity",
        ]
        bearers = [call.header("authorization")[0] for call in endpoint.calls() if call.header("authorization")]
        assert len(set(bearers)) == 3

    def test_one_identity_without_its_role_makes_the_connection_failing(self, project, listed, ana, fake_agent):
        """The endpoint lets the shared identity in and not yet the published agent's."""
        shared = roster.shared_by_agents(project)
        endpoint = fake_agent(door=lambda app, _: OnlyFor(app, {shared.principal_id}))
        audiences.change(listed, [audiences.origin_of(endpoint.url)], "", ana)
        draft = Draft(endpoint.url, "/card", False, AGENT, {"audience": HR}, name="hr-agent")
        interfaces = [{"url": endpoint.url, "binding": "JSONRPC", "version": "1.0"}]
        connection = keeping.connect(project, draft.with_card(None, interfaces), ana)
        agents = [factories.make_agent(project) for _ in range(2)]
        for agent in agents:
            Given.objects.create(connection=connection, agent=agent)
        assert probes.test(connection, ana).ok
        publishing.publish(agents[0], ana)
        result = probes.test(connection, ana)
        assert result.problem.code == "entra_endpoint_403" and result.state == Health.State.FAILING


class TestTheCredential:
    def caller(self, project, **fields) -> Caller:
        return Caller(factories.make_agent(project, **fields))

    def test_an_agent_acts_as_the_shared_identity_until_it_is_published(self, project, connected, ana):
        connection, caller = connected(), self.caller(project, name="support-bot")
        method = method_of(connection)
        assert method.acts_as(connection, caller.agent) == "contoso-support-AgentIdentity"
        shared = method.credential(connection, caller).headers[0][1].reveal()
        publishing.publish(caller.agent, ana)
        assert method.acts_as(connection, caller.agent) == "contoso-support-support-bot-AgentIdentity"
        assert method.credential(connection, caller).headers[0][1].reveal() != shared
        publishing.unpublish(caller.agent, ana)
        assert method.credential(connection, caller).headers[0][1].reveal() == shared

    def test_all_agents_act_as_the_project(self, project, connected, ana):
        connection = connected(PROJECT)
        callers = [self.caller(project) for _ in range(2)]
        publishing.publish(callers[0].agent, ana)
        values = {method_of(connection).credential(connection, one).headers[0][1].reveal() for one in callers}
        assert len(values) == 1 and IdentityToken.objects.get().identity == roster.managed_of(project)

    @both
    @pytest.mark.parametrize(
        ("change", "code"),
        [
            (lambda: Identity.objects.update(disabled_at="2026-11-24T00:00Z"), "identity_disabled"),
            (lambda: Identity.objects.update(client_id=""), "identity_not_set_up"),
            (lambda: Audience.objects.all().delete(), "audience_not_listed"),
            (lambda: Audience.objects.update(origins=["https://elsewhere.example"]), "audience_not_listed"),
        ],
    )
    def test_what_is_taken_away_gives_no_credential(self, project, connected, method, change, code):
        connection, caller = connected(method), self.caller(project)
        kind = method_of(connection)
        kind.credential(connection, caller)
        assert kind.stands(connection, caller)
        change()
        assert not kind.stands(connection, caller)
        for ask in (kind.credential, kind.prepared):
            with pytest.raises(CredentialUnavailable, match=code):
                ask(connection, caller)

    def test_an_endpoint_edited_in_the_database_gets_no_token(self, project, connected):
        """T01, T33: the list is asked with the addresses of the very call."""
        connection = connected()
        connection.interfaces = [{"url": "https://evil.example/a2a", "binding": "JSONRPC", "version": "1.0"}]
        with pytest.raises(CredentialUnavailable, match="audience_not_listed"):
            method_of(connection).credential(connection, self.caller(project))

    def test_another_token_is_used_after_a_refusal_only_where_there_is_one(self, project, connected):
        connection, caller = connected(), self.caller(project)
        method = method_of(connection)
        refused = method.credential(connection, caller)
        assert method.renew(connection, caller, refused) is None


class OnlyFor:
    """403 for every principal that has not been assigned the role."""

    def __init__(self, app, principals: set[str]) -> None:
        self._app, self._principals = app, principals

    async def __call__(self, scope, receive, send) -> None:
        bearer = Headers(scope=scope).get("authorization", "") if scope["type"] == "http" else ""
        if bearer and dict(claims.shown(Secret(bearer.removeprefix("Bearer "))))["sub"] not in self._principals:
            await JSONResponse({"error": "insufficient_scope"}, 403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)
