"""The link that asks a user (ConsentRequest), what the user gave (Grant), agents whom a user refuses (Block).

How fast sweeps may ask a provider (Pace), what providers are still to be told (Cancellation), the apps that the
portal's owner registered at publishers (PublisherApp), and the keys with which connections sign (ClientKey).
"""

import uuid

from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, Lower
from django.utils import timezone

from connections.models import Connection
from consent.publishers import PUBLISHERS, Publisher
from consent.terms import Terms
from portal import vault
from portal.agents.models import Agent
from portal.sealed import Sealed
from portal.users import User

_ORIGIN = Func(
    KeyTextTransform("refresh_url", F("terms")),
    Value("^[^/]*//[^/?#]*", output_field=models.TextField()),
    function="substring",
    output_field=models.TextField(),
)


class ConsentRequest(models.Model):
    """Asks one user to let one agent act through one connection. Its id is the link, and reveals nothing.

    `terms` are the addresses and scopes as they were when it was made; a later edit of the connection changes nothing
    for it. The flow begun from it keeps digests of its state and browser, and its PKCE verifier sealed. From `tell_at`
    on, the agent's owner is to be told that it was not asked for.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        GRANTED = "granted"
        DECLINED = "declined"
        NOT_ASKED = "not_asked"
        ENDED = "ended"

    class BegunBy(models.TextChoices):
        AGENT = "agent"
        PERSON = "person"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="consent_requests")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="consent_requests")
    user = models.ForeignKey(User, models.CASCADE, related_name="consent_requests")
    terms = models.JSONField()
    begun_by = models.CharField(max_length=8, choices=BegunBy.choices, default=BegunBy.AGENT)
    reason = models.CharField(max_length=60, blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=60, blank=True)
    state_digest = models.CharField(max_length=64, blank=True)
    browser_digest = models.CharField(max_length=64, blank=True)
    verifier = models.TextField(blank=True)
    flow_ends_at = models.DateTimeField(null=True)
    used_at = models.DateTimeField(null=True)
    tell_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "agent", "user"], condition=Q(state="waiting"), name="one_live_consent_request"
            ),
            models.UniqueConstraint(
                fields=["state_digest"], condition=~Q(state_digest=""), name="one_request_per_state"
            ),
        ]

    @property
    def asked(self) -> Terms:
        return Terms.of(self.terms)

    @property
    def is_live(self) -> bool:
        return self.state == self.State.WAITING and self.expires_at > timezone.now()

    def binding(self, field: str) -> vault.Binding:
        return vault.Binding(
            table="consent.request",
            row=self.id,
            field=field,
            project=self.connection.project_id,
            user=self.user_id,
            agent=self.agent_id,
            addresses=(self.asked.token_url,),
        )


class Grant(models.Model):
    """One user's tokens for one agent and one connection. Used, refreshed and revoked under the terms it was given.

    `generation` rises with every change of the tokens; a refresh that comes back to another generation is discarded.
    The lease (`lease_by` until `lease_until`, on the database's clock) lets one process at a time talk to the provider;
    `refresh_failures` counts those in a row.

    From `refresh_due_at` on, a sweep looks whether it should be refreshed (null: it was not looked at yet); from
    `tell_at` on, its user is to be told that it ends or has ended, and `told_at` is when that was done.
    `account` is the name of the account at the provider, for people; issuer and subject tell it from any other, and
    `account_notes` are codes of what was to be said of it when it was connected.

    `asked_at`: when the first attempt to refresh began whose end nobody knows; null while there is none.
    `provider` is the origin that refreshes it, by which sweeps keep their pace. `restored_at`: it came from a backup,
    and a sweep tries once whether its refresh token still is the newest.
    """

    class State(models.TextChoices):
        ACTIVE = "active", "Connected"
        NEEDS_CONSENT = "needs_consent", "Needs consent again"
        REVOKED = "revoked", "Disconnected"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="grants")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="grants")
    user = models.ForeignKey(User, models.CASCADE, related_name="grants")
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACTIVE)
    reason = models.CharField(max_length=60, blank=True)
    terms = models.JSONField()
    access_token = models.TextField(blank=True)
    refresh_token = models.TextField(blank=True)
    scopes_given = models.JSONField(default=list)
    account = models.CharField(max_length=200, blank=True)
    account_issuer = models.CharField(max_length=2000, blank=True, default="", db_default="")
    account_subject = models.CharField(max_length=255, blank=True, default="", db_default="")
    account_notes = models.JSONField(default=list, db_default=[])
    given_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True)
    refreshed_at = models.DateTimeField(null=True)
    refresh_error = models.CharField(max_length=60, blank=True)
    refresh_failures = models.PositiveSmallIntegerField(default=0)
    retry_at = models.DateTimeField(null=True)
    generation = models.BigIntegerField(default=0)
    lease_by = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)
    asked_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    refresh_token_ends_at = models.DateTimeField(null=True)
    refresh_due_at = models.DateTimeField(null=True)
    tell_at = models.DateTimeField(null=True)
    told_at = models.DateTimeField(null=True)
    restored_at = models.DateTimeField(null=True)
    provider = models.GeneratedField(
        expression=Coalesce(Lower(_ORIGIN), Value("", output_field=models.TextField())),
        output_field=models.TextField(),
        db_persist=True,
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "agent", "user"], name="one_grant_per_agent_and_user")
        ]
        indexes = [
            models.Index(fields=["state", "expires_at"], name="grants_by_expiry"),
            models.Index(fields=["provider", "refresh_due_at"], name="grants_to_refresh", condition=Q(state="active")),
            models.Index(fields=["provider"], name="grants_held", condition=~Q(lease_until=None)),
            models.Index(fields=["tell_at"], name="grants_to_tell", condition=~Q(tell_at=None)),
        ]

    @property
    def asked(self) -> Terms:
        return Terms.of(self.terms)

    @property
    def was_interrupted(self) -> bool:
        """A process began a refresh and never said how it ended; the next call finds out."""
        return self.lease_until is not None and self.lease_until < timezone.now()

    def binding(self, field: str) -> vault.Binding:
        """The access token may go to the endpoint, the refresh token to the provider, each as it was when given."""
        terms = self.asked
        return vault.Binding(
            table="consent.grant",
            row=self.id,
            field=field,
            project=self.connection.project_id,
            user=self.user_id,
            agent=self.agent_id,
            addresses=terms.access_token_addresses if field == "access_token" else terms.refresh_token_addresses,
        )


class Block(models.Model):
    """ "I did not ask for this": the agent gets neither links nor tokens for this user until the user unblocks it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="blocks")
    user = models.ForeignKey(User, models.CASCADE, related_name="blocks")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["agent", "user"], name="blocked_once")]


