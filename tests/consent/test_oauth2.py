"""The wire, against a real provider that fails and attacks in every way it knows."""

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from connections.troubleshooting import CATALOGUE
from consent import oauth2, revoking, token_answers
from consent.oauth2 import ClientRefused, GrantEnded, ProviderBusy, RequestRefused, TokenRefused, Uncertain
from consent.terms import Terms
from portal.vault import Secret
from tests.consent.wire import SCOPES, client_of, code_for, tokens_of
from tests.fakes import misbehaviour as bad
from tests.fakes.hostile_tokens import HOSTILE_TOKENS, ODD_TOKENS
from tests.fakes.server import listening_socket, url_of
from tests.fakes.signing_in import query_of

# What a provider may say beside the code, and nobody may ever see.
THEIR_WORDS = "their-words <script>alert(1)</script>"


@pytest.fixture
def octo(provider):
    return provider()


@pytest.fixture
def client(octo):
    return client_of(octo)


def what_is_raised(client, refresh_token) -> Exception | None:
    try:
        oauth2.refresh(client, refresh_token)
    except Exception as error:
        return error
    return None


def everything_about(error: BaseException | None) -> str:
    """All that a log could print of it, its causes and contexts included."""
    if error is None:
        return ""
    shown = f"{error!s} {error!r} {error.args} {vars(error)}"
    return shown + everything_about(error.__cause__) + everything_about(error.__context__)


# What comes back


@pytest.mark.parametrize("name", HOSTILE_TOKENS)
@pytest.mark.parametrize("kind", ["code", "refresh"])
def test_no_hostile_answer_is_taken(octo, client, name, kind):
    """After any of them nobody knows whether the provider has rotated, so it is no reason to end a grant."""
    held = tokens_of(client)
    code = code_for(client)
    octo.next(HOSTILE_TOKENS[name], at=kind)

    with pytest.raises(Uncertain) as caught:
        oauth2.exchange(client, *code) if kind == "code" else oauth2.refresh(client, held.refresh)

    assert "x-injected" not in everything_about(caught.value)
    assert held.refresh.reveal() not in everything_about(caught.value)


@pytest.mark.parametrize("name", ODD_TOKENS)
def test_an_odd_answer_works(octo, client, name):
    held = tokens_of(client)
    octo.next(ODD_TOKENS[name], at="refresh")

    new = oauth2.refresh(client, held.refresh)

    assert octo.verify(new.access.reveal())["sub"] == "octo-ben"
    unsaid = {"no-new-refresh-token", "refresh-token-null"}
    assert (new.refresh is None) == (name in unsaid)
    assert new.expires_in in {
        "no-expires-in": [None],
        "expires-null": [None],
        "expires-text": [300],
        "expires-hundred-years": [30 * 24 * 3600],
        "expires-zero": [60],
    }.get(name, [octo.server.settings.access_seconds])
    assert new.scopes == {
        "no-scope": None,
        "narrower-scope": ("reviews:read",),
        "wider-scope": ("reviews:read", "reviews:comment", "profile", "admin"),
    }.get(name, SCOPES)


@pytest.mark.parametrize("scope", ["reviews:read\u0000", "a\ud800b", "a\nb", "x" * 5000])
def test_a_scope_that_no_row_can_hold_is_refused(octo, client, scope):
    held = tokens_of(client)
    octo.next(bad.changed(scope=scope), at="refresh")

    assert isinstance(what_is_raised(client, held.refresh), Uncertain)


