"""The provider's answer at our redirect URI: whose it is, that it counts once, and what becomes of it (T14 to T18).

The session's user is compared before a code is exchanged. Every refusal is logged, also the ones that look harmless:
an attack is seen by what it tried.
"""

import hmac
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from django.utils.datastructures import MultiValueDict

from connections.methods.base import Caller, CredentialUnavailable
from connections.models import Connection
from consent import clients, events, grants, identifying, marking, oauth2, revocation, rollover
from consent.flow import FlowRefused, check_may_connect, decide, digest, note, refused
from consent.managed import apps
from consent.models import ConsentRequest, Grant
from consent.terms import publishers_redirect_uri
from portal import vault
from portal.audit import changes, log
from portal.audit.events import Outcome
from portal.users import User

State = ConsentRequest.State


def complete(at: UUID | str, user: User, browser: str, answer: MultiValueDict) -> Grant:
    """The provider's answer at our redirect URI. Raises FlowRefused; the code is exchanged only after every check.

    `at` is what the redirect URI names: a connection by its id, or a publisher whose app the portal manages.
    """
    request = _of_state(answer.get("state", ""), at, user)
    _check_it_is_theirs(request, at, user, browser)
    _check_each_once(request, answer)
    _check_issuer(request, answer)
    if "error" in answer:
        raise _ended_by_provider(request, _provider_code(answer["error"]))
    if not answer.get("code"):
        raise _ended_by_provider(request, "provider_failed")
    _use_once(request)
    try:
        check_may_connect(request)
    except FlowRefused as why:
        raise refused(events.CALLBACK_REFUSED, request, user, why.code) from None
    return _exchanged(request, answer["code"])


def _of_state(state: str, at: UUID | str, user: User) -> ConsentRequest:
    rows = ConsentRequest.objects.select_related("connection__project", "agent__registered_by", "user")
    request = rows.filter(state_digest=digest(state)).first() if state else None
    if request is None:
        _log_unknown(at, user)
        raise FlowRefused("consent_answer_unknown")
    return request


def _log_unknown(at: UUID | str, user: User) -> None:
    """A state that was used, replaced or never made: replaying and guessing are seen at the connection they aim at."""
    rows = Connection.objects.select_related("project")
    connection = rows.filter(pk=at).first() if isinstance(at, UUID) else None
    log.record(
        events.CALLBACK_REFUSED,
        log.Actor.of(user),
        outcome=Outcome.NOT_PERMITTED,
        reason="consent_answer_unknown",
        project=connection.project if connection else None,
        connection=connection,
    )


def _check_it_is_theirs(request: ConsentRequest, at: UUID | str, user: User, browser: str) -> None:
    """Whose session, whose connection, whose browser: any other answer was made to be mistaken for this one."""
    same_browser = hmac.compare_digest(digest(browser), request.browser_digest)
    checks = [
        (request.user_id == user.id, "consent_wrong_person"),
        (_belongs_to(request, at), "consent_answer_foreign"),
        (same_browser, "consent_other_browser"),
        (request.state == State.WAITING and request.flow_ends_at > timezone.now(), "consent_flow_ended"),
    ]
    for holds, code in checks:
        if not holds:
            raise refused(events.CALLBACK_REFUSED, request, user, code)


def _belongs_to(request: ConsentRequest, at: UUID | str) -> bool:
    """Whether the answer came to the very address that was named to the provider."""
    terms = request.asked
    if terms.publisher:
        return at == terms.publisher and terms.redirect_uri == publishers_redirect_uri(at)
    return at == request.connection_id


def _check_each_once(request: ConsentRequest, answer: MultiValueDict) -> None:
    """A parameter that comes twice can be read in two ways (RFC 6749 3.1): one issuer for us, one for a proxy."""
    if any(len(answer.getlist(name)) > 1 for name in ("state", "code", "iss", "error")):
        raise refused(events.CALLBACK_REFUSED, request, request.user, "provider_failed")


def _check_issuer(request: ConsentRequest, answer: MultiValueDict) -> None:
    """RFC 9207: where the issuer is known, `iss` must be there and be it, in error answers too."""
    issuer = request.asked.issuer
    if issuer and answer.get("iss") != issuer:
        raise refused(events.CALLBACK_REFUSED, request, request.user, "issuer_mismatch")


def _use_once(request: ConsentRequest) -> None:
    """Of any number of identical answers exactly one goes on (T17)."""
    unused = _this_flow(request).filter(used_at=None, state=State.WAITING)
    if not unused.update(used_at=timezone.now()):
        raise refused(events.CALLBACK_REFUSED, request, request.user, "consent_answer_used")


def _this_flow(request: ConsentRequest):
    """The row while it holds the same flow: one that was begun again since is another."""
    return ConsentRequest.objects.filter(pk=request.pk, state_digest=request.state_digest)


def _ended_by_provider(request: ConsentRequest, code: str) -> FlowRefused:
    note(events.PROVIDER_REFUSED, request, log.Actor.of(request.user), Outcome.FAILED, code)
    return FlowRefused(_fail(request, code), request)


