"""The access log's rows, the keys that authenticate them, and the two small tables that the gateway leans on."""

import uuid

from django.db import models
from django.utils import timezone


class LogKey(models.Model):
    """A key of the log's own, wrapped by the ring. Rows name it; it is never replaced by a reseal."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    key_id = models.CharField(max_length=32)
    wrapped = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        app_label = "portal"


class LogRow(models.Model):
    """One row of the access log. Only inserted, and only by `portal.audit.log`; a trigger refuses all else.

    Names and ids are copies, so that a row still reads after its person, agent or connection is gone. A call has two
    rows with one `call_id`: an attempt, and an outcome (`kind`). Times are UTC, durations milliseconds, sizes bytes.
    """

    class Kind(models.TextChoices):
        ATTEMPT = "attempt"
        OUTCOME = "outcome"
        ACT = "act"

    id = models.BigAutoField(primary_key=True)
    uid = models.UUIDField(unique=True)
    time = models.DateTimeField()
    kind = models.CharField(max_length=8, choices=Kind.choices)
    event = models.CharField(max_length=60)
    outcome = models.CharField(max_length=24)
    reason = models.CharField(max_length=60, blank=True)
    call_id = models.UUIDField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    actor_kind = models.CharField(max_length=12)
    actor_id = models.UUIDField(null=True)
    actor_name = models.CharField(max_length=200, blank=True)
    on_behalf_of_id = models.UUIDField(null=True)
    on_behalf_of_name = models.CharField(max_length=200, blank=True)
    project_id = models.UUIDField(null=True)
    project_name = models.CharField(max_length=64, blank=True)
    agent_id = models.UUIDField(null=True)
    agent_name = models.CharField(max_length=64, blank=True)
    connection_id = models.UUIDField(null=True)
    connection_name = models.CharField(max_length=64, blank=True)
    auth_method = models.CharField(max_length=60, blank=True)
    method = models.CharField(max_length=60, blank=True)
    binding = models.CharField(max_length=20, blank=True)
    protocol = models.CharField(max_length=8, blank=True)
    target = models.TextField(blank=True)
    status = models.IntegerField(null=True)
    duration = models.BigIntegerField(null=True)
    bytes_in = models.BigIntegerField(null=True)
    bytes_out = models.BigIntegerField(null=True)
    details = models.TextField(blank=True)
    log_key = models.UUIDField()
    writer = models.UUIDField()
    counter = models.BigIntegerField()
    hmac = models.BinaryField()

    class Meta:
        app_label = "portal"
        constraints = [models.UniqueConstraint(fields=["writer", "counter"], name="one_row_per_writer_and_counter")]
        indexes = [
            models.Index(fields=["project_id", "-id"], name="log_by_project"),
            models.Index(fields=["connection_id", "-id"], name="log_by_connection"),
            models.Index(fields=["agent_id", "-id"], name="log_by_agent"),
            models.Index(fields=["call_id"], name="log_by_call"),
            models.Index(fields=["on_behalf_of_id", "-id"], name="log_by_user"),
            models.Index(fields=["request_id"], name="log_by_request"),
        ]


class ChangeCounter(models.Model):
    """One row. Whatever an administrator or user changes raises it; see `portal.audit.changes`."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    value = models.BigIntegerField(default=0)

    class Meta:
        app_label = "portal"


class LastUse(models.Model):
    """When a key, connection or other thing was last used, by its id; written at most once a minute."""

    subject = models.UUIDField(primary_key=True)
    at = models.DateTimeField()

    class Meta:
        app_label = "portal"
