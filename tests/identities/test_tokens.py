"""One way to a token: kept for all processes, asked for once, and only for listed origins."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone
from joserfc import jwt
from joserfc.jwk import KeySet

from portal.identities import audiences, issuer, roster, signing_keys, tokens
from portal.identities.models import Audience, Identity, IdentityToken, SigningKey
from portal.identities.obtaining import Obtained, TokenUnavailable
from portal.vault import Secret

HR = "api://contoso-hr"
AT = ["https://hr.contoso.example/a2a", "https://hr.contoso.example/a2a/v2"]


@pytest.fixture
def shared(project, ana) -> Identity:
    audiences.enter(HR, ["https://hr.contoso.example"], "", ana)
    return roster.shared_by_agents(project)


@pytest.fixture
def asked(monkeypatch) -> list[str]:
    """The audiences for which the portal's own issuer was asked."""
    found = []

    def counted(identity, audience):
        found.append(audience)
        return issuer.obtain(identity, audience)

    monkeypatch.setitem(tokens.SOURCES, "portal", counted)
    return found


def grow_older(seconds: int) -> None:
    moved = timedelta(seconds=seconds)
    IdentityToken.objects.update(obtained_at=F("obtained_at") - moved, expires_at=F("expires_at") - moved)


def test_the_token_is_signed_for_the_identity_and_the_audience(shared):
    token = tokens.access_token(shared, HR, AT)

    read = jwt.decode(token.value.reveal(), KeySet.import_key_set(signing_keys.jwks()))
    assert read.header["typ"] == "at+jwt"
    claims = read.claims
    assert claims["iss"] == "http://localhost:8000/identities"
    assert (claims["sub"], claims["oid"]) == (shared.principal_id, shared.principal_id)
    assert (claims["client_id"], claims["azp"], claims["tid"]) == (shared.client_id, shared.client_id, shared.tenant)
    assert claims["aud"] == HR
    assert claims["exp"] - claims["iat"] == 600
    assert token.expires_at.timestamp() == claims["exp"]


def test_a_token_is_kept_and_served_until_shortly_before_its_end(shared, asked):
    first = tokens.access_token(shared, HR, AT)
    assert tokens.access_token(shared, HR, AT).value.reveal() == first.value.reveal()
    assert tokens.at_hand(shared, HR, AT)().value.reveal() == first.value.reveal()
    grow_older(481)

    assert tokens.at_hand(shared, HR, AT)() is None
    assert tokens.access_token(shared, HR, AT).value.reveal() != first.value.reveal()
    assert asked == [HR, HR]


def test_a_token_from_the_future_is_replaced(shared, asked):
    """A process whose clock was two hours ahead signed it: endpoints refuse it, and it would be kept for as long."""
    tokens.access_token(shared, HR, AT)
    grow_older(-7200)

    assert tokens.at_hand(shared, HR, AT)() is None
    assert tokens.access_token(shared, HR, AT).expires_at < timezone.now() + timedelta(seconds=601)
    assert asked == [HR, HR]


def test_each_audience_has_a_token_of_its_own(shared, ana):
    audiences.enter("api://contoso-pay", ["https://hr.contoso.example"], "", ana)
    one, other = (tokens.access_token(shared, audience, AT) for audience in (HR, "api://contoso-pay"))
    assert one.value.reveal() != other.value.reveal()


def test_the_token_is_sealed_in_its_row(shared):
    token = tokens.access_token(shared, HR, AT)
    stored = IdentityToken.objects.get()
    assert stored.value.startswith("gh1:")
    assert token.value.reveal() not in stored.value


def test_a_token_that_was_sealed_for_other_ids_is_not_used(shared, asked):
    tokens.access_token(shared, HR, AT)
    Identity.objects.update(client_id="another")
    shared.refresh_from_db()

    assert tokens.at_hand(shared, HR, AT)() is None
    tokens.access_token(shared, HR, AT)
    assert asked == [HR, HR]


