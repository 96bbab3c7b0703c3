"""OAuth identity passthrough: each user's own account, for the agent that the user allowed."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from django.utils import timezone

from connections.agent_card import Card
from connections.methods.base import (
    Acted,
    AuthMethod,
    Caller,
    Consent,
    ConsentRequired,
    Credential,
    CredentialUnavailable,
    Elsewhere,
    Found,
    Goal,
    Prepared,
    SecretField,
    Tab,
)
from connections.models import Connection
from consent import (
    answering,
    client_assertions,
    client_keys,
    clients,
    endings,
    fitting,
    flow,
    giving,
    grants,
    matching,
    rollover,
    stepping_up,
)
from consent.discovery import finding, registering
from consent.managed import choosing
from consent.managed.choosing import PassthroughSettings
from consent.models import Grant
from consent.terms import Terms, redirect_uri
from portal import vault
from portal.agents.models import Agent
from portal.projects.models import Project
from portal.projects.roles import Permission
from portal.users import User

T = TypeVar("T")


class OAuthIdentityPassthrough(AuthMethod):
    slug = "oauth-identity-passthrough"
    label = "OAuth identity passthrough"
    description = "Prompt people who use your agent to sign in and authorize access to the A2A endpoint."
    foundry_auth_type = "OAuth2"
    user_context_persists = True
    goals = (Goal("Preserve each user's identity and permissions", 2),)
    settings_form = PassthroughSettings
    secret_fields = (
        SecretField("client_secret", "Client secret", "Only if the provider requires one.", required=False),
    )
    guidance_template = "consent/method.html"
    fields_template = "consent/fields.html"
    panel_template = "consent/panel.html"
    may_wait = True
    finds_settings = True
    keeps_former = True
    actions = ("register-portal", "roll-client-key")
    may_lack = (
        "agent_blocked_by_user",
        "oauth_not_finished",
        "managed_app_missing",
        "managed_endpoint_not_listed",
        "managed_app_unfinished",
        "oauth_client_refused",
        "provider_refused_request",
        "provider_unavailable",
        "refresh_uncertain",
    )

    may_want = (stepping_up.ASKS_IN_VAIN,)

    def find(self, endpoint: str, card: Card | None, typed: Mapping[str, Any], choice: str) -> Found:
        return finding.find(endpoint, card, typed, choice)

    def act(self, action: str, connection: Connection, by: User) -> Acted:
        return _rolled_over(connection, by) if action == "roll-client-key" else registering.register(connection, by)

    def secret_fields_with(self, settings: Mapping[str, Any]) -> Sequence[SecretField]:
        """None with a publisher's app, whose secret the portal's owner has entered."""
        return () if choosing.is_managed(settings) else self.secret_fields

    def check_settings(self, settings: dict[str, Any], endpoint: str) -> dict[str, str]:
        publisher = settings.get("publisher")
        sentence = choosing.not_listed(publisher, endpoint) if publisher else ""
        return {"publisher": sentence} if sentence else {}

    def offers(self, project: Project, endpoint: str) -> dict[str, Any]:
        return choosing.offers(endpoint)

    def addresses(self, connection: Connection, secret_field: str) -> tuple[str, ...]:
        return Terms.now(connection).refresh_token_addresses

    def prepared(self, connection: Connection, caller: Caller) -> Prepared:
        grant, at_hand = self._asking(connection, caller, grants.token_at_hand)
        return lambda: _credential(grant, token) if (token := at_hand()) else None

    def credential(self, connection: Connection, caller: Caller) -> Credential:
        return _credential(*self._asking(connection, caller, grants.fresh_token))

    def renew(self, connection: Connection, caller: Caller, refused: Credential) -> Credential | None:
        """The endpoint said 401: one refresh beyond the token that it refused, then the user must be asked."""
        return _credential(*self._asking(connection, caller, partial(grants.fresh_token, beyond=refused.generation)))

    def refused_for_want(self, connection: Connection, caller: Caller, challenges: Sequence[str]) -> str:
        """Scopes that the endpoint names are put to the user, beside what they gave before; a few times, no more."""
        wanted = stepping_up.named(challenges)
        if not wanted:
            return ""
        grant = self._grant(connection, caller)
        scopes = stepping_up.to_ask(grant, wanted)
        if not scopes:
            return stepping_up.ASKS_IN_VAIN
        raise ConsentRequired(self._asked(connection, caller, stepping_up.ASKS_FOR_MORE, scopes))

    def refused(self, status: int) -> str:
        return "user_token_refused" if status == 401 else "user_without_access"

    def waiting(self, connection: Connection, caller: Caller, task: str) -> Consent | None:
        """Also, beside a consent that stands, for more of what the endpoint wants."""
        _, consent = self.consent_state(connection, caller)
        if consent or caller.user is None or not (grant := grants.of(connection, caller)):
            return consent
        more = stepping_up.live_of(grant)
        return flow.consent_of(more, more.reason) if more else None

    def consent_state(self, connection: Connection, caller: Caller) -> tuple[str, Consent | None]:
        if caller.user is None:
            return "consent_required", None
        if flow.is_blocked(caller):
            return "consent_required", None
        grant = grants.of(connection, caller)
        if grant and grants.is_usable(grant, connection):
            return "connected", None
        return "consent_required", self._asked(connection, caller, grant.reason if grant else "")

    def stands(self, connection: Connection, caller: Caller) -> bool:
        grant = grants.of(connection, caller)
        return grant is not None and grant.state == Grant.State.ACTIVE and not flow.is_blocked(caller)

    def acts_as(self, connection: Connection, agent) -> str:
        return "Each person's own account"

    def facts(self, connection: Connection) -> list[tuple[str, str]]:
        terms = Terms.now(connection)
        if terms.publisher:
            app = f"Managed OAuth · {choosing.registered(terms.publisher)}"
            return [("App registration", app), ("Scopes", " ".join(terms.scopes))]
        shown = [
            ("Client ID", terms.client_id),
            ("Authorization URL", terms.authorization_url),
            ("Token URL", terms.token_url),
            ("Refresh URL", terms.refresh_url if terms.refresh_url != terms.token_url else ""),
            ("Scopes", " ".join(terms.scopes)),
            ("PKCE", terms.pkce),
            ("Resource", terms.resource),
            ("Account must match the person", _rule(connection.settings)),
            ("Provider answers within", _seconds(connection.settings.get("deadline_seconds"))),
            ("Takes a used refresh token again for", _seconds(answering.grace_of(connection, terms))),
        ]
        return [(label, value) for label, value in shown if value]

    def is_finished(self, connection: Connection) -> bool:
        return clients.is_complete(connection)

    def elsewhere(self, connection: Connection) -> list[Elsewhere]:
        if connection.settings.get("publisher"):
            return []
        hint = "Add it to your app registration exactly as it is. It belongs to this connection only."
        shown = [Elsewhere("Redirect URL", redirect_uri(connection.id), hint)]
        if connection.settings.get("client_auth") != client_assertions.METHOD:
            return shown
        hint = (
            "Its public keys (JWKS), for your app registration. A provider that reads this address knows each next key."
        )
        return [*shown, Elsewhere("Key URL", client_keys.current(connection).url, hint)]

    def tabs(self, connection: Connection) -> list[Tab]:
        return [Tab("Consents", "connection-consents", giving.people_who_gave(connection), Permission.CONNECTION_WRITE)]

    def panel(self, connection: Connection) -> dict:
        signs = connection.settings.get("client_auth") == client_assertions.METHOD
        return {
            "withdrawn": giving.withdrawn(connection),
            "hindrances": giving.hindrances(connection),
            "former_secret_used": rollover.last_used(connection),
            "wanted": stepping_up.lately(connection),
            "has_no_grace": answering.grace_of(connection, Terms.now(connection)) == 0,
            "client_keys": client_keys.current(connection) if signs else None,
        }

    def consented(self, connection: Connection) -> tuple[int, int]:
        return giving.consented(connection)

    def given_by_people(self, connection: Connection) -> str:
        return giving.state_of_grants(connection)

    def lost_by(self, connection: Connection) -> str:
        costs = [fitting.lost_by(connection, self.slug)]
        if client_keys.would_end(connection, self.slug):
            costs.append("ends the client keys, so that new ones have to be registered at the provider")
        return " and ".join(filter(None, costs))

    def drop_lost(self, connection: Connection, by: User) -> None:
        fitting.end_what_no_longer_fits(connection, self.slug, by)
        client_keys.end_what_no_longer_fits(connection, self.slug, by)

    def what_stops(self, connection: Connection) -> list[str]:
        return endings.sentences(Grant.objects.filter(connection=connection))

    def before_deletion(self, connection: Connection, by: User) -> None:
        grants.revoke_all(Grant.objects.filter(connection=connection), by, "connection_deleted")

    def what_stops_with(self, agent: Agent) -> list[str]:
        return endings.sentences(Grant.objects.filter(agent=agent))

    def before_agent_goes(self, agent: Agent, by: User) -> None:
        grants.revoke_all(Grant.objects.filter(agent=agent), by, "agent_deleted")

    def _grant(self, connection: Connection, caller: Caller) -> Grant:
        """Raises what stands in the way: no user, a block, an unfinished connection, no grant."""
        if caller.agent is None:
            raise CredentialUnavailable("test_needs_agent")
        if caller.user is None:
            raise CredentialUnavailable("user_missing")
        if flow.is_blocked(caller):
            raise CredentialUnavailable("agent_blocked_by_user")
        grant = grants.of(connection, caller)
        if grant is None:
            raise ConsentRequired(self._asked(connection, caller, ""))
        if grant.connection.addresses() != connection.addresses():
            # The call was admitted to addresses that are no longer the connection's: not with this token (T01).
            raise CredentialUnavailable("credential_unavailable")
        return grant

    def _asking(self, connection: Connection, caller: Caller, ask: Callable[[Grant], T]) -> tuple[Grant, T]:
        """The caller's grant, and what `ask` says of its token."""
        grant = self._grant(connection, caller)
        try:
            return grant, ask(grant)
        except grants.NeedsConsent as needs:
            raise ConsentRequired(self._asked(connection, caller, needs.reason)) from None

    def _asked(
        self, connection: Connection, caller: Caller, reason: str, scopes: tuple[str, ...] | None = None
    ) -> Consent:
        if code := clients.hindrance(connection):
            raise CredentialUnavailable(code)
        return flow.consent_of(flow.ask(connection, caller, reason, scopes=scopes), reason)


