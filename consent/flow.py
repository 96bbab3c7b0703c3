"""Asking a user: the link, the way to the provider and back, and every way in which it ends.

What must hold (security.md T14 to T19): only the user it was made for can go on; the session's user is compared before
a code is exchanged; state is single use, short-lived and bound to the browser that began; looking at a link, or at
somebody else's, changes nothing.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from connections.methods.base import Caller, Consent, CredentialUnavailable
from connections.models import Connection
from consent import clients, events, giving, id_tokens, oauth2, stepping_up
from consent.models import Block, ConsentRequest
from consent.terms import Terms
from portal import vault
from portal.audit import changes, log
from portal.audit.events import Event, Outcome
from portal.outbound import policy
from portal.outbound.errors import OutboundError
from portal.projects import access
from portal.projects.roles import Permission
from portal.users import User

LINK_LIVES = timedelta(hours=1)
FLOW_LIVES = timedelta(minutes=10)
State = ConsentRequest.State


class FlowRefused(Exception):
    """The flow can't go on. `code` is a troubleshooting code; `request` is set where it may be named to this person."""

    def __init__(self, code: str, request: ConsentRequest | None = None) -> None:
        super().__init__(code)
        self.code, self.request = code, request


# The link


def ask(
    connection: Connection,
    caller: Caller,
    reason: str = "",
    begun_by: str = "agent",
    scopes: tuple[str, ...] | None = None,
) -> ConsentRequest:
    """The live request of this user, agent and connection, or a new one; never two at once.

    `scopes`: where others are asked for than the connection's.
    """
    terms = Terms.now(connection).stored() | ({} if scopes is None else {"scopes": list(scopes)})
    live = _waiting(connection, caller)
    if live and live.is_live and live.terms == terms:
        return _begun_last_by(live, begun_by)
    try:
        with transaction.atomic():
            # Only the one that was looked at: another call may have made a new one since, and given its link away.
            if live:
                ConsentRequest.objects.filter(pk=live.pk, state=State.WAITING).update(state=State.ENDED)
            made = ConsentRequest.objects.create(
                **_who(connection, caller),
                terms=terms,
                reason=reason,
                begun_by=begun_by,
                expires_at=timezone.now() + LINK_LIVES,
            )
            details = {"scopes": " ".join(scopes)} if scopes else None
            note(events.ASKED, made, log.SYSTEM, Outcome.CONSENT_NEEDED, reason, details)
            return made
    except IntegrityError:
        # Another call of the same agent for the same user was a moment earlier.
        live = _waiting(connection, caller)
        if live is None:
            # Answered already, or the connection was deleted.
            raise CredentialUnavailable("credential_unavailable") from None
        return live


def _begun_last_by(live: ConsentRequest, begun_by: str) -> ConsentRequest:
    """The page says where the person comes from: from a conversation, or from their own page."""
    if live.begun_by != begun_by:
        ConsentRequest.objects.filter(pk=live.pk).update(begun_by=begun_by)
        live.begun_by = begun_by
    return live


def _who(connection: Connection, caller: Caller) -> dict:
    return {"connection": connection, "agent": caller.agent, "user": caller.user}


def _waiting(connection: Connection, caller: Caller) -> ConsentRequest | None:
    rows = ConsentRequest.objects.filter(**_who(connection, caller), state=State.WAITING)
    return rows.select_related("connection__project", "agent", "user").first()


def consent_of(request: ConsentRequest, reason: str = "") -> Consent:
    """As the gateway tells it; `reason` is why what the user gave before does not serve, a troubleshooting code."""
    return Consent(
        id=request.id,
        link=link_of(request),
        server_label=str(request.connection),
        scopes=request.asked.scopes,
        expires_at=request.expires_at,
        reason=reason,
        why_asked=reason if reason == stepping_up.ASKS_FOR_MORE else "consent_required",
    )


def link_of(request: ConsentRequest) -> str:
    return f"{settings.PUBLIC_URL}/consent/{request.id}"


def find(request_id: UUID, user: User) -> ConsentRequest:
    """The request, for the person it was made for. Another person's visit burns nothing and is logged."""
    rows = ConsentRequest.objects.select_related("connection__project", "agent__registered_by", "user")
    request = rows.filter(id=request_id).first()
    if request is None:
        raise FlowRefused("consent_link_unknown")
    if request.user_id != user.id:
        note(events.WRONG_PERSON, request, log.Actor.of(user), Outcome.NOT_PERMITTED, "consent_wrong_person")
        raise FlowRefused("consent_wrong_person")
    return request


def renew(request: ConsentRequest) -> ConsentRequest:
    """A new link after the old one has ended, for the same person."""
    scopes = request.asked.scopes if request.reason == stepping_up.ASKS_FOR_MORE else None
    return ask(request.connection, Caller(request.agent, request.user), request.reason, request.begun_by, scopes)


# To the provider


@dataclass(frozen=True)
class Departure:
    """Where the browser goes, and what it must bring back in its cookie."""

    address: str
    browser: str