def _ended_by_us(request: ConsentRequest, code: str) -> FlowRefused:
    note(events.CALLBACK_REFUSED, request, log.Actor.of(request.user), Outcome.FAILED, code)
    return FlowRefused(_fail(request, code), request)


def _exchanged(request: ConsentRequest, code: str) -> Grant:
    try:
        verifier = vault.open_sealed(request.verifier, request.binding("verifier")).reveal()
        client = clients.of(request.connection, request.asked)
    except vault.SealBroken:
        # The row was moved to another user or address: nothing of it may be used.
        raise _ended_by_us(request, "token_unreadable") from None
    except vault.KeyUnavailable:
        raise _ended_by_us(request, "key_unavailable") from None
    except CredentialUnavailable as unavailable:
        raise _ended_by_us(request, unavailable.code) from None
    try:
        ask = partial(oauth2.exchange, code=code, verifier=verifier)
        tokens = rollover.asked(request.connection, client, ask, lambda: True)
    except oauth2.ClientRefused as why:
        marking.client_refused(request.connection)
        raise _ended_by_provider(request, why.code) from None
    except oauth2.TokenRefused as why:
        raise _ended_by_provider(request, _exchange_code(why)) from None
    marking.client_accepted(request.connection)
    return _stored(request, client, tokens, verifier)


def _stored(request: ConsentRequest, client: oauth2.Client, tokens: oauth2.Tokens, verifier: str) -> Grant:
    try:
        account = identifying.learned(request.asked, tokens, verifier)
        with changes.announced():
            apps.hold(request.asked)
            _check_still_wanted(request)
            former = grants.of(request.connection, Caller(request.agent, request.user))
            notes = identifying.notes_on(account, request.user, _settings_now(request), former)
            grant = grants.store(request, tokens, account, notes)
            decide(request, State.GRANTED)
            _note_given(request, grant)
    except identifying.AccountRefused as why:
        # Before anything is stored; what was given is taken back at the provider.
        revocation.queue(request, tokens.refresh, tokens.access, client)
        raise _ended_by_us(request, why.code) from None
    except FlowRefused as why:
        # Nothing that is not kept here stays usable at the provider, where it can be told.
        revocation.queue(request, tokens.refresh, tokens.access, client)
        raise refused(events.CALLBACK_REFUSED, request, request.user, why.code) from None
    return grant


def _settings_now(request: ConsentRequest) -> dict[str, Any]:
    """Whose account it must be is for the administrator to say, until the last moment."""
    return Connection.objects.values_list("settings", flat=True).get(pk=request.connection_id)


def _note_given(request: ConsentRequest, grant: Grant) -> None:
    actor = log.Actor.of(request.user)
    details = {"account": grant.account, "scopes": " ".join(grant.scopes_given)}
    note(events.GIVEN, request, actor, Outcome.SUCCEEDED, "", details)
    for code in grant.account_notes:
        note(events.ACCOUNT_NOTED, request, actor, Outcome.SUCCEEDED, code, {"account": grant.account})


def _check_still_wanted(request: ConsentRequest) -> None:
    """Once more, as it is now: the provider took its time, and meanwhile somebody may have said no or changed things.

    The lock makes whoever comes later see the grant.
    """
    rows = ConsentRequest.objects.select_for_update(of=("self",)).select_related("connection__project", "agent", "user")
    now = rows.filter(pk=request.pk, state=State.WAITING).first()
    if now is None:
        raise FlowRefused("consent_flow_ended", request)
    check_may_connect(now)


def _exchange_code(refused: oauth2.TokenRefused) -> str:
    if isinstance(refused, oauth2.GrantEnded):
        return "code_refused"
    return "provider_failed" if isinstance(refused, oauth2.Uncertain) else refused.code


def _provider_code(error: str) -> str:
    """Our own words for a provider's error; its description is never shown (T27)."""
    known = {"access_denied": "provider_denied", "invalid_scope": "provider_refused_request"}
    known |= {"unauthorized_client": "oauth_client_refused", "temporarily_unavailable": "provider_unavailable"}
    return known.get(error, "provider_failed")


def _fail(request: ConsentRequest, code: str) -> str:
    """The flow is over, the link is not: the user may try again."""
    ended = {"error": code, "state_digest": "", "browser_digest": "", "verifier": "", "flow_ends_at": None}
    _this_flow(request).update(**ended)
    return code


def answered(grant: Grant) -> ConsentRequest:
    """The request that was last answered with this grant."""
    rows = ConsentRequest.objects.filter(connection=grant.connection, agent=grant.agent, user=grant.user)
    return rows.filter(state=State.GRANTED).latest("decided_at")


def way_back(state: str, visitor: User | AnonymousUser) -> ConsentRequest | None:
    """The request whose answer came while nobody was signed in: it has to be opened again, the code is left unused."""
    rows = ConsentRequest.objects.select_related("connection__project", "agent", "user")
    request = rows.filter(state_digest=digest(state)).first() if state else None
    if request:
        note(events.CALLBACK_REFUSED, request, log.Actor.of(visitor), Outcome.NOT_PERMITTED, "consent_other_browser")
    return request
