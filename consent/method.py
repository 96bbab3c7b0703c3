"""OAuth identity passthrough: each user's own account, for the agent that the user allowed."""

from connections.methods.base import (
    AuthMethod,
    Caller,
    Consent,
    ConsentRequired,
    Credential,
    CredentialUnavailable,
    Goal,
    SecretField,
)
from connections.models import Connection
from consent import clients, flow, grants
from consent.forms import OAuthSettings
from consent.models import Grant
from consent.terms import Terms, redirect_uri
from portal import vault


class OAuthIdentityPassthrough(AuthMethod):
    slug = "oauth-identity-passthrough"
    label = "OAuth identity passthrough"
    description = "Prompt people who use your agent to sign in and authorize access to the A2A endpoint."
    foundry_auth_type = "OAuth2"
    user_context_persists = True
    goals = (Goal("Preserve each user's identity and permissions", 2),)
    settings_form = OAuthSettings
    secret_fields = (
        SecretField("client_secret", "Client secret", "Only if the provider requires one.", required=False),
    )
    guidance_template = "consent/method.html"
    may_wait = True

    def addresses(self, connection: Connection, secret_field: str) -> tuple[str, ...]:
        return Terms.now(connection).refresh_token_addresses

    def credential(self, connection: Connection, caller: Caller) -> Credential:
        grant = self._grant(connection, caller)
        try:
            token = grants.fresh_token(grant)
        except grants.NeedsConsent as needs:
            raise ConsentRequired(self._asked(connection, caller, needs.reason)) from None
        return _credential(grant, token)

    def renew(self, connection: Connection, caller: Caller, refused: Credential) -> Credential | None:
        """The endpoint said 401: one refresh beyond the token that it refused, then the user must be asked."""
        grant = self._grant(connection, caller)
        try:
            return _credential(grant, grants.fresh_token(grant, beyond=refused.generation))
        except grants.NeedsConsent as needs:
            raise ConsentRequired(self._asked(connection, caller, needs.reason)) from None

    def waiting(self, connection: Connection, caller: Caller, task: str) -> Consent | None:
        return self.consent_state(connection, caller)[1]

    def consent_state(self, connection: Connection, caller: Caller) -> tuple[str, Consent | None]:
        if caller.user is None:
            return "consent_required", None
        grant = grants.of(connection, caller)
        if grant and grant.state == Grant.State.ACTIVE and grant.asked.still_fit(connection):
            return "connected", None
        if flow.is_blocked(caller):
            return "consent_required", None
        return "consent_required", self._asked(connection, caller, grant.reason if grant else "")

    def stands(self, connection: Connection, caller: Caller) -> bool:
        grant = grants.of(connection, caller)
        return grant is not None and grant.state == Grant.State.ACTIVE

    def acts_as(self, connection: Connection, agent) -> str:
        return "Each person's own account"

    def facts(self, connection: Connection) -> list[tuple[str, str]]:
        terms = Terms.now(connection)
        shown = [
            ("Client ID", terms.client_id),
            ("Authorization URL", terms.authorization_url),
            ("Token URL", terms.token_url),
            ("Refresh URL", terms.refresh_url if terms.refresh_url != terms.token_url else ""),
            ("Scopes", " ".join(terms.scopes)),
            ("PKCE", terms.pkce),
            ("Resource", terms.resource),
            ("Redirect URL", redirect_uri(connection.id)),
        ]
        return [(label, value) for label, value in shown if value]

    def _grant(self, connection: Connection, caller: Caller) -> Grant:
        """Raises what stands in the way: no user, a block, an unfinished connection, no grant."""
        if caller.user is None:
            raise CredentialUnavailable("user_missing")
        if flow.is_blocked(caller):
            raise CredentialUnavailable("agent_blocked_by_user")
        grant = grants.of(connection, caller)
        if grant is None:
            raise ConsentRequired(self._asked(connection, caller, ""))
        return grant

    def _asked(self, connection: Connection, caller: Caller, reason: str) -> Consent:
        if not clients.is_complete(connection):
            raise CredentialUnavailable("oauth_not_finished")
        return flow.consent_of(flow.ask(connection, caller, reason))


def _credential(grant: Grant, token: grants.AccessToken) -> Credential:
    described = f"Token of {grant.user}" + (f", account {grant.account}" if grant.account else "")
    bearer = vault.Secret(f"Bearer {token.value.reveal()}")
    return Credential((("Authorization", bearer),), described=described, generation=token.generation)
