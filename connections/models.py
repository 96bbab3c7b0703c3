"""A connection, its sealed secrets, the agents it was given to, and who owns which task at its endpoint."""

import uuid
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from django.conf import settings as deployment
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils import timezone

from portal import vault
from portal.agents.models import Agent
from portal.projects.models import Project
from portal.users import User

CARD_PATH = "/.well-known/agent-card.json"

# Foundry's rule for connection names (foundry.md 2.1).
connection_name = RegexValidator(
    r"^[a-zA-Z0-9][a-zA-Z0-9_-]{2,32}\Z",
    "Use 3 to 33 letters, digits, hyphens or underscores, beginning with a letter or digit.",
)


class Connection(models.Model):
    """A saved endpoint, an authentication method, and what that method needs.

    `probe_every` is in minutes; 0 stands for never, null for the portal's own interval.

    `settings` holds the method's own non-secret values, validated by the method's form.
    `interfaces` is where calls go: [{"url", "binding": "JSONRPC" or "HTTP+JSON", "version": "1.0" or "0.3",
    "tenant"?}], read from the card when the connection is saved or an administrator confirms a changed card.
    `card` is the card as it was read then, or null where none can be read.
    """

    class ConsentAnswer(models.TextChoices):
        """How a missing consent is answered; some clients drop the auth-required state of a plain call."""

        TASK = "task", "Task in the auth-required state"
        MESSAGE = "message", "Plain message"
        INPUT_REQUIRED = "input-required", "Task in the input-required state"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="connections")
    name = models.CharField(max_length=64, validators=[connection_name])
    display_name = models.CharField(max_length=120, blank=True)
    endpoint = models.TextField()
    card_path = models.TextField(default=CARD_PATH)
    send_credentials_for_card = models.BooleanField(default=False)
    auth_method = models.CharField(max_length=60)
    settings = models.JSONField(default=dict)
    interfaces = models.JSONField(default=list)
    card = models.JSONField(null=True)
    card_read_at = models.DateTimeField(null=True)
    given_to_all = models.BooleanField(default=False)
    consent_answer = models.CharField(max_length=16, choices=ConsentAnswer.choices, default=ConsentAnswer.TASK)
    calls_per_minute = models.PositiveIntegerField(null=True, blank=True)
    calls_at_once = models.PositiveIntegerField(null=True, blank=True)
    probe_every = models.PositiveSmallIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)
    disabled_at = models.DateTimeField(null=True)
    disabled_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint("project", Lower("name"), name="connection_name_ignores_case"),
        ]

    def __str__(self) -> str:
        return self.display_name or self.name

    @property
    def gateway_url(self) -> str:
        """The one URL that agents call."""
        return f"{deployment.PUBLIC_URL}/a2a/{self.project.name}/{self.name}"

    @property
    def card_url(self) -> str:
        """The card path is appended to the endpoint; a full URL stands for itself."""
        if "://" in self.card_path:
            return self.card_path
        return f"{self.endpoint.rstrip('/')}/{self.card_path.lstrip('/')}"

    @property
    def default_card_url(self) -> str:
        """Where most servers keep the card: at the origin."""
        return urljoin(self.endpoint, CARD_PATH)

    @property
    def sends_card_credentials(self) -> bool:
        """Credentials go with the card request only over https and to the endpoint's own host (foundry.md 1.1)."""
        card, endpoint = urlsplit(self.card_url), urlsplit(self.endpoint)
        return self.send_credentials_for_card and card.scheme == "https" and card.netloc == endpoint.netloc

    def addresses(self) -> tuple[str, ...]:
        """Every URL that the connection's credential may be sent to. Secrets are sealed to exactly these (T01)."""
        urls = {self.endpoint, *(interface["url"] for interface in self.interfaces)}
        return tuple(sorted(urls | ({self.card_url} if self.sends_card_credentials else set())))

    @property
    def is_enabled(self) -> bool:
        return self.disabled_at is None


class Secret(models.Model):
    """One sealed value: the `position`-th of a field, with the credential name it is sent under.

    The former value lives on beside it until `former_until`, for endpoints that learn of a new one later. `reminded`
    is for how many days before `expires_on` a mail was last sent, `reminding_until` a worker's claim to send one.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="secrets")
    field = models.CharField(max_length=60)
    position = models.PositiveSmallIntegerField(default=0)
    name = models.CharField(max_length=200, blank=True)
    value = models.TextField()
    set_at = models.DateTimeField(default=timezone.now)
    set_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")
    expires_on = models.DateField(null=True, blank=True)
    former_name = models.CharField(max_length=200, blank=True, default="", db_default="")
    former_value = models.TextField(blank=True, default="", db_default="")
    former_until = models.DateTimeField(null=True)
    reminded = models.PositiveSmallIntegerField(null=True)
    reminding_until = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "field", "position"], name="one_secret_per_field_and_position"
            )
        ]
        ordering = ["field", "position"]

    @property
    def is_set(self) -> bool:
        """False once the value was cleared, because an address that it may be sent to was changed."""
        return bool(self.value)

    @property
    def age_days(self) -> int:
        return (timezone.now() - self.set_at).days

    @property
    def is_old(self) -> bool:
        return self.is_set and self.age_days >= deployment.SECRET_OLD_DAYS

    @property
    def has_former(self) -> bool:
        return bool(self.former_value) and self.former_until is not None and self.former_until > timezone.now()

    def binding(self, addresses: tuple[str, ...]) -> vault.Binding:
        return vault.Binding(
            table="connections.secret",
            row=self.id,
            field=self.field,
            name=self.name,
            project=self.connection.project_id,
            addresses=addresses,
        )

    def former_binding(self, addresses: tuple[str, ...]) -> vault.Binding:
        return replace(self.binding(addresses), field=f"{self.field}, former", name=self.former_name)


class Given(models.Model):
    """A connection given to an agent ("Use in an agent"). Without it, or `given_to_all`, the agent can't call it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="given")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="given")
    given_at = models.DateTimeField(default=timezone.now)
    given_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "agent"], name="given_once")]


