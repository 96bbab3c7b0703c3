"""Which account was connected: by a verified id token, by userinfo, and whether it is the person's own."""

import base64
import hmac
import json
import time
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from django.http import QueryDict
from joserfc import jwt
from joserfc.jwk import RSAKey

from connections.methods.base import Caller
from connections.models import Connection
from consent import coming_back, events, flow, grants, id_tokens
from consent.models import ConsentRequest, Grant
from demo.provider.settings import SCOPES
from portal.audit.models import LogRow
from tests.connections.pages import page, text_of
from tests.consent import making
from tests.consent.given import again, give, providers_are_told
from tests.consent.test_oauth_form import edit
from tests.fakes import misbehaviour as bad
from tests.fakes.signing_in import sign_in

pytestmark = pytest.mark.django_db
OPENID = {"openid": "Know who you are", **SCOPES}
BEN, ELSE = "Ben.Okafor@Contoso.example", "someone@else.example"
OTHER_KEY = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)


@pytest.fixture(autouse=True)
def nothing_kept():
    id_tokens._kept.clear()


@pytest.fixture
def octo(provider):
    """Octo-ben has Ben's address, verified; octo-chloe another one."""
    claims = {
        "octo-ben": {"email": BEN, "email_verified": True},
        "octo-chloe": {"email": ELSE, "email_verified": True},
    }
    return provider(scopes=OPENID, claims=claims)


def connection_to(octo, project, agent, **settings) -> Connection:
    usual = {"scopes": ["openid", "profile"], "issuer": octo.at.issuer}
    return making.connection_to(octo, project, agent, name="review-agent", settings=usual | settings)


@pytest.fixture
def connection(octo, project, release_bot) -> Connection:
    return connection_to(octo, project, release_bot)


class Flow:
    """One flow up to the provider's answer, whose nonce a forger can't choose but a test can read."""

    def __init__(self, connection, agent, user, account="octo-ben") -> None:
        self.request = flow.ask(connection, Caller(agent, user))
        self.departure = flow.begin(self.request)
        self.sent = dict(parse_qsl(urlsplit(self.departure.address).query))
        with httpx.Client() as http:
            self.back = sign_in(http, self.departure.address, account)

    def arrives(self) -> Grant:
        answer = QueryDict(urlsplit(self.back).query)
        request = self.request
        return coming_back.complete(request.connection_id, request.user, self.departure.browser, answer)


def refused(flow_: Flow, code: str) -> None:
    with pytest.raises(flow.FlowRefused) as why:
        flow_.arrives()
    assert why.value.code == code
    assert not Grant.objects.exclude(access_token="").exists()
    row = LogRow.objects.filter(event=events.CALLBACK_REFUSED.tag).latest("id")
    assert (row.reason, row.outcome) == (code, "failed")


def honest(octo, flow_: Flow) -> dict:
    now = int(time.time())
    claims = {"iss": octo.at.issuer, "aud": flow_.sent["client_id"], "iat": now, "exp": now + 300, "sub": "octo-ben"}
    return claims | {"nonce": flow_.sent["nonce"], "email": BEN, "email_verified": True}


def encoded(octo, claims: dict, key=None, **header) -> str:
    key = key or octo.server.id_tokens.key
    return jwt.encode({"alg": "RS256", "kid": octo.server.id_tokens.key.kid} | header, claims, key)


# The id token


def test_a_verified_id_token_says_whose_account_it_is(octo, connection, release_bot, ben):
    grant = give(connection, release_bot, ben)
    assert (grant.account, grant.account_issuer, grant.account_subject) == ("octo-ben", octo.at.issuer, "octo-ben")
    assert grant.account_notes == []
    [asked] = [call for call in octo.calls("authorize") if "nonce" in call.query][:1]
    assert len(asked.query["nonce"]) == 43 and asked.query["nonce"] != asked.query["code_challenge"]


def test_each_flow_has_another_nonce_and_none_goes_where_no_id_token_can_be_verified(
    octo, connection, release_bot, ben
):
    nonces = set()
    for _ in range(2):
        departure = flow.begin(flow.ask(connection, Caller(release_bot, ben)))
        nonces.add(dict(parse_qsl(urlsplit(departure.address).query))["nonce"])
    assert len(nonces) == 2
    connection.settings["issuer"] = ""
    connection.save()
    departure = flow.begin(flow.ask(connection, Caller(release_bot, ben)))
    assert "nonce" not in dict(parse_qsl(urlsplit(departure.address).query))