SAID = {"error_description": THEIR_WORDS, "error_uri": "https://evil.example/their-words"}


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (bad.refuses("invalid_grant", **SAID), GrantEnded),
        (bad.refuses("invalid_grant", 401, **SAID), GrantEnded),
        (bad.refuses_with_200("bad_refresh_token"), GrantEnded),
        (bad.not_ok("invalid_refresh_token"), GrantEnded),
        (bad.refuses("invalid_client", 401, **SAID), ClientRefused),
        (bad.refuses("unauthorized_client", **SAID), ClientRefused),
        (bad.refuses_with_200("incorrect_client_credentials"), ClientRefused),
        (bad.refuses("invalid_scope", **SAID), RequestRefused),
        (bad.refuses("invalid_target", **SAID), RequestRefused),
        (bad.refuses("their-words", **SAID), RequestRefused),
        (bad.not_ok("their-words"), RequestRefused),
        (bad.answers({"ok": False}), RequestRefused),
        (bad.answers({"error": {"message": THEIR_WORDS}}, 400), RequestRefused),
        (bad.answers({"error": [THEIR_WORDS]}, 400), RequestRefused),
        (bad.fails(400), RequestRefused),
        (bad.fails(403), RequestRefused),
        (bad.fails(404), RequestRefused),
        (bad.refuses("temporarily_unavailable", 503), ProviderBusy),
        (bad.refuses("slow_down"), ProviderBusy),
        (bad.too_many(), ProviderBusy),
        (bad.refuses("invalid_grant", 429), ProviderBusy),
        (bad.fails(500), Uncertain),
        (bad.fails(502, after_rotating=True), Uncertain),
        (bad.refuses("invalid_grant", 500), Uncertain),
        (bad.answers({"error": "server_error"}, 500), Uncertain),
        (bad.drop(after_rotating=True), Uncertain),
        (bad.drop(after_rotating=False), Uncertain),
        (bad.fails(302), Uncertain),
    ],
)
def test_each_refusal_is_of_one_kind_and_holds_none_of_the_providers_words(octo, client, fault, kind):
    octo.next(fault, at="refresh")

    error = what_is_raised(client, Secret("canary-refresh-token"))

    assert type(error) is kind
    shown = everything_about(error)
    for never in ("their-words", "script", "canary-refresh-token", octo.at.origin, client.secret.reveal()):
        assert never not in shown


@pytest.mark.parametrize(
    ("members", "seconds"),
    [
        ({"refresh_token_expires_in": 15_897_600}, 15_897_600),
        ({"refresh_token_expires_in": "86400"}, 86_400),
        ({"refresh_expires_in": 1800}, 1800),
        ({"refresh_expires_in": 0}, None),
        ({"refresh_token_expires_in": 10**12}, token_answers.LONGEST_REFRESH_LIFE),
        ({"refresh_token_expires_in": -5}, None),
        ({"refresh_token_expires_in": True}, None),
        ({"refresh_token_expires_in": [1]}, None),
        ({"refresh_token_expires_in": "9" * 5000}, None),
        ({}, None),
    ],
)
def test_the_life_of_a_refresh_token_is_read_where_it_is_said_and_costs_nothing_where_it_is_odd(
    octo, client, members, seconds
):
    octo.next(bad.changed(**members), at="code")
    assert tokens_of(client).refresh_expires_in == seconds


def test_an_error_with_status_200_is_an_error_also_beside_a_token(octo, client):
    first, second = tokens_of(client), tokens_of(client)
    octo.next(bad.changed(error="invalid_grant"), bad.changed(ok=False), at="refresh")

    assert isinstance(what_is_raised(client, first.refresh), GrantEnded)
    assert isinstance(what_is_raised(client, second.refresh), RequestRefused)


def test_a_provider_that_is_not_there_did_nothing(octo):
    sock = listening_socket()
    nowhere = url_of(sock)
    sock.close()

    error = what_is_raised(client_of(octo, refresh_url=f"{nowhere}/token"), Secret("canary-refresh-token"))

    assert type(error) is ProviderBusy
    assert nowhere not in everything_about(error)


def test_a_provider_that_never_answers_is_left_at_the_deadline(octo, client, monkeypatch):
    monkeypatch.setattr(oauth2, "DEADLINE", 0.5)
    octo.next(bad.slow(3), at="refresh")
    began = time.monotonic()

    assert isinstance(what_is_raised(client, Secret("any")), Uncertain)
    assert time.monotonic() - began < 1.5


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7), ("0", 0), ("999999", 3600), ("", 30), ("soon", 30), ("-5", 30), ("²", 30), ("9" * 5000, 30)],
)
def test_a_pause_is_as_long_as_the_provider_says_and_an_hour_at_most(octo, client, header, seconds):
    octo.next(bad.too_many(header), at="refresh")

    assert what_is_raised(client, Secret("any")).retry_after == seconds


