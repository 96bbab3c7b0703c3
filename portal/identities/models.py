"""Identities and where they come from, the tokens at hand, the audiences, the keys of the portal's own issuer."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from portal import vault
from portal.projects.models import Project


class Source(models.TextChoices):
    PORTAL = "portal", "This portal's own issuer"
    ENTRA = "entra", "Microsoft Entra"

    @property
    def within(self) -> str:
        """The label within a sentence."""
        return self.label if self is Source.ENTRA else "this portal's own issuer"


class Proof(models.TextChoices):
    """How Microsoft Entra is convinced. The last two use what the portal's host is, so its owner allots them."""

    CLIENT_SECRET = "client_secret", "Client secret"
    CERTIFICATE = "certificate", "Certificate"
    MANAGED_IDENTITY = "managed_identity", "Managed identity of this host"
    TOKEN_FILE = "token_file", "Federated token file (workload identity)"

    @property
    def is_of_host(self) -> bool:
        return self in (Proof.MANAGED_IDENTITY, Proof.TOKEN_FILE)


class IdentitySource(models.Model):
    """Where a project's identities come from. No row stands for the portal's own issuer.

    The blueprint is the Entra application that speaks for the project's agent identities; `proof_value` is its client
    secret or its certificate with the private key (PEM), sealed to blueprint, proof and token endpoint.
    `host_identity` is the client id of the managed identity that proves the blueprint, where the host does;
    `project_proof` how the host speaks for the project managed identity. Both are allotted by the portal's owner.
    """

    project = models.OneToOneField(Project, models.CASCADE, primary_key=True, related_name="identity_source")
    kind = models.CharField(max_length=12, choices=Source.choices, default=Source.PORTAL)
    tenant = models.CharField(max_length=100, blank=True)
    blueprint = models.CharField(max_length=100, blank=True)
    proof = models.CharField(max_length=20, choices=Proof.choices, default=Proof.CLIENT_SECRET)
    proof_value = models.TextField(blank=True)
    proof_set_at = models.DateTimeField(null=True)
    proof_set_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    proof_expires_on = models.DateField(null=True, blank=True)
    host_identity = models.CharField(max_length=100, blank=True)
    project_proof = models.CharField(max_length=20, choices=Proof.choices, blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "portal"

    @property
    def is_proved_by_host(self) -> bool:
        return Proof(self.proof).is_of_host

    def binding(self, token_endpoint: str) -> vault.Binding:
        return vault.Binding(
            table="portal.identitysource",
            row=self.project_id,
            field="proof_value",
            name=f"{self.proof} {self.blueprint}",
            project=self.project_id,
            addresses=(token_endpoint,),
        )


class Identity(models.Model):
    """One identity. Ids are empty until somebody has entered them; the portal's own issuer makes them by itself.

    `client_id` is what Entra calls the application id (for an agent identity the `fmi_path`), `principal_id` the object
    id that roles are assigned to.
    """

    class Kind(models.TextChoices):
        SHARED = "shared", "Agent identity shared by the project"
        AGENT = "agent", "Agent identity"
        PROJECT = "project", "Project managed identity"

    class State(models.TextChoices):
        NOT_SET_UP = "not_set_up", "Not set up"
        READY = "ready", "Ready"
        FAILING = "failing", "Failing"
        DISABLED = "disabled", "Disabled"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="identities")
    agent = models.ForeignKey("portal.Agent", models.CASCADE, null=True, related_name="identities")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    source = models.CharField(max_length=12, choices=Source.choices)
    name = models.CharField(max_length=200)
    tenant = models.CharField(max_length=100, blank=True)
    client_id = models.CharField(max_length=100, blank=True)
    principal_id = models.CharField(max_length=100, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    set_up_at = models.DateTimeField(null=True)
    set_up_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    disabled_at = models.DateTimeField(null=True)
    disabled_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        app_label = "portal"
        constraints = [
            models.UniqueConstraint(
                fields=["project", "kind", "agent", "source"],
                nulls_distinct=False,
                name="one_identity_per_owner_and_source",
            ),
            # Nobody speaks for another project's identity by entering its id.
            models.UniqueConstraint(
                fields=["source", "tenant", "client_id"],
                condition=~Q(client_id=""),
                name="one_owner_per_client_id",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_set_up(self) -> bool:
        return bool(self.client_id and self.tenant)

    @property
    def state(self) -> State:
        """Failing: the newest attempt to get a token for one of its audiences failed."""
        if self.disabled_at is not None:
            return self.State.DISABLED
        if not self.is_set_up:
            return self.State.NOT_SET_UP
        return self.State.FAILING if any(token.is_failing for token in self.tokens.all()) else self.State.READY


class IdentityToken(models.Model):
    """The token at hand for one identity and audience, and the right to ask for the next one (a lease).

    `failure` is a code of the troubleshooting catalogue: why the newest attempt failed, "" when it did not.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    identity = models.ForeignKey(Identity, models.CASCADE, related_name="tokens")
    audience = models.CharField(max_length=300)
    value = models.TextField(blank=True)
    generation = models.PositiveBigIntegerField(default=0)
    obtained_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    failure = models.CharField(max_length=60, blank=True)
    failing_since = models.DateTimeField(null=True)
    retry_at = models.DateTimeField(null=True)
    lease_by = models.UUIDField(null=True)
    lease_until = models.DateTimeField(null=True)

    class Meta:
        app_label = "portal"
        constraints = [models.UniqueConstraint(fields=["identity", "audience"], name="one_token_per_audience")]

    @property
    def is_failing(self) -> bool:
        """What failed yesterday and was not wanted since says nothing about today."""
        return bool(self.failure) and self.retry_at is not None and self.retry_at > timezone.now() - timedelta(days=1)

    def binding(self) -> vault.Binding:
        """Where it may be sent is not sealed in: the owner's list is asked at every use."""
        return vault.Binding(
            table="portal.identitytoken",
            row=self.id,
            field="value",
            name=f"{self.audience} {self.identity.client_id}",
            project=self.identity.project_id,
        )


class Audience(models.Model):
    """For whom the portal makes tokens, and to which origins they may be sent. Listed by the portal's owner.

    `origins` are spelled as `portal.outbound.urls.Target.origin` spells them: https://hr.contoso.example.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=300, unique=True)
    description = models.CharField(max_length=200, blank=True)
    origins = models.JSONField(default=list)
    listed_at = models.DateTimeField(default=timezone.now)
    listed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        app_label = "portal"

    def __str__(self) -> str:
        return self.name


class SigningKey(models.Model):
    """A key of the portal's own issuer. Waiting until `signs_from`, signing until `ended_at`, then only published."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    public = models.JSONField()
    private = models.TextField()
    made_at = models.DateTimeField(default=timezone.now)
    signs_from = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "portal"
        constraints = [
            models.UniqueConstraint(
                fields=["ended_at"],
                condition=Q(ended_at=None, signs_from__isnull=False),
                nulls_distinct=False,
                name="one_key_signs",
            ),
            models.UniqueConstraint(
                fields=["signs_from"],
                condition=Q(signs_from=None),
                nulls_distinct=False,
                name="one_key_waits",
            ),
        ]

    @property
    def kid(self) -> str:
        return self.public["kid"]

    def binding(self) -> vault.Binding:
        return vault.Binding(table="portal.signingkey", row=self.id, field="private", project=None, name=self.kid)