def test_the_honest_one_passes_by_the_same_way(octo, connection, release_bot, ben):
    """Else nothing below would show anything."""
    back = Flow(connection, release_bot, ben)
    claims = honest(octo, back) | {"aud": [back.sent["client_id"], "another"], "azp": back.sent["client_id"]}
    octo.next(bad.changed(id_token=encoded(octo, claims)), at="code")
    assert back.arrives().account_subject == "octo-ben"


FORGED = {
    "expired": {"exp": 1},
    "no expiry": {"exp": None},
    "expiry of another kind": {"exp": "9999999999"},
    "old": {"iat": 1},
    "of the future": {"iat": 9_999_999_999},
    "another nonce": {"nonce": "x" * 43},
    "no nonce": {"nonce": None},
    "another audience": {"aud": "somebody-else"},
    "many audiences without azp": {"aud": ["CLIENT", "somebody-else"]},
    "another azp": {"azp": "somebody-else"},
    "another issuer": {"iss": "https://evil.example"},
    "no subject": {"sub": None},
    "a subject that is no text": {"sub": 7},
}


@pytest.mark.parametrize("name", FORGED)
def test_an_id_token_that_can_not_be_of_this_sign_in_is_refused(octo, connection, release_bot, ben, name):
    back = Flow(connection, release_bot, ben)
    changed = FORGED[name] | ({"aud": [back.sent["client_id"], "x"]} if "many" in name else {})
    claims = {key: value for key, value in (honest(octo, back) | changed).items() if value is not None}
    octo.next(bad.changed(id_token=encoded(octo, claims)), at="code")
    refused(back, "id_token_refused")


def unsigned(octo, claims) -> str:
    return b64({"alg": "none", "typ": "JWT"}) + "." + b64(claims) + "."


def b64(content: dict | bytes) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def hs256(secret: bytes, claims: dict, **header) -> str:
    """By hand, because no good library makes the first of them."""
    signed = f"{b64({'alg': 'HS256', 'typ': 'JWT'} | header)}.{b64(claims)}"
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), 'sha256'))}"


def with_the_public_key_as_secret(octo, claims) -> str:
    key = octo.server.id_tokens.key
    return hs256(key.as_pem(private=False), claims, kid=key.kid)


def with_the_client_secret(octo, claims) -> str:
    return hs256(b"canary-client-secret-of-a-connection", claims)


def with_a_key_of_its_own(octo, claims) -> str:
    return encoded(octo, claims, OTHER_KEY)


def with_a_key_that_it_brings(octo, claims) -> str:
    brought = {"jwk": OTHER_KEY.as_dict(private=False), "kid": OTHER_KEY.kid}
    return jwt.encode({"alg": "RS256", **brought}, claims, OTHER_KEY)


def with_an_address_of_its_keys(octo, claims) -> str:
    return jwt.encode({"alg": "RS256", "jku": "http://127.0.0.1:9/jwks", "kid": OTHER_KEY.kid}, claims, OTHER_KEY)


def with_another_content(octo, claims) -> str:
    head, _, signature = encoded(octo, claims | {"sub": "octo-chloe"}).split(".")
    return f"{head}.{b64(claims)}.{signature}"


def garbage(octo, claims) -> str:
    return "not.a.token"


SIGNED_OTHERWISE = [
    unsigned, with_the_public_key_as_secret, with_the_client_secret, with_a_key_of_its_own, with_a_key_that_it_brings,
    with_an_address_of_its_keys, with_another_content, garbage,
]  # fmt: skip


@pytest.mark.parametrize("forge", SIGNED_OTHERWISE, ids=lambda forge: forge.__name__)
def test_an_id_token_that_the_issuer_did_not_sign_is_refused_and_what_was_given_is_cancelled(
    octo, connection, release_bot, ben, forge
):
    back = Flow(connection, release_bot, ben)
    octo.next(bad.changed(id_token=forge(octo, honest(octo, back))), at="code")
    refused(back, "id_token_refused")
    providers_are_told()
    assert octo.living_approvals() == []


