"""Asking a user: the link, the way to the provider and back, and every way in which it ends.

What must hold (security.md T14 to T19): only the user it was made for can go on; the session's user is compared before
a code is exchanged; state is single use, short-lived and bound to the browser that began; looking at a link, or at
somebody else's, changes nothing.
"""

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from connections.methods.base import Caller, Consent, CredentialUnavailable
from connections.models import Connection
from consent import clients, events, grants, oauth2
from consent.models import Block, ConsentRequest, Grant
from consent.terms import Terms
from portal import vault
from portal.audit import changes, log
from portal.audit.events import Outcome
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


def ask(connection: Connection, caller: Caller, reason: str = "", begun_by: str = "agent") -> ConsentRequest:
    """The live request of this user, agent and connection, or a new one; never two at once."""
    terms = Terms.now(connection).stored()
    live = _waiting(connection, caller)
    if live and live.is_live and live.terms == terms:
        return live
    try:
        with transaction.atomic():
            ConsentRequest.objects.filter(**_who(connection, caller), state=State.WAITING).update(state=State.ENDED)
            made = ConsentRequest.objects.create(
                **_who(connection, caller),
                terms=terms,
                reason=reason,
                begun_by=begun_by,
                expires_at=timezone.now() + LINK_LIVES,
            )
            _log(events.ASKED, made, log.SYSTEM, Outcome.CONSENT_NEEDED, reason)
            return made
    except IntegrityError:
        # Another call of the same agent for the same user was a moment earlier.
        return _waiting(connection, caller)


def _who(connection: Connection, caller: Caller) -> dict:
    return {"connection": connection, "agent": caller.agent, "user": caller.user}


def _waiting(connection: Connection, caller: Caller) -> ConsentRequest | None:
    rows = ConsentRequest.objects.filter(**_who(connection, caller), state=State.WAITING)
    return rows.select_related("connection__project", "agent", "user").first()


