"""Saving what a person entered for a connection: the change, its row in the log and the change counter in one
transaction. Nothing here touches the network."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from connections import events, offering, secrets
from connections.drafts import Draft, Place
from connections.methods import method_of, methods
from connections.models import Connection, Health, Secret
from connections.secrets import NewSecret
from connections.watching import plan
from portal.agents.models import Agent
from portal.audit import changes
from portal.projects.models import Project
from portal.users import User


class WouldClear(Exception):
    """The change moves where stored values would be sent, or who reads them; saving it destroys them (T01).

    `lost` are the values, `costs` says in words what else the method keeps that would not fit any more.
    """

    def __init__(self, lost: Sequence[Secret], costs: str = "", *, method_changes: bool) -> None:
        super().__init__("stored values would be cleared")
        self.lost, self.costs, self.method_changes = lost, costs, method_changes


class NameTaken(Exception):
    """Somebody connected something under this name just now."""


class ChangedMeanwhile(Exception):
    """Somebody else changed the connection after this person had read it."""


def connect(project: Project, draft: Draft, by: User, for_agent: Agent | None = None) -> Connection:
    """Saves a new connection with its secrets sealed to every address they may be sent to. Raises NameTaken."""
    connection = draft.fill(Connection(project=project, name=draft.name, created_by=by))
    connection.card_read_at = timezone.now() if draft.card is not None else None
    with changes.announced():
        _insert(connection)
        _store(connection, draft.secrets, by)
        details = {"method": connection.auth_method, "host": offering.host_of(connection)}
        offering.record(events.CONNECTION_CREATED, connection, by, details=details)
        if for_agent is not None:
            offering.give(connection, for_agent, by)
    return connection


def _insert(connection: Connection) -> None:
    try:
        with transaction.atomic():
            connection.save(force_insert=True)
    except IntegrityError:
        raise NameTaken from None


def change(connection: Connection, draft: Draft, by: User, *, clearing: bool = False) -> Connection:
    """Saves an edit. Raises WouldClear unless `clearing`, and ChangedMeanwhile."""
    with changes.announced():
        stored = _locked(connection)
        before, old_method = _sent_to(stored), stored.auth_method
        draft.fill(stored)
        if draft.interfaces is not None:
            stored.card_read_at = timezone.now() if draft.card is not None else None
        lost = _lost(stored, draft, before, method_changes=old_method != stored.auth_method)
        costs = _costs(stored, old_method)
        if (lost or costs) and not clearing:
            raise WouldClear(lost, costs, method_changes=old_method != stored.auth_method)
        _save_changed(stored)
        _drop_what_methods_keep(stored, old_method, by)
        _drop_and_keep(stored, draft, lost, method_changes=old_method != stored.auth_method)
        _store(stored, draft.secrets, by)
        details = {"method": stored.auth_method, "host": offering.host_of(stored)}
        offering.record(events.CONNECTION_CHANGED, stored, by, details=details)
        if lost:
            offering.record(events.SECRETS_CLEARED, stored, by, details={"count": len(lost)})
        if draft.secrets:
            offering.record(events.SECRET_REPLACED, stored, by, details=_named(draft.secrets))
    return stored


def replace(
    connection: Connection,
    new: Sequence[NewSecret],
    kept: Mapping[Place, date | None],
    by: User,
    keep_former: timedelta | None = None,
) -> None:
    """New values for stored secrets; `kept` ones only get their expiry date.

    For `keep_former` the values that they replace are tried where the endpoint refuses the new ones. Raises
    ChangedMeanwhile: a value is meant for the addresses that it was typed for.
    """
    with changes.announced():
        stored = _locked(connection)
        until = timezone.now() + keep_former if keep_former else None
        _set_expiry(stored, kept)
        _store(stored, new, by, until)
        _save_changed(stored)
        kept_until = {"former_value_kept_until": until.isoformat(timespec="seconds")} if until else {}
        offering.record(events.SECRET_REPLACED, stored, by, details=_named(new) | kept_until)


def end_former(connection: Connection, by: User) -> bool:
    """The former values are destroyed before their time. False where there were none any more."""
    with changes.announced():
        ended = secrets.end_former(connection)
        if ended:
            offering.record(events.FORMER_VALUE_ENDED, connection, by)
    return bool(ended)


def limit(connection: Connection, given: Mapping[str, str | int | None], by: User) -> None:
    """What is set beside the endpoint, by the names of LimitsForm; None stands for the portal's own limits."""
    with changes.announced():
        stored = _locked(connection)
        for name, value in given.items():
            setattr(stored, name, value)
        stored.changed_at = timezone.now()
        stored.save()
        plan.soon(stored)
        details = {name: value for name, value in given.items() if name != "display_name"}
        offering.record(events.CONNECTION_CHANGED, stored, by, details=details)