@pytest.mark.parametrize(
    "value", [7, ["a"], {"a": 1}, "x" * 20_000, "ü.ü.ü"], ids=["number", "list", "dict", "huge", "ü"]
)
def test_what_is_no_id_token_at_all_is_refused_at_a_consent_and_spoils_no_refresh(
    octo, connection, release_bot, ben, value
):
    grant = give(connection, release_bot, ben)
    octo.next(bad.changed(id_token=value), at="refresh")
    assert grants.fresh_token(again(grant), beyond=grant.generation)
    Grant.objects.all().delete()
    back = Flow(connection, release_bot, ben)
    octo.next(bad.changed(id_token=value), at="code")
    refused(back, "id_token_refused")


def test_the_keys_are_kept_and_asked_for_again_when_they_were_rotated(octo, connection, release_bot, ben, monkeypatch):
    for _ in range(3):
        give(connection, release_bot, ben)
    assert len(octo.calls("jwks.json")) == 1
    octo.server.id_tokens.key = OTHER_KEY
    back = Flow(connection, release_bot, ben)
    refused_once = False
    try:
        back.arrives()
    except flow.FlowRefused:
        refused_once = True
    assert refused_once and len(octo.calls("jwks.json")) == 1, "not asked more often than once a minute"
    monkeypatch.setattr(id_tokens, "ASKED_AGAIN", 0)
    assert give(connection, release_bot, ben).account_subject == "octo-ben"
    assert len(octo.calls("jwks.json")) == 2


def test_where_the_keys_can_not_be_had_nothing_is_known_by_it_and_nobody_is_kept_out(
    octo, connection, release_bot, ben
):
    octo.always(bad.fails(500), at="jwks.json")
    grant = give(connection, release_bot, ben)
    assert grant.account_subject == "octo-ben" and grant.account_notes == []  # by userinfo
    Connection.objects.update(settings=connection.settings | {"userinfo_url": "", "account_match": "enforce"})
    grants.revoke(again(grant), ben)
    refused(Flow(Connection.objects.get(), release_bot, ben), "account_unproven")


# Userinfo


def test_userinfo_of_another_account_is_refused(octo, connection, release_bot, ben):
    octo.next(bad.changed(sub="octo-chloe"), at="userinfo")
    refused(Flow(connection, release_bot, ben), "account_swapped")


def test_userinfo_without_a_subject_is_not_that_of_the_id_token(octo, connection, release_bot, ben):
    octo.next(bad.answers({"email": BEN}), at="userinfo")
    refused(Flow(connection, release_bot, ben), "account_swapped")


def test_without_openid_userinfo_says_who_it_is(octo, project, release_bot, ben):
    grant = give(connection_to(octo, project, release_bot, scopes=["profile"]), release_bot, ben)
    assert (grant.account, grant.account_subject) == ("octo-ben", "octo-ben")


# Whose it must be


def test_ones_own_account_matches_whatever_the_case(octo, project, release_bot, ben):
    assert ben.email == BEN.lower() != BEN
    grant = give(connection_to(octo, project, release_bot, account_match="enforce"), release_bot, ben)
    assert grant.account_notes == [] and grant.state == Grant.State.ACTIVE


def test_enforced_another_account_is_refused_before_anything_is_stored_and_cancelled(
    octo, project, release_bot, ben, browse
):
    connection = connection_to(octo, project, release_bot, account_match="enforce")
    asking = flow.ask(connection, Caller(release_bot, ben))
    assert f"With your own account, {ben.email}" in text_of(browse(ben).get(f"/consent/{asking.id}"))
    back = Flow(connection, release_bot, ben, "octo-chloe")
    refused(back, "account_differs")
    assert not Grant.objects.exists()
    providers_are_told()
    assert octo.living_approvals() == []
    shown = text_of(browse(ben).get(f"/consent/{back.request.id}/refused"))
    assert "The account is not your own" in shown and "Try again" in shown and ELSE not in shown
    assert ConsentRequest.objects.get().state == ConsentRequest.State.WAITING