def test_a_pause_may_be_given_as_a_date(octo, client):
    until = datetime.now(UTC) + timedelta(seconds=100)
    octo.next(bad.too_many(format_datetime(until, usegmt=True)), bad.fails(503, retry_after="40"), at="refresh")

    assert 95 <= what_is_raised(client, Secret("any")).retry_after <= 100
    assert what_is_raised(client, Secret("any")).retry_after == 40


# What is sent


@pytest.mark.parametrize("secret", ["conf secret/+:%", "ünïcode:&=+ %2B", "plain"])
def test_basic_encodes_both_parts_as_a_form_before_it_joins_them(octo, secret):
    registered = octo.register(client_id="gate house:1", client_secret=secret)
    client = client_of(octo, registered)

    new = oauth2.refresh(client, tokens_of(client).refresh)

    assert octo.verify(new.access.reveal())
    for call in octo.token_requests():
        assert call.basic == ("gate house:1", secret)
        assert not {"client_id", "client_secret"} & call.form.keys()
    [header] = octo.refreshes()[0].received.header("authorization")
    assert header.startswith("Basic ")


def test_post_sends_the_secret_in_the_form_alone(octo):
    registered = octo.register(auth_method="client_secret_post", client_secret="conf secret/+:%")
    client = client_of(octo, registered, client_auth="post")

    assert octo.verify(oauth2.refresh(client, tokens_of(client).refresh).access.reveal())
    for call in octo.token_requests():
        assert call.form["client_secret"] == "conf secret/+:%"
        assert call.received.header("authorization") == []


def test_a_public_client_sends_its_id_alone(octo):
    client = client_of(octo, octo.register(auth_method="none"), client_auth="none")

    assert octo.verify(oauth2.refresh(client, tokens_of(client).refresh).access.reveal())
    for call in octo.token_requests():
        assert call.form["client_id"] == client.terms.client_id
        assert "client_secret" not in call.form
        assert call.received.header("authorization") == []


def test_no_request_says_more_than_one_content_type_or_asks_for_anything_but_json(octo, client):
    tokens_of(client)

    [call] = octo.codes()
    assert call.received.header("content-type") == ["application/x-www-form-urlencoded"]
    assert call.received.header("accept") == ["application/json"]


def test_resource_and_audience_go_with_every_request_that_names_a_token(octo):
    client = client_of(octo, resource="https://agent.example/a2a", audience="reviews api")
    oauth2.refresh(client, tokens_of(client).refresh)

    [authorize, *_] = octo.calls("authorize")
    for sent in (authorize.query, octo.codes()[0].form, octo.refreshes()[0].form):
        assert (sent["resource"], sent["audience"]) == ("https://agent.example/a2a", "reviews api")


def test_what_is_not_set_is_not_sent(octo, client):
    oauth2.refresh(client, tokens_of(client).refresh)

    [authorize, *_] = octo.calls("authorize")
    for sent in (authorize.query, octo.codes()[0].form, octo.refreshes()[0].form):
        assert not {"resource", "audience"} & sent.keys()


def test_extra_parameters_go_with_the_authorization_request_and_can_change_nothing_of_ours():
    """A row that was edited past the form changes nothing either."""
    terms = _terms(extra={"prompt": "consent", "state": "mine", "client_id": "x", "redirect_uri": "https://evil"})
    sent = query_of(oauth2.authorization_address(terms, "the-state", "the-verifier"))

    assert sent["prompt"] == "consent"
    assert (sent["state"], sent["client_id"]) == ("the-state", terms.client_id)
    assert sent["redirect_uri"] == terms.redirect_uri


@pytest.mark.parametrize("name", ["code_challenge", "resource", "request_uri", "Response_Mode", "nonce", "request"])
def test_extra_parameters_cannot_add_one_that_the_flow_owns(name):
    terms = _terms(extra={name: "evil"}, pkce="off")

    assert "evil" not in oauth2.authorization_address(terms, "the-state", "the-verifier")


