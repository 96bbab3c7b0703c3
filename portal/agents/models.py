"""An agent (a program), the keys it calls with, and whether it may say for which user it calls."""

import uuid

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from portal.projects.models import Project

agent_name = RegexValidator(
    r"^[a-zA-Z0-9][a-zA-Z0-9_-]{2,62}\Z",
    "Use 3 to 63 letters, digits, hyphens or underscores, beginning with a letter or digit.",
)


class Agent(models.Model):
    """`is_playground`: the portal's own, through which people try connections as themselves."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    project = models.ForeignKey(Project, models.CASCADE, related_name="agents")
    name = models.CharField(max_length=64, validators=[agent_name])
    display_name = models.CharField(max_length=120, blank=True)
    description = models.CharField(max_length=500, blank=True)
    registered_at = models.DateTimeField(default=timezone.now)
    registered_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    is_playground = models.BooleanField(default=False)
    published_at = models.DateTimeField(null=True)
    published_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    disabled_at = models.DateTimeField(null=True)
    disabled_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        app_label = "portal"
        constraints = [
            models.UniqueConstraint("project", Lower("name"), name="agent_name_ignores_case"),
            models.UniqueConstraint(fields=["project"], condition=Q(is_playground=True), name="one_playground"),
        ]

    def __str__(self) -> str:
        return self.display_name or self.name

    def belongs_to(self, user) -> bool:
        """Whether this person registered it."""
        return self.registered_by_id is not None and self.registered_by_id == user.id

    @property
    def is_published(self) -> bool:
        """A published agent has an identity of its own; before, all agents of a project share one."""
        return self.published_at is not None


class LiveKeys(models.QuerySet):
    def live(self):
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=timezone.now()), revoked_at=None)


class AgentKey(models.Model):
    """`ghk_<prefix>_<secret>`: the prefix finds the row, SHA-256 of the whole key proves it (256 random bits)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="keys")
    name = models.CharField(max_length=60)
    prefix = models.CharField(max_length=12, unique=True)
    digest = models.BinaryField()
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True)
    revoked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    objects = LiveKeys.as_manager()

    class Meta:
        app_label = "portal"

    def __str__(self) -> str:
        return self.name

    @property
    def is_live(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())


class SpeakingPermission(models.Model):
    """An owner lets an agent say for which user it calls: everyone in the project, or the named people."""

    agent = models.OneToOneField(Agent, models.CASCADE, primary_key=True, related_name="speaking")
    everyone = models.BooleanField(default=False)
    people = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", blank=True)
    until = models.DateTimeField(null=True, blank=True)
    allowed_at = models.DateTimeField(default=timezone.now)
    allowed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        app_label = "portal"

    @property
    def is_current(self) -> bool:
        return self.until is None or self.until > timezone.now()