def begin(request: ConsentRequest) -> Departure:
    """Makes state, verifier and the browser's mark; beginning again replaces them."""
    try:
        check_can_begin(request)
    except FlowRefused as why:
        raise refused(events.LINK_REFUSED, request, request.user, why.code) from None
    state, browser, verifier = secrets.token_urlsafe(32), secrets.token_urlsafe(32), oauth2.new_verifier()
    begun = ConsentRequest.objects.filter(pk=request.pk, state=State.WAITING, expires_at__gt=timezone.now()).update(
        state_digest=digest(state),
        browser_digest=digest(browser),
        verifier=vault.seal(verifier, request.binding("verifier")),
        flow_ends_at=timezone.now() + FLOW_LIVES,
        used_at=None,
        error="",
    )
    if not begun:
        raise came_too_late(request)
    nonce = id_tokens.nonce_of(verifier) if id_tokens.is_asked_for(request.asked) else ""
    return Departure(oauth2.authorization_address(request.asked, state, verifier, nonce), browser)


def came_too_late(request: ConsentRequest) -> FlowRefused:
    """What somebody answers on a link that has ended or was decided changes nothing, and is logged."""
    return refused(events.LINK_REFUSED, request, request.user, "consent_link_ended")


def check_can_begin(request: ConsentRequest) -> None:
    """Raises FlowRefused for what a page can say before anybody tries."""
    check_may_connect(request)
    if code := clients.hindrance(request.connection):
        raise FlowRefused(code, request)
    try:
        _check_way_out(request.asked.authorization_url)
    except OutboundError as error:
        raise FlowRefused(error.code, request) from None


def _check_way_out(url: str) -> None:
    """Also of what was stored under other rules: a browser is never led to `javascript:` (T19).

    Nor to plain http outside the networks that are allowed; what only the DNS can say is asked here.
    """
    target = policy.check_url(url)
    if target.plain:
        policy.resolve(target.host, target.port, plain=True)


def check_may_connect(request: ConsentRequest) -> None:
    """The user needs a role that may interact with agents, now; Owner or Contributor alone does not do.

    A publisher's app must still be there, and the endpoint listed for it.
    """
    if not access.allows(request.user_id, request.connection.project_id, Permission.AGENT_INTERACT):
        raise FlowRefused("role_needed_to_connect", request)
    usable = giving.agents_of(request.connection).filter(pk=request.agent_id).exists()
    if not usable or not request.connection.is_enabled:
        raise FlowRefused("consent_not_possible", request)
    if is_blocked(Caller(request.agent, request.user)):
        raise FlowRefused("agent_blocked_by_user", request)
    if code := request.asked.withdrawn:
        raise FlowRefused(code, request)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# Saying no


def decline(request: ConsentRequest) -> None:
    with transaction.atomic():
        decide(request, State.DECLINED)
        note(events.DECLINED, request, log.Actor.of(request.user))


def not_asked(request: ConsentRequest) -> None:
    """The person did not start this: the agent is blocked for them; the log and, where there is any, mail say so."""
    with changes.announced():
        decide(request, State.NOT_ASKED)
        ConsentRequest.objects.filter(pk=request.pk).update(tell_at=timezone.now())
        Block.objects.get_or_create(agent=request.agent, user=request.user)
        note(events.NOT_ASKED, request, log.Actor.of(request.user))


def unblock(block: Block) -> None:
    with changes.announced():
        deleted, _ = Block.objects.filter(pk=block.pk).delete()
        if deleted:
            agent = block.agent
            log.record(events.UNBLOCKED, log.Actor.of(block.user), project=agent.project, agent=agent)


def is_blocked(caller: Caller) -> bool:
    return Block.objects.filter(agent=caller.agent, user=caller.user).exists()


def decide(request: ConsentRequest, state: str) -> None:
    """Once: of a refusal and an answer of the provider that come together, the first counts."""
    decided = {"state": state, "decided_at": timezone.now()}
    wiped = dict.fromkeys(("state_digest", "browser_digest", "verifier"), "")
    if not ConsentRequest.objects.filter(pk=request.pk, state=State.WAITING).update(**decided, **wiped):
        raise FlowRefused("consent_link_ended", request)
    request.state, request.decided_at = decided["state"], decided["decided_at"]


def refused(event: Event, request: ConsentRequest, user: User, code: str) -> FlowRefused:
    """Logged; the request is named only to the person it was made for."""
    note(event, request, log.Actor.of(user), Outcome.NOT_PERMITTED, code)
    return FlowRefused(code, request if request.user_id == user.id else None)


def note(
    event: Event,
    request: ConsentRequest,
    actor: log.Actor,
    outcome: Outcome = Outcome.SUCCEEDED,
    reason: str = "",
    details: dict | None = None,
) -> None:
    log.record(
        event,
        actor,
        outcome=outcome,
        reason=reason,
        project=request.connection.project,
        agent=request.agent,
        connection=request.connection,
        on_behalf_of=request.user,
        auth_method=request.connection.auth_method,
        details=details,
    )
