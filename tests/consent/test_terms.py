"""Terms are frozen: what was asked stays what was asked, whatever becomes of the connection."""

import json
from dataclasses import fields

import pytest

from consent import flow
from consent.models import ConsentRequest, Grant
from consent.terms import Terms, redirect_uri
from tests.consent import making

# What a token could be sent to, and whose it is. Everything else may change under a grant that stands.
BINDING = {"endpoint", "interfaces", "token_url", "refresh_url", "revocation_url", "client_id"}
SETTINGS = {
    "authorization_url": "https://login.example/authorize",
    "token_url": "https://login.example/token",
    "refresh_url": "https://login.example/refresh",
    "client_id": "another-client",
    "scopes": ["admin"],
    "scope_words": {"admin": "Do everything"},
    "revocation_url": "https://login.example/revoke",
    "userinfo_url": "https://login.example/userinfo",
    "issuer": "https://login.example",
    "resource": "https://agent.example",
    "audience": "api",
    "pkce": "off",
    "client_auth": "post",
    "extra": {"prompt": "consent"},
}


@pytest.fixture
def grant(review, release_bot, ben) -> Grant:
    return making.make_grant(review, release_bot, ben)


def change(connection, name) -> None:
    if name == "endpoint":
        connection.endpoint = "https://elsewhere.example/a2a"
    elif name == "interfaces":
        connection.interfaces = [{"url": "https://elsewhere.example/b", "binding": "JSONRPC", "version": "1.0"}]
    else:
        connection.settings[name] = SETTINGS[name]


def test_the_changes_tried_here_are_all_that_a_connection_can_make():
    """Whose app it is belongs to tests/consent/managed: with a publisher's, everything else is not the connection's."""
    frozen = {field.name for field in fields(Terms)} - {"redirect_uri", "endpoints", "publisher"}
    assert frozen == SETTINGS.keys()


@pytest.mark.parametrize("name", ["endpoint", "interfaces", *SETTINGS])
def test_a_grant_fits_exactly_while_nothing_moved_that_its_tokens_could_be_sent_to(grant, name):
    assert grant.asked.still_fit(grant.connection)

    change(grant.connection, name)

    assert grant.asked.still_fit(grant.connection) == (name not in BINDING)


@pytest.mark.parametrize("name", ["endpoint", "interfaces", *SETTINGS])
def test_a_request_keeps_what_it_showed_and_a_changed_connection_asks_anew(asking, name):
    before = asking.asked
    change(asking.connection, name)
    asking.connection.save()

    new = flow.renew(asking)

    shown = ConsentRequest.objects.get(pk=asking.pk)
    assert shown.asked == before
    assert shown.state == ConsentRequest.State.ENDED
    assert new.pk != asking.pk
    assert new.asked == Terms.now(asking.connection) != before


def test_a_live_request_is_used_again_and_not_multiplied(asking):
    assert flow.renew(asking).pk == asking.pk
    assert ConsentRequest.objects.count() == 1


def test_terms_come_back_from_the_database_as_they_went_in(review):
    review.settings |= SETTINGS
    terms = Terms.now(review)

    assert Terms.of(json.loads(json.dumps(terms.stored()))) == terms


def test_a_refresh_url_left_empty_is_the_token_url(review):
    assert Terms.now(review).refresh_url == review.settings["token_url"]


def test_each_connection_has_a_redirect_url_of_its_own(project, review, settings):
    settings.PUBLIC_URL = "https://portal.contoso.example"
    other = making.make_connection(project)

    assert redirect_uri(review.id) == f"https://portal.contoso.example/consent/callback/{review.id}"
    assert redirect_uri(other.id) != redirect_uri(review.id)


def test_each_token_is_sealed_to_the_addresses_it_can_be_sent_to(review):
    review.settings |= SETTINGS
    terms = Terms.now(review)

    sealed_to = {*terms.access_token_addresses, *terms.refresh_token_addresses}
    # The authorization URL gets no token of ours: a browser goes there.
    assert sealed_to == {review.endpoint, *(SETTINGS[n] for n in ("token_url", "refresh_url")), *_both(terms)}
    assert set(terms.access_token_addresses) & {terms.token_url, terms.refresh_url} == set()


def _both(terms: Terms) -> set[str]:
    return {terms.revocation_url, terms.userinfo_url}
