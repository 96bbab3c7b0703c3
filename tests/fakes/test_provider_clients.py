"""The authorization server knows its clients: how they authenticate, register, and what they may ask about tokens."""

import base64
from urllib.parse import quote_plus

import httpx
import pytest

from tests.fakes.authorization_server import REDIRECT_URI
from tests.fakes.signing_in import error_of, tokens_for
from tests.fakes.stock_client import TLS


@pytest.fixture
def http():
    with httpx.Client(verify=TLS) as client:
        yield client


@pytest.mark.parametrize("secret", ["plain", "a b", "p:l%u+s/é&=", " "])
def test_basic_authentication_is_form_encoded(provider, http, secret):
    fake = provider()
    fake.register(client_id="client one", client_secret=secret)
    form = {"grant_type": "refresh_token", "refresh_token": "none"}

    def post(pair):
        encoded = base64.b64encode(pair.encode()).decode()
        return error_of(http.post(fake.at.token, data=form, headers={"authorization": f"Basic {encoded}"}))

    assert post(f"client+one:{quote_plus(secret)}") == (400, "invalid_grant")  # authenticated, and no such token
    assert post(f"client+one:{quote_plus(secret)}x") == (401, "invalid_client")
    assert fake.calls("token")[0].basic == ("client one", secret)


def test_a_client_authenticates_as_it_was_registered_and_in_one_way_only(provider, http):
    fake = provider()
    by_post, public = fake.register(auth_method="client_secret_post"), fake.register(auth_method="none")
    form = {"grant_type": "refresh_token", "refresh_token": "none"}
    pair = {"client_id": by_post.client_id, "client_secret": by_post.client_secret}
    basic = (by_post.client_id, by_post.client_secret)
    assert error_of(http.post(fake.at.token, data=form | pair)) == (400, "invalid_grant")
    assert error_of(http.post(fake.at.token, data=form, auth=basic)) == (401, "invalid_client")
    assert error_of(http.post(fake.at.token, data=form | pair, auth=basic)) == (400, "invalid_request")
    assert error_of(http.post(fake.at.token, data=form | {"client_id": by_post.client_id}))[1] == "invalid_client"
    assert error_of(http.post(fake.at.token, data=form | {"client_id": public.client_id})) == (400, "invalid_grant")
    assert public.client_secret == ""


@pytest.mark.parametrize(
    ("body", "content_type", "error"),
    [
        (b"grant_type=refresh_token&grant_type=password", "application/x-www-form-urlencoded", "invalid_request"),
        (b'{"grant_type":"refresh_token"}', "application/json", "invalid_request"),
        (b"grant_type=password", "application/x-www-form-urlencoded", "unsupported_grant_type"),
        (b"grant_type=%22%0d%0a", "application/x-www-form-urlencoded", "unsupported_grant_type"),
    ],
)
def test_a_token_request_is_read_strictly(provider, http, body, content_type, error):
    answer = http.post(provider().at.token, content=body, headers={"content-type": content_type})
    assert error_of(answer) == (400, error)


def test_userinfo_names_the_account(provider, http):
    fake = provider()
    token = tokens_for(fake, fake.register(), "octo-chloe")["access_token"]
    answer = http.get(fake.at.userinfo, headers={"authorization": f"Bearer {token}"})
    assert answer.json() == {"sub": "octo-chloe", "preferred_username": "octo-chloe", "name": "Chloe Martin"}
    assert "error" not in http.get(fake.at.userinfo).headers["www-authenticate"]
    refused = http.get(fake.at.userinfo, headers={"authorization": "Bearer wrong"})
    assert (refused.status_code, 'error="invalid_token"' in refused.headers["www-authenticate"]) == (401, True)


def test_introspection_tells_a_resource_server_and_nobody_else(provider, http):
    fake = provider()
    client, stranger, public = fake.register(), fake.register(), fake.register(auth_method="none")
    server = fake.register(may_introspect=True)
    token = {"token": tokens_for(fake, client)["access_token"]}

    def seen_by(who):
        return http.post(fake.at.introspect, data=token, auth=(who.client_id, who.client_secret)).json()

    assert seen_by(server)["username"] == "octo-ben"
    assert seen_by(stranger) == {"active": False}
    assert http.post(fake.at.introspect, data=token | {"client_id": public.client_id}).status_code == 401
    fake.expire_access_tokens()
    assert seen_by(server) == {"active": False}


@pytest.mark.parametrize("path", ["", "/tenant/one"])
def test_metadata_stands_where_rfc_8414_puts_it(provider, http, path):
    fake = provider(path=path)
    document = http.get(f"{fake.at.origin}/.well-known/oauth-authorization-server{path}").json()
    assert document["issuer"] == fake.at.issuer == fake.at.origin + path
    assert document["code_challenge_methods_supported"] == ["S256"]
    assert document["authorization_response_iss_parameter_supported"] is True
    assert tokens_for(fake, fake.register())["access_token"]
    for name in ("token", "revocation", "introspection", "userinfo", "registration"):
        url = document[f"{name}_endpoint"]
        assert http.post(url).status_code in (400, 401), name


def test_a_program_of_this_machine_registers_itself(provider, http):
    fake = provider()
    wanted = {"redirect_uris": [REDIRECT_URI], "client_name": "Gatehouse", "scope": "reviews:read"}
    made = http.post(fake.at.register, json=wanted)
    client = made.json()
    assert (made.status_code, client["token_endpoint_auth_method"]) == (201, "client_secret_basic")
    form = {"grant_type": "refresh_token", "refresh_token": "none"}
    pair = (client["client_id"], client["client_secret"])
    assert error_of(http.post(fake.at.token, data=form, auth=pair)) == (400, "invalid_grant")
    public = http.post(fake.at.register, json=wanted | {"token_endpoint_auth_method": "none"}).json()
    assert "client_secret" not in public


@pytest.mark.parametrize(
    ("wanted", "headers", "status"),
    [
        ({"redirect_uris": [REDIRECT_URI]}, {"origin": "http://evil.example"}, 403),
        ({"redirect_uris": [REDIRECT_URI]}, {"host": "rebound.example"}, 403),
        ({"redirect_uris": [REDIRECT_URI]}, {"x-forwarded-for": "192.0.2.1"}, 403),
        ({}, {}, 400),
        ({"redirect_uris": ["not a url"]}, {}, 400),
        ({"redirect_uris": [REDIRECT_URI], "token_endpoint_auth_method": "private_key_jwt"}, {}, 400),
        ([], {}, 400),
    ],
)
def test_nobody_else_registers(provider, http, wanted, headers, status):
    assert http.post(provider().at.register, json=wanted, headers=headers).status_code == status