def consent_of(request: ConsentRequest) -> Consent:
    """As the gateway tells it."""
    return Consent(
        id=request.id,
        link=link_of(request),
        server_label=str(request.connection),
        scopes=request.asked.scopes,
        expires_at=request.expires_at,
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
        _log(events.WRONG_PERSON, request, log.Actor.of(user), Outcome.NOT_PERMITTED, "consent_wrong_person")
        raise FlowRefused("consent_wrong_person")
    return request


def renew(request: ConsentRequest) -> ConsentRequest:
    """A new link after the old one has ended, for the same person."""
    return ask(request.connection, Caller(request.agent, request.user), request.reason, request.begun_by)


# To the provider


@dataclass(frozen=True)
class Departure:
    """Where the browser goes, and what it must bring back in its cookie."""

    address: str
    browser: str


def begin(request: ConsentRequest) -> Departure:
    """Makes state, verifier and the browser's mark; beginning again replaces them."""
    check_can_begin(request)
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
        raise FlowRefused("consent_link_ended", request)
    return Departure(oauth2.authorization_address(request.asked, state, verifier), browser)


def check_can_begin(request: ConsentRequest) -> None:
    """Raises FlowRefused for what a page can say before anybody tries."""
    _check_may_connect(request)
    if not clients.is_complete(request.connection):
        raise FlowRefused("oauth_not_finished", request)


def _check_may_connect(request: ConsentRequest) -> None:
    """The user needs a role that may interact with agents, now; Owner or Contributor alone does not do."""
    if not access.allows(request.user_id, request.connection.project_id, Permission.AGENT_INTERACT):
        raise FlowRefused("role_needed_to_connect", request)
    if request.agent.disabled_at is not None or not request.connection.is_enabled:
        raise FlowRefused("consent_not_possible", request)
    if is_blocked(Caller(request.agent, request.user)):
        raise FlowRefused("agent_blocked_by_user", request)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


# And back


def complete(connection_id: UUID, user: User, browser: str, answer: Mapping[str, str]) -> Grant:
    """The provider's answer at our redirect URI. Raises FlowRefused; the code is exchanged only after every check."""
    request = _of_state(answer.get("state", ""))
    _check_it_is_theirs(request, connection_id, user, browser)
    _check_issuer(request.asked, answer, request)
    if "error" in answer:
        _log(events.PROVIDER_REFUSED, request, log.Actor.of(user), Outcome.FAILED, _provider_code(answer["error"]))
        raise FlowRefused(_fail(request, _provider_code(answer["error"])), request)
    if not answer.get("code"):
        raise FlowRefused(_fail(request, "provider_failed"), request)
    _use_once(request)
    _check_may_connect(request)
    return _exchanged(request, user, answer["code"])


def _of_state(state: str) -> ConsentRequest:
    rows = ConsentRequest.objects.select_related("connection__project", "agent__registered_by", "user")
    request = rows.filter(state_digest=digest(state)).first() if state else None
    if request is None:
        raise FlowRefused("consent_answer_unknown")
    return request


def _check_it_is_theirs(request: ConsentRequest, connection_id: UUID, user: User, browser: str) -> None:
    """Whose session, whose connection, whose browser: any other answer was made to be mistaken for this one."""
    same_browser = hmac.compare_digest(digest(browser), request.browser_digest)
    checks = [
        (request.user_id == user.id, "consent_wrong_person"),
        (request.connection_id == connection_id, "consent_answer_foreign"),
        (same_browser, "consent_other_browser"),
        (request.state == State.WAITING and request.flow_ends_at > timezone.now(), "consent_flow_ended"),
    ]
    for holds, code in checks:
        if not holds:
            _log(events.CALLBACK_REFUSED, request, log.Actor.of(user), Outcome.NOT_PERMITTED, code)
            raise FlowRefused(code, request if request.user_id == user.id else None)


def _check_issuer(terms: Terms, answer: Mapping[str, str], request: ConsentRequest) -> None:
    """RFC 9207: where the issuer is known, `iss` must be there and be it, in error answers too."""
    if terms.issuer and answer.get("iss") != terms.issuer:
        _log(events.CALLBACK_REFUSED, request, log.SYSTEM, Outcome.NOT_PERMITTED, "issuer_mismatch")
        raise FlowRefused("issuer_mismatch", request)


def _use_once(request: ConsentRequest) -> None:
    """Of any number of identical answers exactly one goes on (T17)."""
    if not ConsentRequest.objects.filter(pk=request.pk, used_at=None, state=State.WAITING).update(
        used_at=timezone.now()
    ):
        raise FlowRefused("consent_answer_used", request)


def _exchanged(request: ConsentRequest, user: User, code: str) -> Grant:
    try:
        verifier = vault.open_sealed(request.verifier, request.binding("verifier")).reveal()
        client = clients.of(request.connection, request.asked)
        tokens = oauth2.exchange(client, code, verifier)
    except (oauth2.TokenRefused, CredentialUnavailable, vault.VaultError) as refused:
        code = _exchange_code(refused)
        _log(events.PROVIDER_REFUSED, request, log.Actor.of(user), Outcome.FAILED, code)
        raise FlowRefused(_fail(request, code), request) from None
    return _stored(request, user, tokens)


def _stored(request: ConsentRequest, user: User, tokens: oauth2.Tokens) -> Grant:
    account = oauth2.account_of(request.asked, tokens.access)
    with changes.announced():
        grant = grants.store(request, tokens, account)
        _decide(request, State.GRANTED)
        details = {"account": account, "scopes": " ".join(grant.scopes_given)}
        _log(events.GIVEN, request, log.Actor.of(user), Outcome.SUCCEEDED, "", details)
    return grant


def _exchange_code(refused: Exception) -> str:
    if isinstance(refused, oauth2.GrantEnded):
        return "code_refused"
    if isinstance(refused, oauth2.Uncertain):
        return "provider_failed"
    return getattr(refused, "code", "secret_unreadable")


def _provider_code(error: str) -> str:
    """Our own words for a provider's error; its description is never shown (T27)."""
    known = {"access_denied": "provider_denied", "invalid_scope": "provider_refused_request"}
    known |= {"unauthorized_client": "oauth_client_refused", "temporarily_unavailable": "provider_unavailable"}
    return known.get(error, "provider_failed")


def _fail(request: ConsentRequest, code: str) -> str:
    """The flow is over, the link is not: the user may try again."""
    ended = {"error": code, "state_digest": "", "browser_digest": "", "verifier": "", "flow_ends_at": None}
    ConsentRequest.objects.filter(pk=request.pk).update(**ended)
    return code


def answered(grant: Grant) -> ConsentRequest:
    """The request that was last answered with this grant."""
    rows = ConsentRequest.objects.filter(connection=grant.connection, agent=grant.agent, user=grant.user)
    return rows.filter(state=State.GRANTED).latest("decided_at")


def way_back(state: str) -> ConsentRequest | None:
    """The request whose answer came while nobody was signed in: it has to be opened again, the code is left unused."""
    return ConsentRequest.objects.filter(state_digest=digest(state)).first() if state else None


# Saying no


def decline(request: ConsentRequest) -> None:
    with transaction.atomic():
        _decide(request, State.DECLINED)
        _log(events.DECLINED, request, log.Actor.of(request.user))


def not_asked(request: ConsentRequest) -> None:
    """The person did not start this: the agent is blocked for them, and the log tells its owner."""
    with changes.announced():
        _decide(request, State.NOT_ASKED)
        Block.objects.get_or_create(agent=request.agent, user=request.user)
        _log(events.NOT_ASKED, request, log.Actor.of(request.user))


def unblock(block: Block) -> None:
    with changes.announced():
        deleted, _ = Block.objects.filter(pk=block.pk).delete()
        if deleted:
            agent = block.agent
            log.record(events.UNBLOCKED, log.Actor.of(block.user), project=agent.project, agent=agent)


def is_blocked(caller: Caller) -> bool:
    return Block.objects.filter(agent=caller.agent, user=caller.user).exists()


def _decide(request: ConsentRequest, state: str) -> None:
    request.state, request.decided_at = state, timezone.now()
    request.state_digest = request.browser_digest = request.verifier = ""
    request.save(update_fields=["state", "decided_at", "state_digest", "browser_digest", "verifier"])


def _log(
    event,
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