@pytest.mark.parametrize(
    "addresses",
    [
        ["https://evil.example/a2a"],
        [*AT, "https://evil.example/a2a"],
        ["https://hr.contoso.example:8443/a2a"],
        ["https://hr.contoso.example.evil.example/a2a"],
    ],
)
def test_no_token_is_asked_for_an_origin_that_is_not_listed(shared, asked, addresses):
    for get in (tokens.access_token, tokens.at_hand):
        with pytest.raises(TokenUnavailable, match="audience_not_listed"):
            get(shared, HR, addresses)
    assert asked == []


def test_an_audience_that_is_not_listed_gets_no_token(shared, asked):
    with pytest.raises(TokenUnavailable, match="audience_not_listed"):
        tokens.access_token(shared, "api://contoso-HR", AT)
    assert asked == []


def test_an_origin_that_is_taken_off_the_list_gets_no_kept_token(shared, ana):
    tokens.access_token(shared, HR, AT)
    audiences.change(audiences.usable_at(AT[0])[0], ["https://other.example"], "", ana)
    with pytest.raises(TokenUnavailable, match="audience_not_listed"):
        tokens.at_hand(shared, HR, AT)


@pytest.mark.parametrize(
    ("change", "code"),
    [({"disabled_at": timezone.now()}, "identity_disabled"), ({"client_id": ""}, "identity_not_set_up")],
)
def test_an_identity_that_may_not_speak_gets_no_kept_token(shared, change, code):
    tokens.access_token(shared, HR, AT)
    Identity.objects.update(**change)
    shared.refresh_from_db()
    with pytest.raises(TokenUnavailable, match=code):
        tokens.at_hand(shared, HR, AT)


def test_after_a_refusal_another_token_is_asked_for_but_not_at_every_call(shared, asked):
    first = tokens.access_token(shared, HR, AT)
    assert tokens.access_token(shared, HR, AT, beyond=first.generation).generation == first.generation
    grow_older(61)

    assert tokens.access_token(shared, HR, AT, beyond=first.generation).generation == first.generation + 1
    assert asked == [HR, HR]


def test_a_failure_is_shown_at_the_identity_and_not_repeated_at_every_call(shared, monkeypatch):
    attempts = []

    def refuse(identity, audience):
        attempts.append(audience)
        raise TokenUnavailable("entra_secret_expired")

    monkeypatch.setitem(tokens.SOURCES, "portal", refuse)
    for _ in range(3):
        with pytest.raises(TokenUnavailable, match="entra_secret_expired"):
            tokens.access_token(shared, HR, AT)
    assert attempts == [HR]
    assert Identity.objects.get(pk=shared.pk).state == Identity.State.FAILING

    monkeypatch.undo()
    IdentityToken.objects.update(retry_at=timezone.now())
    tokens.access_token(shared, HR, AT)
    assert Identity.objects.get(pk=shared.pk).state == Identity.State.READY


def test_the_longer_a_source_fails_the_longer_it_is_left_alone(shared, monkeypatch):
    def refuse(identity, audience):
        raise TokenUnavailable("entra_unreachable")

    monkeypatch.setitem(tokens.SOURCES, "portal", refuse)
    pauses = []
    for minutes in (0, 2, 30):
        since = timezone.now() - timedelta(minutes=minutes)
        IdentityToken.objects.update(failing_since=since, retry_at=timezone.now())
        with pytest.raises(TokenUnavailable):
            tokens.access_token(shared, HR, AT)
        pauses.append((IdentityToken.objects.get().retry_at - timezone.now()).total_seconds())
    assert [round(pause) for pause in pauses] == [5, 30, 60]


def test_an_old_token_serves_while_the_source_says_no(shared, monkeypatch):
    first = tokens.access_token(shared, HR, AT)
    grow_older(500)

    def refuse(identity, audience):
        raise TokenUnavailable("entra_unreachable")

    monkeypatch.setitem(tokens.SOURCES, "portal", refuse)
    for _ in range(2):
        assert tokens.access_token(shared, HR, AT).value.reveal() == first.value.reveal()
    assert tokens.at_hand(shared, HR, AT)().value.reveal() == first.value.reveal()
    assert IdentityToken.objects.get().failure == "entra_unreachable"