def confirm_card(connection: Connection, card: dict, interfaces: list[dict], by: User, *, clearing: bool) -> None:
    """Takes over a changed card. Raises WouldClear when its addresses differ and `clearing` was not said."""
    with changes.announced():
        stored = _locked(connection)
        before = _sent_to(stored)
        stored.card, stored.interfaces, stored.card_read_at = card, interfaces, timezone.now()
        moved = [s for s in stored.secrets.all() if s.is_set and before.get(s.field) != _sent_to(stored)[s.field]]
        costs = _costs(stored, stored.auth_method)
        if (moved or costs) and not clearing:
            raise WouldClear(moved, costs, method_changes=False)
        _save_changed(stored)
        _drop_what_methods_keep(stored, stored.auth_method, by)
        for secret in moved:
            secrets.clear(stored, secret.field)
        offering.record(events.CARD_CONFIRMED, stored, by, details={"addresses": list(stored.addresses())})
        if moved:
            offering.record(events.SECRETS_CLEARED, stored, by, details={"count": len(moved)})


def _locked(connection: Connection) -> Connection:
    """The row, locked, if it still is what the person read."""
    stored = Connection.objects.select_for_update().select_related("project").get(pk=connection.pk)
    if stored.changed_at != connection.changed_at:
        raise ChangedMeanwhile
    return stored


def _sent_to(connection: Connection) -> dict[str, tuple[str, ...]]:
    if connection.auth_method not in methods():
        return {}
    method = method_of(connection)
    return {field.slug: method.addresses(connection, field.slug) for field in method.secret_fields}


def _lost(
    connection: Connection, draft: Draft, before: dict[str, tuple[str, ...]], *, method_changes: bool
) -> list[Secret]:
    """The stored values that the change destroys and for which no new one was typed."""
    after = _sent_to(connection)
    held = [secret for secret in connection.secrets.all() if secret.is_set]
    if method_changes:
        return held
    return [s for s in held if (s.field, s.position) in draft.kept and before.get(s.field) != after.get(s.field)]


def _costs(connection: Connection, old_method: str) -> str:
    """Beside stored values; asked of the method that the connection had."""
    return methods()[old_method].lost_by(connection) if old_method in methods() else ""


def _drop_what_methods_keep(connection: Connection, old_method: str, by: User) -> None:
    if old_method in methods():
        methods()[old_method].drop_lost(connection, by)


def _drop_and_keep(connection: Connection, draft: Draft, lost: list[Secret], *, method_changes: bool) -> None:
    if method_changes:
        connection.secrets.all().delete()
        return
    for secret in connection.secrets.all():
        if (secret.field, secret.position) not in draft.kept:
            secret.delete()
    _set_expiry(connection, draft.kept)
    connection.secrets.filter(pk__in=[secret.pk for secret in lost]).update(value="", **secrets.NO_FORMER)


def _set_expiry(connection: Connection, kept: Mapping[Place, date | None]) -> None:
    """Another date is reminded of anew."""
    for (field, position), expires_on in kept.items():
        changed = connection.secrets.filter(field=field, position=position).exclude(expires_on=expires_on)
        changed.update(expires_on=expires_on, reminded=None)


def _store(connection: Connection, new: Sequence[NewSecret], by: User, former_until: datetime | None = None) -> None:
    sent_to = _sent_to(connection)
    for secret in new:
        secrets.store(connection, secret, sent_to[secret.field], by, former_until)


def _save_changed(connection: Connection) -> None:
    """What the last test found was found under the old settings."""
    connection.changed_at = timezone.now()
    connection.save()
    Health.objects.filter(connection=connection).delete()
    plan.soon(connection)


def _named(new: Sequence[NewSecret]) -> dict[str, str]:
    return {"names": ", ".join(secret.name or secret.field for secret in new)}