class Cancellation(models.Model):
    """Tokens that their provider is to be told to cancel (RFC 7009). They are used for nothing else.

    All of it is a copy, so that it outlives the connection, the agent, the user and the project; `about` are the log's
    columns. From `try_at` on a worker tells it, and holds the row by moving that on. Once it is settled, nothing sealed
    is left in the row.
    """

    class State(models.TextChoices):
        WAITING = "waiting"
        CONFIRMED = "confirmed"
        GIVEN_UP = "given_up"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection_id = models.UUIDField()
    agent_id = models.UUIDField()
    user_id = models.UUIDField()
    account = models.CharField(max_length=200, blank=True)
    about = models.JSONField()
    terms = models.JSONField()
    provider = models.TextField()
    refresh_token = models.TextField(blank=True)
    access_token = models.TextField(blank=True)
    client_secret = models.TextField(blank=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.WAITING)
    begun_at = models.DateTimeField(default=timezone.now)
    try_at = models.DateTimeField(default=timezone.now)
    tries = models.PositiveSmallIntegerField(default=0)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["provider", "try_at"], name="cancellations_due", condition=Q(state="waiting")),
            models.Index(fields=["user_id", "begun_at"], name="cancellations_of_a_person"),
            models.Index(fields=["connection_id", "begun_at"], name="cancellations_of_a_connection"),
        ]

    @property
    def asked(self) -> Terms:
        return Terms.of(self.terms)

    def binding(self, field: str) -> vault.Binding:
        """To the revocation address alone, under the portal's own key: the project's may be gone by then."""
        return vault.Binding(
            table="consent.cancellation",
            row=self.id,
            field=field,
            project=None,
            user=self.user_id,
            agent=self.agent_id,
            addresses=(self.asked.revocation_url,),
        )


