"""The two methods of Microsoft Entra: the agent's own identity, or the project's.

The token comes from Entra or from the portal's own issuer, as the project chose; `portal.identities.tokens` knows
which, and lets none leave for an origin that the portal's owner has not listed for its audience.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from django import forms

from connections.methods.base import (
    AuthMethod,
    Caller,
    Credential,
    CredentialUnavailable,
    Goal,
    Prepared,
    SettingsForm,
)
from connections.models import Connection
from portal import vault
from portal.agents import publishing
from portal.agents.models import Agent
from portal.identities import audiences, claims, roster, tokens
from portal.identities.models import Identity
from portal.identities.pages import portal_owners
from portal.outbound.errors import OutboundError
from portal.projects.models import Project

# A connection that is given to hundreds of published agents is tested as the first of them.
MOST_CALLERS = 5
T = TypeVar("T")


class AudienceSettings(SettingsForm):
    audience = forms.CharField(
        label="Audience",
        max_length=300,
        help_text="The identifier of the service behind the endpoint, for example api://contoso-hr. Not the "
        "endpoint's address.",
        error_messages={"required": "Enter the audience, such as api://contoso-hr."},
        widget=forms.TextInput(
            {"autocomplete": "off", "spellcheck": "false", "data-code": True, "list": "listed-audiences"}
        ),
    )

    def clean_audience(self) -> str:
        """Entra's scope is the audience with /.default behind it; people paste that too."""
        return self.cleaned_data["audience"].removesuffix("/.default")


class MicrosoftEntra(AuthMethod):
    goals = (
        Goal("Use one shared identity for all users", 1),
        Goal("Avoid managing secrets when the underlying service supports Microsoft Entra", 3),
    )
    settings_form = AudienceSettings
    fields_template = "connections/methods/entra_fields.html"
    guidance_template = "connections/methods/entra.html"
    panel_template = "connections/methods/entra_panel.html"
    may_wait = True

    def identity(self, connection: Connection, agent: Agent | None) -> Identity:
        """Who the endpoint sees; `agent` is None where the portal itself tests."""
        raise NotImplementedError

    def identities(self, project: Project) -> Sequence[Identity]:
        """Those that the form tells about, before any agent has the connection."""
        raise NotImplementedError

    def prepared(self, connection: Connection, caller: Caller) -> Prepared:
        identity, at_hand = self._asked(connection, caller, tokens.at_hand)
        return lambda: _credential(identity, token) if (token := at_hand()) else None

    def credential(self, connection: Connection, caller: Caller) -> Credential:
        return _credential(*self._asked(connection, caller, tokens.access_token))

    def renew(self, connection: Connection, caller: Caller, refused: Credential) -> Credential | None:
        renewed = _credential(*self._asked(connection, caller, partial(tokens.access_token, beyond=refused.generation)))
        return renewed if renewed.generation != refused.generation else None

    def _asked(self, connection: Connection, caller: Caller, ask: Callable[..., T]) -> tuple[Identity, T]:
        """Who is meant, and what `ask` says of its token."""
        identity = self.identity(connection, caller.agent)
        try:
            return identity, ask(identity, _audience(connection), connection.addresses())
        except tokens.TokenUnavailable as unavailable:
            raise CredentialUnavailable(unavailable.code) from None

    def stands(self, connection: Connection, caller: Caller) -> bool:
        identity = self.identity(connection, caller.agent)
        try:
            tokens.check(identity, _audience(connection), connection.addresses())
        except tokens.TokenUnavailable:
            return False
        return True

    def refused(self, status: int) -> str:
        return "entra_token_refused" if status == 401 else "entra_endpoint_403"

    def claims(self, credential: Credential) -> claims.Claims:
        [(_, bearer)] = credential.headers
        return claims.shown(vault.Secret(bearer.reveal().removeprefix("Bearer ")))

    def check_settings(self, settings: dict[str, Any], endpoint: str) -> dict[str, str]:
        try:
            audiences.check(settings["audience"], [endpoint])
        except audiences.NotListed as not_listed:
            return {"audience": _not_listed(not_listed)}
        except OutboundError:
            return {}
        return {}

    def offers(self, project: Project, endpoint: str) -> dict[str, Any]:
        return {
            "audiences": audiences.usable_at(endpoint) if endpoint else [],
            "origin": _origin(endpoint),
            "listers": portal_owners(),
            "identities": self.identities(project),
        }

    def facts(self, connection: Connection) -> list[tuple[str, str]]:
        return [("Audience", _audience(connection))]

    def panel(self, connection: Connection) -> dict[str, Any]:
        return {"identities": self._in_use(connection)}

    def _in_use(self, connection: Connection) -> list[tuple[Identity, list[Agent]]]:
        """Each identity that the endpoint sees, with the agents that act as it."""
        found: dict[Any, tuple[Identity, list[Agent]]] = {}
        for agent in _agents_of(connection):
            identity = self.identity(connection, agent)
            found.setdefault(identity.pk, (identity, []))[1].append(agent)
        return list(found.values()) or [(identity, []) for identity in self.identities(connection.project)]