@pytest.mark.parametrize(
    ("take_away", "code"),
    [
        (lambda: Audience.objects.update(origins=["https://elsewhere.example"]), "audience_not_listed"),
        (lambda: Identity.objects.update(disabled_at=timezone.now()), "identity_disabled"),
        (lambda: Identity.objects.update(client_id="", tenant=""), "identity_not_set_up"),
    ],
)
def test_what_is_taken_away_while_the_source_is_asked_gives_no_token(shared, monkeypatch, take_away, code):
    def slow(identity, audience):
        take_away()
        return issuer.obtain(identity, audience)

    monkeypatch.setitem(tokens.SOURCES, "portal", slow)
    with pytest.raises(TokenUnavailable, match=code):
        tokens.access_token(shared, HR, AT)


def test_an_error_that_nobody_expected_is_not_waited_for(shared, monkeypatch):
    attempts = []

    def fail(identity, audience):
        attempts.append(audience)
        raise LookupError

    monkeypatch.setitem(tokens.SOURCES, "portal", fail)
    with pytest.raises(LookupError):
        tokens.access_token(shared, HR, AT)
    with pytest.raises(TokenUnavailable, match="internal"):
        tokens.access_token(shared, HR, AT)
    assert attempts == [HR] and IdentityToken.objects.get().lease_by is None


def test_a_signing_key_that_does_not_open_is_said_and_not_waited_for(shared):
    signing_keys.current()
    SigningKey.objects.update(private=F("public__kid"))
    for _ in range(2):
        with pytest.raises(TokenUnavailable, match="key_unavailable"):
            tokens.access_token(shared, HR, AT)
    assert IdentityToken.objects.get().lease_by is None


def test_a_token_that_has_ended_on_arrival_is_a_failure_and_not_asked_for_at_every_call(shared, monkeypatch):
    attempts = []

    def ended(identity, audience):
        attempts.append(audience)
        return Obtained(Secret("ended"), timezone.now())

    monkeypatch.setitem(tokens.SOURCES, "portal", ended)
    for _ in range(3):
        with pytest.raises(TokenUnavailable, match="entra_answer_unreadable"):
            tokens.access_token(shared, HR, AT)
    assert attempts == [HR]


def test_an_address_that_is_no_longer_allowed_gets_no_token_and_says_why(shared, settings):
    settings.ALLOWED_OUTBOUND_NETWORKS = []
    for ask in (tokens.access_token, tokens.at_hand):
        with pytest.raises(TokenUnavailable, match="port_blocked"):
            ask(shared, HR, ["https://hr.contoso.example:8443/a2a"])


@pytest.mark.django_db(transaction=True)
def test_simultaneous_callers_on_an_empty_cache_ask_once(shared, asked):
    got, start = [], threading.Barrier(16)

    def call() -> None:
        start.wait()
        try:
            got.append(tokens.access_token(shared, HR, AT).value.reveal())
        finally:
            connection.close()

    callers = [threading.Thread(target=call) for _ in range(16)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(got) == 16 and len(set(got)) == 1
    assert asked == [HR]


@pytest.mark.django_db(transaction=True)
def test_what_comes_back_after_the_ids_were_changed_is_not_used(shared, ana, monkeypatch):
    """The source answered for the old ids; the caller gets a token of the new ones."""
    seen = []

    def slow(identity, audience):
        seen.append(identity.client_id)
        if len(seen) == 1:
            Identity.objects.update(client_id="new-id")
            identity.client_id = "new-id"
            tokens.forget([identity])
        return issuer.obtain(identity, audience)

    monkeypatch.setitem(tokens.SOURCES, "portal", slow)
    tokens.access_token(shared, HR, AT)
    assert len(seen) == 2


@pytest.mark.django_db(transaction=True)
def test_two_sweeps_rotate_once(shared):
    signing_keys.current()
    SigningKey.objects.update(made_at="2026-01-01T00:00Z")
    SigningKey.objects.exclude(signs_from=None).update(signs_from="2026-01-01T00:00Z")
    rotated, start = [], threading.Barrier(2)

    def sweep() -> None:
        start.wait()
        try:
            rotated.append(signing_keys.rotate_when_older(timedelta(days=30)))
        finally:
            connection.close()

    sweeps = [threading.Thread(target=sweep) for _ in range(2)]
    for one in sweeps:
        one.start()
    for one in sweeps:
        one.join()
    assert sorted(rotated) == [False, True] and SigningKey.objects.count() == 3
