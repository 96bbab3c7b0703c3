"""private_key_jwt: a provider that checks every claim itself, keys that roll over, and what moving an address ends."""

import json
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.utils import timezone
from joserfc import jws, jwt
from joserfc.jwk import KeySet, RSAKey

from connections.methods import method_of
from connections.methods.base import CredentialUnavailable
from connections.models import Connection
from consent import cancelling, client_assertions, client_keys, clients, events, grants, oauth2
from consent.discovery.server import Metadata
from consent.models import Cancellation, ClientKey, Grant
from consent.terms import Terms, redirect_uri
from portal.audit.models import LogRow
from portal.vault import Secret
from tests.connections.pages import page, text_of
from tests.consent import making
from tests.consent.discovery.test_register import told, unregistered
from tests.consent.given import again, expire, give, providers_are_told
from tests.consent.test_oauth_form import edit, form
from tests.consent.wire import client_of, tokens_of
from tests.fakes import misbehaviour as bad

pytestmark = pytest.mark.django_db
AUTH = "private_key_jwt"


def signing_connection(provider, project, agent, **settings) -> Connection:
    """Registered at the provider with its public keys."""
    at = provider.at
    settings = {"client_auth": AUTH, "issuer": at.issuer, **settings}
    connection = making.connection_to(provider, project, agent, name="review-agent", settings=settings)
    connection.secrets.all().delete()
    registered = provider.register(
        redirect_uri(connection.id), auth_method=AUTH, jwks=client_keys.current(connection).jwks
    )
    connection.settings["client_id"] = registered.client_id
    connection.save()
    return Connection.objects.get(pk=connection.pk)


@pytest.fixture
def signs(project, release_bot, github) -> Connection:
    return signing_connection(github, project, release_bot)


@pytest.fixture
def ahead(monkeypatch):
    """The next key has been published for long enough."""
    monkeypatch.setattr(client_keys, "PUBLISHED_AHEAD", timedelta(0))


def assertions(provider) -> list[str]:
    return [call.form["client_assertion"] for call in provider.calls() if "client_assertion" in call.form]


def claims_of(assertion: str) -> tuple[dict, dict]:
    compact = jws.extract_compact(assertion.encode())
    return compact.headers(), json.loads(compact.payload)


# The wire


def test_a_whole_consent_is_given_refreshed_and_cancelled_by_signatures_alone(signs, release_bot, ben, github):
    grant = give(signs, release_bot, ben)
    expire(grant)
    assert grants.fresh_token(again(grant))
    assert grants.revoke(again(grant), ben)
    providers_are_told()
    assert Cancellation.objects.get().state == Cancellation.State.CONFIRMED
    assert github.living_approvals() == [] and github.server.refused_assertions == []
    calls = [call for call in github.calls() if call.endpoint in ("token", "revoke")]
    assert len(calls) == 4 and all("client_secret" not in c.form and not c.basic for c in calls)


def test_an_assertion_says_what_it_must_and_no_two_are_the_same(signs, release_bot, ben, github):
    expire(grant := give(signs, release_bot, ben))
    grants.fresh_token(again(grant))
    first, second = (claims_of(one) for one in assertions(github))
    for header, claims in (first, second):
        assert header == {
            "typ": "client-authentication+jwt",
            "alg": "RS256",
            "kid": client_keys.current(signs).signing.kid,
        }
        assert set(claims) == {"iss", "sub", "aud", "iat", "exp", "jti"}
        assert claims["iss"] == claims["sub"] == signs.settings["client_id"]
        assert claims["aud"] == github.at.issuer != github.at.token
        assert claims["exp"] - claims["iat"] <= 60
    assert first[1]["jti"] != second[1]["jti"]


KEY = client_assertions.new_key()


def forged(github, client_id: str, key: RSAKey = KEY, header: dict | None = None, **changes) -> str:
    """An assertion that would hold, with these changes."""
    pem = Secret(key.as_pem(private=True).decode())
    honest = client_assertions.parameters(client_id, github.at.issuer, pem)["client_assertion"]
    head, claims = claims_of(honest)
    return jwt.encode(head | (header or {}), claims | changes, key)