class AgentIdentity(MicrosoftEntra):
    slug = "microsoft-entra-agent-identity"
    label = "Microsoft Entra - agent identity"
    description = (
        "Use the agent identity to authenticate with the A2A endpoint. Assign the required roles on the underlying "
        "service."
    )
    foundry_auth_type = "AgenticIdentityToken"
    acts_as_agent = True

    def identity(self, connection: Connection, agent: Agent | None) -> Identity:
        return publishing.identity_of(agent) if agent else roster.shared_by_agents(connection.project)

    def identities(self, project: Project) -> list[Identity]:
        return [roster.shared_by_agents(project)]

    def acts_as(self, connection: Connection, agent: Agent) -> str:
        return self.identity(connection, agent).name

    def callers(self, connection: Connection) -> list[Caller]:
        """As the shared identity where an agent uses it, and as each published agent."""
        agents = _agents_of(connection)
        shared = [Caller(agent=None)] if any(not agent.is_published for agent in agents) or not agents else []
        return [*shared, *(Caller(agent) for agent in agents if agent.is_published)][:MOST_CALLERS]


class ProjectManagedIdentity(MicrosoftEntra):
    slug = "microsoft-entra-project-managed-identity"
    label = "Microsoft Entra - project managed identity"
    description = (
        "Use the project managed identity to authenticate with the A2A endpoint. Assign the required roles on the "
        "underlying service."
    )
    foundry_auth_type = "ProjectManagedIdentity"
    acts_as_project = True

    def identity(self, connection: Connection, agent: Agent | None) -> Identity:
        return roster.managed_of(connection.project)

    def identities(self, project: Project) -> list[Identity]:
        return [roster.managed_of(project)]

    def acts_as(self, connection: Connection, agent: Agent) -> str:
        return roster.managed_of(connection.project).name


def _audience(connection: Connection) -> str:
    """None is listed under "": a card is read with a form whose other fields may be wrong yet."""
    return connection.settings.get("audience", "")


def _credential(identity: Identity, token: tokens.AccessToken) -> Credential:
    return Credential(
        (("Authorization", vault.Secret(f"Bearer {token.value.reveal()}")),),
        described=f"Token of {identity.name} for {token.audience}",
        acted_as=f"{identity.name}, principal {identity.principal_id}" if identity.principal_id else identity.name,
        generation=token.generation,
    )


def _agents_of(connection: Connection) -> list[Agent]:
    agents = connection.project.agents.filter(disabled_at=None).select_related("project").order_by("name")
    return list(agents if connection.given_to_all else agents.filter(given__connection=connection))


def _origin(endpoint: str) -> str:
    try:
        return audiences.origin_of(endpoint)
    except OutboundError:
        return ""


def _not_listed(refusal: audiences.NotListed) -> str:
    where = f" for {refusal.origin}" if refusal.origin else " as an audience"
    return (
        f"The owner of this portal has not listed {refusal.audience}{where}, so no token is sent there. Choose a "
        "listed audience, or ask the owner to list it."
    )