class Health(models.Model):
    """What the last test of a connection found, and since when it has been so."""

    class State(models.TextChoices):
        HEALTHY = "healthy", "Healthy"
        FAILING = "failing", "Failing"
        NOT_CHECKED = "not_checked", "Not checked"

    connection = models.OneToOneField(Connection, models.CASCADE, primary_key=True, related_name="health")
    state = models.CharField(max_length=12, choices=State.choices, default=State.NOT_CHECKED)
    since = models.DateTimeField(default=timezone.now)
    checked_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=60, blank=True)
    status = models.IntegerField(null=True)
    took_ms = models.IntegerField(null=True)


# Of a Watch: who must hear of it. A single blip is not told; the probe that follows it soon decides.
TO_TELL = Q(told=False, failures__gte=2) | Q(told=True, failures=0)


class Watch(models.Model):
    """A connection's scheduled probes: when the next one is due, who is at it, and what the last ones saw.

    `due_at` is on the database's clock. Whoever probes holds the row until then under `claimed_by`; a claim that ends
    makes it due again. `failures` counts probes that failed in a row, `told` says that people know of it, and `tell_at`
    is until when somebody is telling them. `logged_at` is the log's row that covers the next probes. `reason` is what
    the last probe met; `card_code` why a card that was once read is not there, `card_since` when this card was first
    seen.
    """

    connection = models.OneToOneField(Connection, models.CASCADE, primary_key=True, related_name="watch")
    host = models.CharField(max_length=300)
    due_at = models.DateTimeField(db_default=Now())
    claimed_by = models.UUIDField(null=True)
    failures = models.PositiveIntegerField(default=0)
    told = models.BooleanField(default=False)
    tell_at = models.DateTimeField(null=True)
    logged_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=60, blank=True)
    card_tried_at = models.DateTimeField(null=True)
    card_read_at = models.DateTimeField(null=True)
    card_since = models.DateTimeField(null=True)
    card_digest = models.CharField(max_length=64, blank=True)
    card_version = models.CharField(max_length=40, blank=True)
    card_signed = models.BooleanField(default=False)
    card_code = models.CharField(max_length=60, blank=True)
    certificate_ends = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["due_at"], name="watches_by_due"),
            models.Index(fields=["host"], condition=Q(claimed_by__isnull=False), name="watches_claimed_by_host"),
            models.Index(fields=["tell_at"], condition=TO_TELL, name="watches_to_tell"),
        ]


class Probe(models.Model):
    """What one probe found, or `count` alike ones of an hour that is past: then `at` is the last, `took_ms` the middle.

    One compact row: there is one for each connection and interval.
    """

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="probes", db_index=False)
    at = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=12, choices=Health.State.choices)
    reason = models.CharField(max_length=60, blank=True)
    status = models.SmallIntegerField(null=True)
    took_ms = models.IntegerField(null=True)
    certificate_days = models.SmallIntegerField(null=True)
    count = models.SmallIntegerField(default=1)

    class Meta:
        indexes = [models.Index(fields=["connection", "at"], name="probes_by_time")]


class TaskOwner(models.Model):
    """Who began a task or context at an endpoint; the endpoint sees one shared caller and can't tell (protocols 1.5).

    `task` is empty for a context that has no task yet. `made_by` says who made the ids: the endpoint, or the gateway
    (prefix `gh-`), whose conversation the endpoint knows under `endpoint_context`.
    """

    class MadeBy(models.TextChoices):
        ENDPOINT = "endpoint"
        GATEWAY = "gateway"

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="+")
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="+")
    user = models.ForeignKey(User, models.CASCADE, null=True, related_name="+")
    task = models.CharField(max_length=256, blank=True)
    context = models.CharField(max_length=256, blank=True)
    made_by = models.CharField(max_length=8, choices=MadeBy.choices, default=MadeBy.ENDPOINT)
    endpoint_context = models.CharField(max_length=256, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["connection", "task"], condition=~Q(task=""), name="one_owner_per_task"),
            models.UniqueConstraint(
                fields=["connection", "context"],
                condition=Q(task="") & ~Q(context=""),
                name="one_owner_per_context",
            ),
        ]
        indexes = [
            models.Index(fields=["connection", "context"], name="tasks_by_context"),
            models.Index(
                fields=["connection", "endpoint_context"],
                condition=~Q(endpoint_context=""),
                name="tasks_by_endpoint_context",
            ),
        ]
