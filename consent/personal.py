"""Everything that stands here of what one person allowed: exported without tokens, and erased."""

from typing import Any

from django.utils import timezone

from connections import calls
from consent import events, grants
from consent.models import Block, Cancellation, ConsentRequest, Grant
from portal.audit import changes, log
from portal.audit.models import LastUse
from portal.users import User

MOST_USES = 1000


def exported(person: User, by: User) -> dict[str, Any]:
    """Plain values for a file. That it was made is logged: it tells whom the person let do what."""
    given = Grant.objects.filter(user=person).select_related("connection__project", "agent").order_by("given_at")
    blocks = Block.objects.filter(user=person).select_related("agent__project").order_by("at")
    content = {
        "person": {"name": person.name, "email": person.email},
        "exported_at": timezone.now().isoformat(timespec="seconds"),
        "consents": [_consent(grant) for grant in given],
        "blocked": [
            {"agent": block.agent.name, "project": block.agent.project.name, "at": _moment(block.at)}
            for block in blocks
        ],
        "cancellations": [_cancellation(row) for row in _cancellations(person).order_by("begun_at")],
        "uses": [_use(call) for call in calls.on_behalf_of(person, MOST_USES)],
    }
    log.record(events.EXPORTED, log.Actor.of(by), on_behalf_of=person, details={"consents": len(content["consents"])})
    return content


def _consent(grant: Grant) -> dict[str, Any]:
    moments = ("given_at", "refreshed_at", "expires_at", "refresh_token_ends_at", "ended_at")
    return {
        "project": grant.connection.project.name,
        "connection": grant.connection.name,
        "agent": grant.agent.name,
        "provider": grant.asked.sign_in_host,
        "sent_to": grant.asked.endpoint_host,
        "account": grant.account,
        "account_issuer": grant.account_issuer,
        "account_subject": grant.account_subject,
        "account_notes": list(grant.account_notes),
        "state": grant.state,
        "reason": grant.reason,
        "scopes_asked": list(grant.asked.scopes),
        "scopes_given": list(grant.scopes_given),
        **{name: _moment(getattr(grant, name)) for name in moments},
    }


def _cancellation(row: Cancellation) -> dict[str, Any]:
    named = {name: row.about[f"{name}_name"] for name in ("project", "connection", "agent")}
    moments = {"begun_at": _moment(row.begun_at), "settled_at": _moment(row.settled_at)}
    return named | {"provider": row.asked.sign_in_host, "account": row.account, "state": row.state} | moments


def _use(call: calls.Call) -> dict[str, Any]:
    row = call.row
    named = {"project": row.project_name, "connection": row.connection_name, "agent": row.agent_name}
    return named | {"at": _moment(row.time), "method": row.method, "outcome": str(call.outcome)}


def _moment(moment) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _cancellations(person: User):
    return Cancellation.objects.filter(user_id=person.id)


def erase(person: User, by: User) -> int:
    """Ends what stands, then deletes the rows: how many consents. The log's rows stay, as for everybody.

    What providers are still to be told stays until they were told: only then nothing of it lives there either.
    """
    with changes.announced():
        given = Grant.objects.filter(user=person)
        grants.revoke_all(given, by, "erased")
        ids = list(given.values_list("pk", flat=True))
        for rows in (given, ConsentRequest.objects.filter(user=person), Block.objects.filter(user=person)):
            rows.delete()
        LastUse.objects.filter(subject__in=ids).delete()
        _cancellations(person).exclude(state=Cancellation.State.WAITING).delete()
        log.record(events.ERASED, log.Actor.of(by), on_behalf_of=person, details={"consents": len(ids)})
    return len(ids)
