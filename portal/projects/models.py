"""A project, who has which role in it, and who was invited."""

import uuid

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone

from portal.projects.roles import Role

# Foundry's rule for project names (foundry.md 2.1).
project_name = RegexValidator(
    r"^[a-zA-Z0-9][a-zA-Z0-9_.-]{1,63}\Z",
    "Use 2 to 64 letters, digits, hyphens, underscores or dots, beginning with a letter or digit.",
)


class Project(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=64, validators=[project_name])
    display_name = models.CharField(max_length=120, blank=True)
    description = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    class Meta:
        app_label = "portal"
        constraints = [
            models.UniqueConstraint(Lower("name"), name="project_name_ignores_case"),
        ]

    def __str__(self) -> str:
        return self.display_name or self.name


class CurrentAssignments(models.QuerySet):
    def current(self):
        """Those that have not ended. Every cached decision repeats this check by itself."""
        return self.filter(Q(until=None) | Q(until__gt=timezone.now()))

    def reaching(self, project: "Project | None"):
        """Those that count on a project: its own and the portal's; on the portal, only the portal's."""
        return self.filter(Q(project=None) | Q(project=project)) if project else self.filter(project=None)


class RoleAssignment(models.Model):
    """One person, one role, on one project or (project empty) on the whole portal."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="role_assignments")
    role = models.CharField(max_length=40, choices=Role.choices)
    project = models.ForeignKey(Project, models.CASCADE, null=True, related_name="role_assignments")
    until = models.DateTimeField(null=True, blank=True)
    given_at = models.DateTimeField(default=timezone.now)
    given_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")

    objects = CurrentAssignments.as_manager()

    class Meta:
        app_label = "portal"
        constraints = [
            models.UniqueConstraint(
                fields=["user", "role", "project"],
                nulls_distinct=False,
                name="one_assignment_per_role_and_scope",
            )
        ]

    def __str__(self) -> str:
        return self.role_words

    @property
    def role_words(self) -> str:
        return f"{self.get_role_display()} on {self.project.name if self.project else 'the portal'}"


class Invitation(models.Model):
    """A link that lets one person set a password and receive one role. Only the token's digest is kept."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    email = models.EmailField()
    name = models.CharField(max_length=120, blank=True)
    token_digest = models.CharField(max_length=64, unique=True)
    role = models.CharField(max_length=40, choices=Role.choices)
    project = models.ForeignKey(Project, models.CASCADE, null=True, related_name="invitations")
    role_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    accepted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "portal"

    @property
    def is_open(self) -> bool:
        return not (self.accepted_at or self.withdrawn_at) and self.expires_at > timezone.now()