@pytest.mark.parametrize(
    ("claims", "claim", "code"),
    [
        ({"email": BEN}, "verified_email", "account_unproven"),
        ({"email": BEN, "email_verified": False}, "verified_email", "account_unproven"),
        ({"email": BEN, "email_verified": "true"}, "verified_email", ""),
        ({"email": BEN, "email_verified": False}, "email", ""),
        ({}, "email", "account_unproven"),
        ({"email": [BEN]}, "email", "account_unproven"),
        ({"email": ELSE, "preferred_username": BEN}, "preferred_username", ""),
        ({"email": BEN}, "preferred_username", "account_differs"),
        ({"upn": f" {BEN} "}, "upn", ""),
        ({"email": BEN + ".evil.example", "email_verified": True}, "verified_email", "account_differs"),
    ],
)
def test_the_chosen_claim_counts(provider, project, release_bot, ben, claims, claim, code):
    octo = provider(scopes=OPENID, claims={"octo-ben": claims})
    connection = connection_to(octo, project, release_bot, account_match="report", account_claim=claim)
    assert give(connection, release_bot, ben).account_notes == ([code] if code else [])


def test_reported_it_is_connected_and_everybody_concerned_reads_it(octo, project, release_bot, ben, ana, browse):
    connection = connection_to(octo, project, release_bot, account_match="report")
    grant = give(connection, release_bot, ben, "octo-chloe")
    assert (grant.state, grant.account_notes) == (Grant.State.ACTIVE, ["account_differs"])
    row = LogRow.objects.get(event=events.ACCOUNT_NOTED.tag)
    assert (row.reason, row.actor_name, row.outcome) == ("account_differs", "Ben Okafor", "succeeded")
    title = "The account is not your own"
    assert title in text_of(browse(ana).get(page("connection-consents", project, "review-agent")))
    assert title in text_of(browse(ben).get("/consents/"))
    assert title in text_of(browse(ben).get(f"/consent/{ConsentRequest.objects.get().id}/done"))


@pytest.mark.parametrize("rule", ["off", "report"])
def test_another_account_than_before_is_noted(octo, project, release_bot, ben, rule):
    connection = connection_to(octo, project, release_bot, account_match=rule)
    give(connection, release_bot, ben)
    grant = give(connection, release_bot, ben, "octo-chloe")
    assert "account_changed" in grant.account_notes and grant.account_subject == "octo-chloe"
    assert LogRow.objects.filter(event=events.ACCOUNT_NOTED.tag, reason="account_changed").exists()


def test_enforced_another_account_than_before_is_refused_and_the_one_before_stays(provider, project, release_bot, ben):
    both = {name: {"email": BEN, "email_verified": True} for name in ("octo-ben", "octo-chloe")}
    octo = provider(scopes=OPENID, claims=both)
    connection = connection_to(octo, project, release_bot, account_match="enforce")
    grant = give(connection, release_bot, ben)
    with pytest.raises(flow.FlowRefused, match="account_changed"):
        give(connection, release_bot, ben, "octo-chloe")
    kept = again(grant)
    assert (kept.state, kept.generation, kept.account_subject) == (Grant.State.ACTIVE, grant.generation, "octo-ben")
    grants.revoke(kept, ben)
    assert give(connection, release_bot, ben, "octo-chloe").account_notes == []


def test_the_rule_is_the_one_of_the_moment_in_which_the_answer_comes(octo, project, release_bot, ben):
    connection = connection_to(octo, project, release_bot)
    back = Flow(connection, release_bot, ben, "octo-chloe")
    Connection.objects.update(settings=connection.settings | {"account_match": "enforce"})
    refused(back, "account_differs")


def test_the_form_wants_a_way_to_know_and_the_page_says_the_rule(browse, ana, project, review):
    answer = edit(browse(ana), review, settings__account_match="enforce")
    assert answer.status_code == 422 and "Nothing says whose account it is" in text_of(answer)
    userinfo = f"{making.NOWHERE}/me"
    edit(browse(ana), review, settings__account_match="enforce", settings__userinfo_url=userinfo, clearing="yes")
    review.refresh_from_db()
    assert (review.settings["account_match"], review.settings["account_claim"]) == ("enforce", "verified_email")
    shown = text_of(browse(ana).get(page("connection", project, "review-agent")))
    assert "Account must match the person" in shown and "Enforce, by verified email" in shown