class PublisherApp(models.Model):
    """An app that the portal's owner registered at a publisher of the catalogue, for all projects (managed OAuth).

    Its tokens go only to `origins`, spelled as `portal.outbound.urls.Target.origin` spells them. `variables` fill the
    places of the record's addresses. The secret is sealed to the publisher's addresses as record and variables say
    them; the one that it replaced lives on beside it until `former_until`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    publisher = models.CharField(max_length=60, unique=True)
    client_id = models.CharField(max_length=500)
    variables = models.JSONField(default=dict)
    origins = models.JSONField(default=list)
    client_secret = models.TextField(blank=True)
    secret_set_at = models.DateTimeField(null=True)
    secret_set_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    secret_expires_on = models.DateField(null=True, blank=True)
    former_secret = models.TextField(blank=True)
    former_until = models.DateTimeField(null=True)
    listed_at = models.DateTimeField(default=timezone.now)
    listed_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    def __str__(self) -> str:
        return self.record.name if self.record else self.publisher

    @property
    def record(self) -> Publisher | None:
        """None where this version of the portal no longer knows the publisher."""
        return PUBLISHERS.get(self.publisher)

    def address(self, name: str) -> str:
        """One of the record's addresses; "" where it has none, or needs a value that was never entered."""
        try:
            return self.record.address(name, {**self.variables, "client_id": self.client_id}) if self.record else ""
        except KeyError:
            return ""

    @property
    def secret_addresses(self) -> tuple[str, ...]:
        """Where the client secret may be sent; the same as `Terms.refresh_token_addresses`."""
        token = self.address("token_url")
        return tuple(filter(None, (token, self.address("refresh_url") or token, self.address("revocation_url"))))

    @property
    def needs_secret(self) -> bool:
        return self.record is not None and self.record.client_auth != "none"

    @property
    def has_former(self) -> bool:
        return bool(self.former_secret) and self.former_until is not None and self.former_until > timezone.now()

    def binding(self, field: str, addresses: tuple[str, ...] | None = None) -> vault.Binding:
        return vault.Binding(
            table="consent.publisherapp",
            row=self.id,
            field=field,
            name=f"{self.publisher} {self.client_id}",
            project=None,
            addresses=self.secret_addresses if addresses is None else addresses,
        )


class ClientKey(models.Model):
    """A key that signs who a connection is. Waiting until `signs_from`, signing until `ended_at`, then only published.

    `key_set` is what the published address names; `addresses` are those that the private half is sealed to. `private`
    is "" once nothing is signed with it any more, and `connection` null once that was deleted.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.SET_NULL, null=True, related_name="client_keys")
    key_set = models.UUIDField(db_index=True)
    addresses = models.JSONField()
    public = models.JSONField()
    private = models.TextField(blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    signs_from = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["key_set"], condition=Q(ended_at=None, signs_from__isnull=False), name="one_client_key_signs"
            ),
            models.UniqueConstraint(fields=["key_set"], condition=Q(signs_from=None), name="one_client_key_waits"),
        ]

    @property
    def kid(self) -> str:
        return self.public["kid"]

    def binding(self) -> vault.Binding:
        return vault.Binding(
            table="consent.clientkey",
            row=self.id,
            field="private",
            name=self.kid,
            project=self.connection.project_id,
            addresses=tuple(self.addresses),
        )


# What a reseal goes through.
SEALED = (
    Sealed("consent.publisherapp", PublisherApp, "client_secret", lambda row: row.binding("client_secret")),
    Sealed("consent.publisherapp", PublisherApp, "former_secret", lambda row: row.binding("former_secret")),
    Sealed("consent.request", ConsentRequest, "verifier", lambda row: row.binding("verifier"), ("connection",)),
    Sealed("consent.grant", Grant, "access_token", lambda row: row.binding("access_token"), ("connection",)),
    Sealed("consent.grant", Grant, "refresh_token", lambda row: row.binding("refresh_token"), ("connection",)),
    Sealed("consent.cancellation", Cancellation, "refresh_token", lambda row: row.binding("refresh_token")),
    Sealed("consent.cancellation", Cancellation, "access_token", lambda row: row.binding("access_token")),
    Sealed("consent.cancellation", Cancellation, "client_secret", lambda row: row.binding("client_secret")),
    Sealed("consent.clientkey", ClientKey, "private", lambda row: row.binding(), ("connection",)),
)


class Pace(models.Model):
    """One provider: until `spent_until` the sweeps of all workers have used up what they may ask of it in a second."""

    provider = models.TextField(primary_key=True)
    spent_until = models.DateTimeField(default=timezone.now)