@pytest.fixture
def client(github):
    """One whose only key is ours."""
    registered = github.register(auth_method=AUTH, jwks=KeySet([KEY]).as_dict(private=False))
    pem = Secret(KEY.as_pem(private=True).decode())
    return replace(client_of(github, registered, client_auth=AUTH, issuer=github.at.issuer), secret=pem)


def test_the_honest_one_is_taken(github, client):
    assert tokens_of(client).access


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"aud": "https://evil.example"}, "aud"),
        ({"aud": "TOKEN"}, "aud"),
        ({"aud": ["ISSUER", "TOKEN"]}, "aud"),
        ({"exp": 1}, "exp"),
        ({"exp": 9_999_999_999}, "exp"),
        ({"iat": 9_999_999_999}, "iat"),
        ({"iss": "somebody-else"}, "iss"),
        ({"sub": "somebody-else"}, "sub"),
        ({"jti": None}, "jti"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_fake_refuses_each_forged_claim(github, client, monkeypatch, changes, why):
    """A fake that took everything would prove nothing of what we send."""
    named = {"TOKEN": github.at.token, "ISSUER": github.at.issuer}
    aud = changes.get("aud")
    if aud:
        changes = {"aud": [named[one] for one in aud] if isinstance(aud, list) else named.get(aud, aud)}
    sends(monkeypatch, forged(github, client.terms.client_id, **changes))
    with pytest.raises(oauth2.ClientRefused):
        tokens_of(client)
    assert github.server.refused_assertions == [why]


def sends(monkeypatch, assertion: str) -> None:
    sent = {"client_assertion_type": client_assertions.PARAMETER_TYPE, "client_assertion": assertion}
    monkeypatch.setattr(client_assertions, "parameters", lambda *_: sent)


def test_the_fake_takes_an_assertion_once(github, client, monkeypatch):
    sends(monkeypatch, forged(github, client.terms.client_id))
    held = tokens_of(client)
    with pytest.raises(oauth2.ClientRefused):
        oauth2.refresh(client, held.refresh)
    assert github.server.refused_assertions == ["jti"]


def test_the_fake_refuses_another_key(github, client, monkeypatch):
    sends(monkeypatch, forged(github, client.terms.client_id, client_assertions.new_key()))
    with pytest.raises(oauth2.ClientRefused):
        tokens_of(client)


@pytest.mark.django_db(transaction=True)
def test_a_provider_that_reads_the_key_url_learns_of_each_next_key(
    live_server, settings, provider, project, release_bot, ben, ana, ahead
):
    """Registered with the address alone, over HTTP as in life."""
    settings.PUBLIC_URL = live_server.url
    octo = provider()
    connection = signing_connection(octo, project, release_bot)
    registered = octo.server.store.clients[connection.settings["client_id"]]
    registered.jwks, registered.jwks_uri = None, client_keys.current(connection).url
    assert registered.jwks_uri.startswith(live_server.url)
    grant = give(connection, release_bot, ben)
    for _ in range(2):
        client_keys.roll_over(connection, ana)
        expire(grant)
        assert grants.fresh_token(again(grant))
    assert len({claims_of(one)[0]["kid"] for one in assertions(octo)}) == 3
    assert octo.server.refused_assertions == []


# Keys


def test_the_private_half_is_sealed_to_the_issuer_and_the_addresses_and_shown_nowhere(browse, ana, project, signs):
    terms = clients.of(signs, Terms.now(signs)).terms
    for key in ClientKey.objects.all():
        assert set(key.addresses) == {terms.issuer, terms.token_url, terms.revocation_url}
        assert key.private.startswith("gh1:") and "PRIVATE" not in key.private
    shown = text_of(browse(ana).get(page("connection", project, "review-agent")))
    keys = client_keys.current(signs)
    assert keys.url in shown and keys.signing.kid in shown and keys.waiting.kid in shown
    assert '"d"' not in shown and "&quot;d&quot;" not in shown


def test_everybody_reads_the_public_keys_and_nothing_else(signs):
    keys = client_keys.current(signs)
    answer = Client().get(urlsplit(keys.url).path)
    assert answer.status_code == 200 and answer["Content-Type"] == "application/jwk-set+json"
    assert [key["kid"] for key in answer.json()["keys"]] == [keys.signing.kid, keys.waiting.kid]
    for key in answer.json()["keys"]:
        assert set(key) == {"kty", "n", "e", "use", "alg", "kid"}
    assert Client().get("/consent/keys/00000000-0000-4000-8000-000000000000/jwks.json").status_code == 404
    assert str(signs.id) not in keys.url


def test_a_rollover_breaks_nothing_and_the_last_key_stays_published(signs, release_bot, ben, ana, github, ahead):
    before = client_keys.current(signs)
    expire(grant := give(signs, release_bot, ben))
    acted = method_of(signs).act("roll-client-key", signs, ana)
    assert acted.done
    now = client_keys.current(signs)
    assert (now.signing, now.ended, now.url) == (before.waiting, (before.signing,), before.url)
    assert grants.fresh_token(again(grant))
    assert claims_of(assertions(github)[-1])[0]["kid"] == before.waiting.kid
    published = [key["kid"] for key in client_keys.published(before.signing.key_set)["keys"]]
    assert published == [now.signing.kid, now.waiting.kid, before.signing.kid]
    row = LogRow.objects.get(event=events.CLIENT_KEY_ROLLED.tag)
    assert (row.actor_name, json.loads(row.details)["key"]) == ("Ana Ruiz", now.signing.kid)


def test_the_next_key_signs_only_when_providers_can_know_it(signs, ana):
    signing = client_keys.current(signs).signing
    acted = method_of(signs).act("roll-client-key", signs, ana)
    assert not acted.done and "may not know it yet" in acted.sentence
    assert client_keys.current(signs).signing == signing


def test_the_last_key_is_tried_once_where_the_provider_does_not_know_the_new_one(
    signs, release_bot, ben, ana, github, ahead
):
    """One that read the set once, and never again."""
    expire(grant := give(signs, release_bot, ben))
    first = client_keys.current(signs).signing
    github.server.store.clients[signs.settings["client_id"]].jwks = {"keys": [first.public]}
    client_keys.roll_over(signs, ana)
    assert grants.fresh_token(again(grant))
    assert [claims_of(one)[0]["kid"] == first.kid for one in assertions(github)[-2:]] == [False, True]
    ClientKey.objects.filter(pk=first.pk).update(ended_at=timezone.now() - client_keys.TRIED_AFTER)
    expire(grant)
    with pytest.raises(CredentialUnavailable, match="oauth_client_refused"):
        grants.fresh_token(again(grant))


def test_what_is_over_is_wiped_and_then_forgotten(signs, ana, ahead):
    first = client_keys.current(signs).signing
    client_keys.roll_over(signs, ana)
    ended = ClientKey.objects.filter(pk=first.pk)
    ended.update(ended_at=timezone.now() - client_keys.TRIED_AFTER - timedelta(seconds=1))
    assert client_keys.tidy() == 0 and ended.get().private == ""
    ended.update(ended_at=timezone.now() - client_keys.PUBLISHED_AFTER - timedelta(seconds=1))
    assert client_keys.tidy() == 1 and ClientKey.objects.count() == 2


# Moving an address


@pytest.mark.parametrize("name", ["token_url", "issuer", "revocation_url"])
def test_moving_an_address_ends_the_set_and_its_url_and_asks_first(browse, ana, signs, github, name):
    """Else whoever moves the token URL would be sent signatures that the honest provider takes (T01)."""
    before = client_keys.current(signs)
    moved = {f"settings__{name}": "http://127.0.0.1:9/moved", "settings__scope_words": ""}
    asked = edit(browse(ana), signs, **moved)
    assert "ends the client keys" in text_of(asked)
    assert client_keys.current(signs) == before

    edit(browse(ana), signs, **moved, clearing="yes")

    signs.refresh_from_db()
    now = client_keys.current(signs)
    assert now.url != before.url and now.signing.kid != before.signing.kid
    assert not ClientKey.objects.filter(key_set=before.signing.key_set).exclude(private="").exists()
    assert [key["kid"] for key in client_keys.published(before.signing.key_set)["keys"]] == [before.signing.kid]
    assert LogRow.objects.filter(event=events.CLIENT_KEYS_ENDED.tag).count() == 1


def test_a_row_that_was_moved_to_other_addresses_signs_nothing(signs):
    terms = replace(Terms.now(signs), token_url="https://evil.example/token", refresh_url="https://evil.example/token")
    ClientKey.objects.update(addresses=client_keys.sent_to(terms))
    signs.settings |= {"token_url": terms.token_url}
    with pytest.raises(CredentialUnavailable, match="secret_unreadable"):
        client_keys.signing(signs, terms)


def test_the_provider_can_be_told_after_the_connection_was_deleted(signs, release_bot, ben, github):
    give(signs, release_bot, ben)
    key_set = client_keys.current(signs).signing.key_set
    method_of(signs).before_deletion(signs, ben)
    signs.delete()
    assert client_keys.published(key_set) and not ClientKey.objects.exclude(private="").exists()
    providers_are_told()
    assert Cancellation.objects.get().state == Cancellation.State.CONFIRMED
    assert cancelling.GIVE_UP < client_keys.PUBLISHED_AFTER


# The form


def test_the_form_wants_an_issuer(browse, ana, project, fake_agent):
    sent = form(fake_agent().url, settings__client_auth=AUTH)
    shown = text_of(browse(ana).post(page("connection-new-a2a", project), sent))
    assert "A signature is good for one issuer only" in shown and not project.connections.exists()


def test_after_connect_the_page_gives_the_redirect_url_and_the_key_url(browse, ana, project, fake_agent):
    sent = form(fake_agent().url, settings__client_auth=AUTH, settings__issuer="http://127.0.0.1:9")
    sent |= {"settings-client_id": ""}
    answer = browse(ana).post(page("connection-new-a2a", project), sent, follow=True)
    connection, shown = project.connections.get(), text_of(answer)
    assert "Add the redirect URL and the key URL to your app registration" in shown
    assert client_keys.current(connection).url in shown and "Roll over the key" in shown
    assert ClientKey.objects.count() == 2


def test_who_changes_from_a_secret_to_keys_keeps_what_people_gave(signs, release_bot, ben, github, project):
    connection = making.connection_to(
        github, project, release_bot, name="changes", settings={"issuer": github.at.issuer}
    )
    expire(grant := give(connection, release_bot, ben))
    connection = Connection.objects.get(pk=connection.pk)
    connection.settings |= {"client_auth": AUTH}
    connection.save()
    client = github.server.store.clients[connection.settings["client_id"]]
    client.auth_method, client.jwks = AUTH, client_keys.current(connection).jwks
    assert grants.fresh_token(again(grant))
    assert again(grant).state == Grant.State.ACTIVE


# Discovery and registration


def test_registration_registers_the_key_url_and_needs_no_secret(browse, ana, project, release_bot, ben, provider):
    octo = provider(read_keys=lambda url: client_keys.published(ClientKey.objects.first().key_set))
    connection = unregistered(project, octo.at.issuer, client_auth=AUTH)
    assert "it needs no secret" in told(browse(ana), connection, settings__client_auth=AUTH)
    [call] = octo.calls("register")
    asked = call.received.json()
    assert asked["token_endpoint_auth_method"] == AUTH and asked["token_endpoint_auth_signing_alg"] == "RS256"
    assert asked["jwks_uri"] == client_keys.current(connection).url and "jwks" not in asked
    assert connection.settings["client_auth"] == AUTH and clients.is_complete(connection)
    assert octo.server.store.clients[connection.settings["client_id"]].jwks_uri == asked["jwks_uri"]


@pytest.mark.parametrize(("algorithms", "offered"), [(None, True), (["RS256", "ES256"], True), (["ES256"], False)])
def test_discovery_offers_it_where_the_server_takes_our_kind_of_key(algorithms, offered):
    members = {"token_endpoint_auth_methods_supported": [AUTH]}
    members |= {"token_endpoint_auth_signing_alg_values_supported": algorithms} if algorithms else {}
    assert Metadata("", "", members).client_auths == ([AUTH] if offered else [])


def test_a_refused_client_is_refused_as_with_a_secret(signs, release_bot, ben, github):
    expire(grant := give(signs, release_bot, ben))
    github.next(bad.refuses("invalid_client", 401), at="refresh")
    with pytest.raises(CredentialUnavailable, match="oauth_client_refused"):
        grants.fresh_token(again(grant))
