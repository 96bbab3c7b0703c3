"""Keeps what a test or a probe found: the health that people see, the history, and when the next one is due."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models.functions import Now
from django.utils import timezone

from connections.first_look import digest_of
from connections.models import Connection, Health, Probe, Watch
from connections.trial import NEEDS_AGENT, Trial
from connections.watching import logged, plan

MOST_DAYS = 32_767


def note(connection: Connection, trial: Trial, claimed_by: UUID | None = None) -> None:
    """Unless the connection was changed or deleted meanwhile, or the claim was lost: then it tells nothing.

    `claimed_by` is a scheduled probe's; a person's test has none.
    """
    with transaction.atomic():
        same = Connection.objects.select_for_update(no_key=True).filter(
            pk=connection.pk, changed_at=connection.changed_at
        )
        if not same:
            Watch.objects.filter(pk=connection.pk, claimed_by=claimed_by).update(claimed_by=None, due_at=Now())
            return
        watch = _held(connection, claimed_by)
        if watch is None:
            return
        now = timezone.now()
        states = _keep_health(connection, trial, watch, now)
        Probe.objects.create(connection=connection, at=now, **_found(trial, now))
        if claimed_by is not None:
            logged.changed(connection, trial, *states)
        _keep_watch(connection, trial, watch, now)


def _held(connection: Connection, claimed_by: UUID | None) -> Watch | None:
    if claimed_by is None:
        Watch.objects.bulk_create([plan.new_watch(connection, timedelta(0))], ignore_conflicts=True)
        return Watch.objects.select_for_update().get(pk=connection.pk)
    return Watch.objects.select_for_update().filter(pk=connection.pk, claimed_by=claimed_by).first()


def _keep_health(connection: Connection, trial: Trial, watch: Watch, now: datetime) -> tuple[str, str]:
    """Returns the state before and after."""
    health, _ = Health.objects.get_or_create(connection=connection, defaults={"since": now})
    before = health.state
    health.checked_at = now
    if not _was_seen_elsewhere(health, trial, watch):
        if health.state != trial.state:
            health.state, health.since = trial.state, now
        health.reason, health.status, health.took_ms = trial.reason, trial.status, trial.took_ms
    health.save()
    return before, health.state


def _was_seen_elsewhere(health: Health, trial: Trial, watch: Watch) -> bool:
    """Something that a probe without the credential can't see, such as a provider that refuses the app registration,
    is not disproved by a card that can be read."""
    is_blind = trial.code == NEEDS_AGENT and trial.state != Health.State.FAILING
    return is_blind and health.state == Health.State.FAILING and health.reason != watch.reason


def _found(trial: Trial, now: datetime) -> dict:
    ends = trial.certificate_ends
    return {
        "state": trial.state,
        "reason": trial.reason,
        "status": trial.status,
        "took_ms": trial.took_ms,
        "certificate_days": min((ends - now).days, MOST_DAYS) if ends else None,
    }


def _keep_watch(connection: Connection, trial: Trial, watch: Watch, now: datetime) -> None:
    watch.failures = watch.failures + 1 if trial.state == Health.State.FAILING else 0
    watch.reason, watch.card_code = trial.reason, trial.card_code
    watch.certificate_ends = trial.certificate_ends or watch.certificate_ends
    if trial.reads_card:
        watch.card_tried_at = now
    if trial.card is not None:
        _keep_card(trial, watch, now)
    watch.host, watch.claimed_by = plan.host_of(connection), None
    watch.due_at = Now() + plan.delay(connection, watch.failures)
    watch.save()


def _keep_card(trial: Trial, watch: Watch, now: datetime) -> None:
    raw = trial.card.raw
    digest = digest_of(raw)
    if digest != watch.card_digest:
        watch.card_digest, watch.card_since = digest, now
    watch.card_read_at, watch.card_version = now, trial.card.version
    watch.card_signed = isinstance(raw.get("signatures"), list) and bool(raw["signatures"])