def _rule(settings: Mapping[str, Any]) -> str:
    rule, claim = (
        settings.get("account_match") or matching.OFF,
        settings.get("account_claim") or matching.VERIFIED_EMAIL,
    )
    return "" if rule == matching.OFF else f"{rule.capitalize()}, by {claim.replace('_', ' ')}"


def _seconds(count: int | None) -> str:
    return "" if count is None else f"{count} second{'' if count == 1 else 's'}"


def _rolled_over(connection: Connection, by: User) -> Acted:
    if connection.settings.get("client_auth") != client_assertions.METHOD:
        return Acted(False, "The saved client authentication has no keys. Choose private_key_jwt and update first.")
    try:
        client_keys.roll_over(connection, by)
    except client_keys.TooSoon as soon:
        at = timezone.localtime(soon.at).strftime("%H:%M")
        return Acted(
            False, f"The next key was made a short time ago, and the provider may not know it yet. Try at {at}."
        )
    return Acted(True, "The next key signs from now on. The last one stays published for a while.")


def _credential(grant: Grant, token: grants.AccessToken) -> Credential:
    described = f"Token of {grant.user}" + (f", account {grant.account}" if grant.account else "")
    bearer = vault.Secret(f"Bearer {token.value.reveal()}")
    return Credential((("Authorization", bearer),), described=described, generation=token.generation, used=(grant.id,))