def test_the_authorization_url_keeps_its_own_query():
    terms = _terms(authorization_url="https://login.example/authorize?tenant=contoso")

    address = oauth2.authorization_address(terms, "the-state", "the-verifier")
    assert address.startswith("https://login.example/authorize?tenant=contoso&response_type=code&")


def test_s256_is_the_challenge_of_the_rfc_and_the_verifier_stays_here(octo, client):
    # RFC 7636, appendix B.
    assert oauth2.challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == (
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
    )
    verifier = code_for(client)[1]
    assert len(verifier) == 43
    [authorize, *_] = octo.calls("authorize")
    assert authorize.query["code_challenge_method"] == "S256"
    assert authorize.query["code_challenge"] == oauth2.challenge_of(verifier)
    assert verifier not in authorize.received.query


def test_a_code_with_another_verifier_gives_nothing(octo, client):
    code, _ = code_for(client)

    with pytest.raises(GrantEnded):
        oauth2.exchange(client, code, oauth2.new_verifier())


def test_pkce_can_be_off_for_providers_that_refuse_it(provider):
    octo = provider(pkce="unsupported")
    client = client_of(octo, pkce="off")

    assert octo.verify(tokens_of(client).access.reveal())
    assert "code_verifier" not in octo.codes()[0].form
    assert "code_challenge" not in octo.calls("authorize")[0].query


def test_a_refresh_goes_to_the_refresh_url(octo):
    client = client_of(octo, refresh_url=octo.refresh_url)

    assert oauth2.refresh(client, tokens_of(client).refresh).access
    assert len(octo.calls("refresh")) == 1
    assert len(octo.calls("token")) == 1


# The other addresses


def test_a_revoked_token_is_dead_and_an_unknown_one_counts_as_revoked(octo, client):
    held = tokens_of(client)

    assert revoking.revoke(client, held.refresh, "refresh_token") is True
    assert octo.living_approvals() == []
    assert revoking.revoke(client, Secret("never-heard-of"), "access_token") is True


@pytest.mark.parametrize(
    ("fault", "said"), [(bad.fails(503), False), (bad.drop(), False), (bad.refuses("unsupported_token_type"), None)]
)
def test_a_revocation_that_was_not_confirmed_says_so(octo, client, fault, said):
    octo.next(fault, at="revoke")

    assert revoking.revoke(client, Secret("any"), "refresh_token") is said


def test_the_account_is_named_and_a_provider_that_plays_tricks_names_none(octo, client):
    access = tokens_of(client).access
    assert oauth2.name_in(oauth2.userinfo(client.terms, access)) == "octo-ben"

    hostile = [
        bad.raw(b"<script>", content_type="text/html"),
        bad.raw(b'["octo"]'),
        bad.answers({"preferred_username": "a\u202eb", "sub": 7, "name": ["x"]}),
        bad.answers({"sub": "x\r\ny"}),
        bad.fails(500),
        bad.drop(),
    ]
    octo.next(*hostile, at="userinfo")
    for _ in hostile:
        assert oauth2.name_in(oauth2.userinfo(client.terms, access)) == ""
    octo.next(bad.answers({"sub": "x" * 500}), at="userinfo")
    assert oauth2.name_in(oauth2.userinfo(client.terms, access)) == "x" * 200


def test_every_refusal_has_a_code_that_the_catalogue_explains():
    kinds = [TokenRefused, *TokenRefused.__subclasses__()]
    assert len(kinds) == 6
    assert {kind.code for kind in kinds} <= CATALOGUE.keys()


def _terms(**changes):
    usual = Terms(
        authorization_url="https://login.example/authorize",
        token_url="https://login.example/token",
        refresh_url="https://login.example/token",
        client_id="gatehouse-1",
        redirect_uri="https://portal.example/consent/callback/1",
        endpoints=("https://agent.example/a2a",),
    )
    return replace(usual, **changes)
