"""The log's rows about what users gave."""

from consent.models import Grant
from portal.audit import log
from portal.audit.events import Event, Outcome


def of_grant(
    event: Event,
    grant: Grant,
    outcome: Outcome = Outcome.SUCCEEDED,
    *,
    actor: log.Actor = log.SYSTEM,
    reason: str = "",
) -> None:
    connection = grant.connection
    log.record(
        event,
        actor,
        outcome=outcome,
        reason=reason,
        project=connection.project,
        agent=grant.agent,
        connection=connection,
        on_behalf_of=grant.user,
        auth_method=connection.auth_method,
        details={"generation": grant.generation},
    )
